"""SQL of parcels, and of how many pieces of an order are where."""

from collections.abc import Mapping, Sequence
from uuid import UUID

import asyncpg

from services.checkout.domain import Parcel, ParcelState, RefundedPieces, Tally
from shared.db import Connection


async def insert_parcel(conn: Connection, parcel: Parcel) -> bool:
    """False when another order has a parcel of this id.

    Raises asyncpg.CheckViolationError (pieces_at_most_ordered) when more would be sent than is left.
    """
    status = await conn.execute(
        """
        INSERT INTO parcels (id, order_id, carrier, tracking_number, state, actor, shipped_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
        """,
        parcel.id,
        parcel.order_id,
        parcel.carrier,
        parcel.tracking_number,
        parcel.state,
        parcel.actor,
        parcel.shipped_at,
    )
    if status != "INSERT 0 1":
        return False
    await conn.executemany(
        "INSERT INTO parcel_lines (parcel_id, order_id, position, quantity) VALUES ($1, $2, $3, $4)",
        [(parcel.id, parcel.order_id, position, quantity) for position, quantity in parcel.lines.items()],
    )
    return True


async def select_parcel(conn: Connection, parcel_id: UUID) -> Parcel | None:
    row = await conn.fetchrow(
        """
        SELECT p.*, array_agg(l.position) AS positions, array_agg(l.quantity) AS quantities
        FROM parcels p JOIN parcel_lines l ON l.parcel_id = p.id WHERE p.id = $1 GROUP BY p.id
        """,
        parcel_id,
    )
    return None if row is None else _parcel(row)


async def select_parcels(conn: Connection, order_id: UUID) -> list[Parcel]:
    """The parcels of an order, the first one first."""
    rows = await conn.fetch(
        """
        SELECT p.*, array_agg(l.position) AS positions, array_agg(l.quantity) AS quantities
        FROM parcels p JOIN parcel_lines l ON l.parcel_id = p.id WHERE p.order_id = $1
        GROUP BY p.id ORDER BY p.shipped_at, p.id
        """,
        order_id,
    )
    return [_parcel(row) for row in rows]


async def update_parcel_state(conn: Connection, parcel: Parcel) -> None:
    await conn.execute(
        "UPDATE parcels SET state = $2, delivered_at = $3, returned_at = $4 WHERE id = $1",
        parcel.id,
        parcel.state,
        parcel.delivered_at,
        parcel.returned_at,
    )


async def update_withdrawn(conn: Connection, parcel: Parcel, withdrawn: Mapping[int, int]) -> None:
    """Of a parcel that came back: how many pieces of each line are not to be sent again."""
    await conn.executemany(
        "UPDATE parcel_lines SET withdrawn = $3 WHERE parcel_id = $1 AND position = $2",
        [(parcel.id, position, quantity) for position, quantity in withdrawn.items()],
    )


async def release_withdrawn(conn: Connection, order_id: UUID, pieces: Mapping[int, int]) -> None:
    """So many pieces of each line that came back in parcels may be sent again."""
    await conn.executemany(
        """
        UPDATE parcel_lines l SET withdrawn = l.withdrawn - f.freed FROM (
            SELECT parcel_id, position, least(withdrawn, greatest(0,
                $3 - sum(withdrawn) OVER (ORDER BY parcel_id) + withdrawn))::bigint AS freed
            FROM parcel_lines WHERE order_id = $1 AND position = $2) f
        WHERE l.parcel_id = f.parcel_id AND l.position = f.position AND f.freed > 0
        """,
        [(order_id, position, number) for position, number in pieces.items()],
    )


async def select_tallies(conn: Connection, order_id: UUID) -> list[Tally]:
    """Where the pieces of each line are, by position."""
    rows = await conn.fetch(
        "SELECT ordered, sent, refunded, withdrawn FROM order_pieces WHERE order_id = $1 ORDER BY position", order_id
    )
    return [Tally(**row) for row in rows]


async def insert_refunded_pieces(conn: Connection, order_id: UUID, pieces: Sequence[RefundedPieces]) -> None:
    """Raises asyncpg.CheckViolationError (pieces_at_most_ordered) when some of them were sent meanwhile."""
    await conn.executemany(
        """
        INSERT INTO refund_lines (refund_id, order_id, position, quantity, withdrawn, restocked)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [(each.refund_id, order_id, each.position, each.quantity, each.withdrawn, each.restocked) for each in pieces],
    )


async def select_shelved(conn: Connection, order_id: UUID) -> list[RefundedPieces]:
    """The pieces of an order that a refund put on the shelf before it failed; the oldest refund's first."""
    rows = await conn.fetch(
        """
        SELECT l.refund_id, l.position, l.quantity, l.withdrawn, l.restocked
        FROM refund_lines l JOIN refunds r ON r.id = l.refund_id
        WHERE l.order_id = $1 AND l.restocked > 0 AND r.state IN ('failed', 'canceled', 'refused')
        ORDER BY r.created_at, r.id
        """,
        order_id,
    )
    return [RefundedPieces(**row) for row in rows]


async def take_over(conn: Connection, taken: Sequence[RefundedPieces]) -> None:
    """From refunds that failed: what is said of these pieces will be said by the refund that is made anew."""
    await conn.executemany(
        """
        UPDATE refund_lines SET withdrawn = withdrawn - $3, restocked = restocked - $4
        WHERE refund_id = $1 AND position = $2
        """,
        [(each.refund_id, each.position, each.withdrawn, each.restocked) for each in taken],
    )


async def select_to_restock(conn: Connection, refund_id: UUID) -> Sequence[tuple[str, int]]:
    """The pieces of one refund that are not on the shelf, as (sku, quantity)."""
    rows = await conn.fetch(
        """
        SELECT o.sku, sum(l.quantity - l.restocked)::bigint AS pieces FROM refund_lines l
        JOIN order_lines o ON o.order_id = l.order_id AND o.position = l.position
        WHERE l.refund_id = $1 AND l.quantity > l.restocked GROUP BY o.sku
        """,
        refund_id,
    )
    return [(row["sku"], row["pieces"]) for row in rows]


async def update_restocked(conn: Connection, refund_id: UUID) -> None:
    """All pieces of the refund are on the shelf."""
    await conn.execute("UPDATE refund_lines SET restocked = quantity WHERE refund_id = $1", refund_id)


def _parcel(row: asyncpg.Record) -> Parcel:
    lines = dict(sorted(zip(row["positions"], row["quantities"], strict=True)))
    fields = {name: row[name] for name in Parcel.__dataclass_fields__ if name not in ("state", "lines")}
    return Parcel(**fields, state=ParcelState(row["state"]), lines=lines)
