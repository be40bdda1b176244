"""SQL of the guard against card testing.

Where rows are sought by time, it is the statement's: `clock_timestamp()` changes while a statement runs, so PostgreSQL
looks for no row by it in an index.
"""

from collections.abc import Mapping, Sequence
from datetime import timedelta
from uuid import UUID

from services.checkout.domain.card_testing import Kind, Limit, Origin
from shared.db import Connection


async def lock_origin(conn: Connection, origin: Origin) -> None:
    """Orders of one origin are counted one after another: in the order of `keys`, lest two wait for each other."""
    for key in origin.keys().values():
        await conn.execute("SELECT pg_advisory_xact_lock(('x' || left(encode($1, 'hex'), 16))::bit(64)::bigint)", key)


async def select_wait_for_failures(
    conn: Connection, keys: Mapping[Kind, bytes], limits: Mapping[Kind, Limit]
) -> float | None:
    """Until when a limit stays reached, in seconds from now; None: none is."""
    return await _longest(
        conn,
        """
        SELECT max(extract(epoch FROM w.span - (clock_timestamp() - f.at)))::float8
        FROM unnest($1::text[], $2::bytea[], $3::int[], $4::interval[]) AS w (kind, key, most, span)
        CROSS JOIN LATERAL (
            SELECT at FROM card_failures
            WHERE kind = w.kind AND key = w.key AND at > statement_timestamp() - w.span
            ORDER BY at DESC OFFSET w.most - 1 LIMIT 1) f
        """,
        keys,
        limits,
    )


async def select_wait_for_orders(
    conn: Connection, keys: Mapping[Kind, bytes], limits: Mapping[Kind, Limit]
) -> float | None:
    """The same for orders that were placed and not paid."""
    return await _longest(
        conn,
        """
        SELECT max(extract(epoch FROM w.span - (clock_timestamp() - p.placed_at)))::float8
        FROM unnest($1::text[], $2::bytea[], $3::int[], $4::interval[]) AS w (kind, key, most, span)
        CROSS JOIN LATERAL (
            (SELECT placed_at FROM order_origins WHERE w.kind = 'email' AND email = w.key AND is_unpaid
                AND placed_at > statement_timestamp() - w.span ORDER BY placed_at DESC OFFSET w.most - 1 LIMIT 1)
            UNION ALL
            (SELECT placed_at FROM order_origins WHERE w.kind = 'customer' AND customer = w.key AND is_unpaid
                AND placed_at > statement_timestamp() - w.span ORDER BY placed_at DESC OFFSET w.most - 1 LIMIT 1)
            UNION ALL
            (SELECT placed_at FROM order_origins WHERE w.kind = 'address' AND address = w.key AND is_unpaid
                AND placed_at > statement_timestamp() - w.span ORDER BY placed_at DESC OFFSET w.most - 1 LIMIT 1)) p
        """,
        keys,
        limits,
    )


async def _longest(
    conn: Connection, sql: str, keys: Mapping[Kind, bytes], limits: Mapping[Kind, Limit]
) -> float | None:
    kinds = [kind for kind in keys if kind in limits]
    wait_s: float | None = await conn.fetchval(
        sql,
        [kind.value for kind in kinds],
        [keys[kind] for kind in kinds],
        [limits[kind].most for kind in kinds],
        [limits[kind].window for kind in kinds],
    )
    return wait_s


async def insert_origin(conn: Connection, order_id: UUID, origin: Origin) -> None:
    await conn.execute(
        "INSERT INTO order_origins (order_id, email, customer, address) VALUES ($1, $2, $3, $4)",
        order_id,
        origin.email,
        origin.customer,
        origin.address,
    )


async def select_origin(conn: Connection, order_id: UUID) -> Origin | None:
    """None for an order from before the guard, or from long ago."""
    row = await conn.fetchrow("SELECT email, customer, address FROM order_origins WHERE order_id = $1", order_id)
    return None if row is None else Origin(row["email"], row["customer"], row["address"])


async def update_origin_paid(conn: Connection, order_id: UUID) -> None:
    await conn.execute("UPDATE order_origins SET is_unpaid = false WHERE order_id = $1", order_id)


async def insert_failure(conn: Connection, failure_id: str, keys: Mapping[Kind, bytes]) -> bool:
    """False when it was counted before."""
    status = await conn.execute(
        """
        INSERT INTO card_failures (failure_id, kind, key) SELECT $1, * FROM unnest($2::text[], $3::bytea[])
        ON CONFLICT DO NOTHING
        """,
        failure_id,
        [kind.value for kind in keys],
        list(keys.values()),
    )
    return status != "INSERT 0 0"


async def count_failures(conn: Connection, keys: Mapping[Kind, bytes], limits: Mapping[Kind, Limit]) -> dict[Kind, int]:
    """How many there are within the window of each; counting ends at the limit."""
    rows = await conn.fetch(
        """
        SELECT w.kind, count(f.at) AS failures
        FROM unnest($1::text[], $2::bytea[], $3::int[], $4::interval[]) AS w (kind, key, most, span)
        LEFT JOIN LATERAL (
            SELECT at FROM card_failures
            WHERE kind = w.kind AND key = w.key AND at > statement_timestamp() - w.span LIMIT w.most) f ON true
        GROUP BY w.kind
        """,
        [kind.value for kind in keys],
        list(keys.values()),
        [limits[kind].most for kind in keys],
        [limits[kind].window for kind in keys],
    )
    return {Kind(row["kind"]): row["failures"] for row in rows}


async def update_order_due(conn: Connection, order_id: UUID) -> bool:
    """Ends an unpaid order's reservation: the expiry job cancels its PaymentIntent at once. False: it is over."""
    status = await conn.execute(
        """
        UPDATE orders SET expiry_due_at = clock_timestamp()
        WHERE id = $1 AND payment IN ('awaiting', 'failed') AND expiry_due_at > clock_timestamp()
        """,
        order_id,
    )
    return status == "UPDATE 1"


async def delete_old(conn: Connection, keep: timedelta) -> int:
    """Deletes up to 1,000 of each."""
    statuses: Sequence[str] = [
        await conn.execute(
            """
            DELETE FROM card_failures WHERE ctid IN (
                SELECT ctid FROM card_failures WHERE at < statement_timestamp() - $1::interval LIMIT 1000)
            """,
            keep,
        ),
        await conn.execute(
            """
            DELETE FROM order_origins WHERE order_id IN (
                SELECT order_id FROM order_origins WHERE placed_at < statement_timestamp() - $1::interval LIMIT 1000)
            """,
            keep,
        ),
    ]
    return sum(int(status.split()[-1]) for status in statuses)
