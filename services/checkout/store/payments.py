"""SQL of what we asked Stripe for (attempts) and what it told us (payments, failures, resyncs)."""

from uuid import UUID

import asyncpg
import orjson

from services.checkout.domain import Attempt, Resync
from shared.db import Connection
from shared.events import PaymentSnapshot


async def insert_attempt(conn: Connection, attempt: Attempt, lease_s: float) -> None:
    """Records the attempt, leased to this process; one that is open already is left as it is."""
    await conn.execute(
        """
        INSERT INTO payment_attempts
            (id, order_id, operation, request, payment_intent_id, created_at, tries, lease_until)
        VALUES ($1, $2, $3, $4, $5, $6, 1, clock_timestamp() + make_interval(secs => $7))
        ON CONFLICT (order_id, operation) WHERE state IN ('pending', 'unknown') AND operation <> 'create_refund'
            DO NOTHING
        """,
        attempt.id,
        attempt.order_id,
        attempt.operation,
        orjson.dumps(attempt.request).decode(),
        attempt.payment_intent_id,
        attempt.created_at,
        lease_s,
    )


async def select_attempt(conn: Connection, order_id: UUID, operation: str) -> Attempt:
    """The open one, else the newest that succeeded, else the newest. There is one: it is written with the order,
    or just before. The times alone don't tell: they are of clocks that may differ.
    """
    row = await conn.fetchrow(
        """
        SELECT * FROM payment_attempts WHERE order_id = $1 AND operation = $2
        ORDER BY state IN ('succeeded', 'refused'), state = 'refused', created_at DESC, id DESC LIMIT 1
        """,
        order_id,
        operation,
    )
    assert row is not None
    return _attempt(row)


async def lease_attempt(conn: Connection, order_id: UUID, operation: str, lease_s: float) -> Attempt | None:
    """The attempt, if it has no known outcome and nobody else is trying it right now."""
    row = await conn.fetchrow(
        """
        UPDATE payment_attempts SET lease_until = clock_timestamp() + make_interval(secs => $3), tries = tries + 1
        WHERE order_id = $1 AND operation = $2 AND state IN ('pending', 'unknown')
            AND lease_until <= clock_timestamp()
        RETURNING *
        """,
        order_id,
        operation,
        lease_s,
    )
    return None if row is None else _attempt(row)


async def update_attempt_succeeded(conn: Connection, attempt_id: UUID, payment_intent_id: str) -> None:
    await conn.execute(
        """
        UPDATE payment_attempts SET state = 'succeeded', payment_intent_id = $2, error_code = NULL,
            finished_at = clock_timestamp(), lease_until = '-infinity' WHERE id = $1
        """,
        attempt_id,
        payment_intent_id,
    )


async def update_attempt_failed(
    conn: Connection, attempt_id: UUID, state: str, error_code: str, rest_s: float | None = None
) -> bool:
    """`state` is 'refused' when Stripe said no, 'unknown' when nobody can say. False when its end was known before.

    The lease ends with it, or `rest_s` later: until then nobody tries again.
    """
    status = await conn.execute(
        """
        UPDATE payment_attempts SET state = $2, error_code = $3,
            lease_until = coalesce(clock_timestamp() + make_interval(secs => $4), '-infinity'),
            finished_at = CASE WHEN $2 = 'refused' THEN clock_timestamp() END
        WHERE id = $1 AND state IN ('pending', 'unknown')
        """,
        attempt_id,
        state,
        error_code,
        rest_s,
    )
    return status == "UPDATE 1"


async def insert_payment(conn: Connection, order_id: UUID, payment: PaymentSnapshot) -> None:
    """Records a new PaymentIntent; what an event has recorded meanwhile is newer and stays."""
    await conn.execute(
        """
        INSERT INTO payments (payment_intent_id, order_id, status, currency, amount_minor, amount_received_minor,
                              charge_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7) ON CONFLICT DO NOTHING
        """,
        payment.payment_intent_id,
        order_id,
        payment.status,
        payment.currency,
        payment.amount_minor,
        payment.amount_received_minor,
        payment.charge_id,
    )


async def upsert_payment(conn: Connection, order_id: UUID, payment: PaymentSnapshot) -> None:
    """Records what Stripe says. A PaymentIntent that succeeded or was cancelled never changes again."""
    await conn.execute(
        """
        INSERT INTO payments (payment_intent_id, order_id, status, currency, amount_minor, amount_received_minor,
                              charge_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7)
        ON CONFLICT (payment_intent_id) DO UPDATE SET status = $3, amount_minor = $5, amount_received_minor = $6,
            charge_id = coalesce($7, payments.charge_id), updated_at = clock_timestamp()
        WHERE payments.status NOT IN ('succeeded', 'canceled')
        """,
        payment.payment_intent_id,
        order_id,
        payment.status,
        payment.currency,
        payment.amount_minor,
        payment.amount_received_minor,
        payment.charge_id,
    )


async def has_other_live_payment(conn: Connection, order_id: UUID, payment_intent_id: str) -> bool:
    """Whether another PaymentIntent of the order may still bring money; what brought some is the hold's matter."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM payments
                       WHERE order_id = $1 AND payment_intent_id <> $2 AND status NOT IN ('canceled', 'succeeded'))
        """,
        order_id,
        payment_intent_id,
    )
    return found


async def select_live_payment(conn: Connection, order_id: UUID) -> str | None:
    """A PaymentIntent of the order that may still bring money, first one whose money is on its way."""
    found: str | None = await conn.fetchval(
        """
        SELECT payment_intent_id FROM payments WHERE order_id = $1 AND status NOT IN ('canceled', 'succeeded')
        ORDER BY status <> 'processing', payment_intent_id LIMIT 1
        """,
        order_id,
    )
    return found


async def update_settles(conn: Connection, payment_intent_id: str) -> None:
    await conn.execute("UPDATE payments SET settles = true WHERE payment_intent_id = $1", payment_intent_id)


async def select_settling_payment(conn: Connection, order_id: UUID) -> str | None:
    found: str | None = await conn.fetchval(
        "SELECT payment_intent_id FROM payments WHERE order_id = $1 AND settles", order_id
    )
    return found


async def count_failure(conn: Connection, failure_id: str, order_id: UUID, category: str) -> bool:
    """True the first time that this refusal is told; later events about the same one are only counted."""
    seen: int = await conn.fetchval(
        """
        INSERT INTO payment_failures (failure_id, order_id, category) VALUES ($1, $2, $3)
        ON CONFLICT (failure_id) DO UPDATE SET seen = payment_failures.seen + 1 RETURNING seen
        """,
        failure_id,
        order_id,
        category,
    )
    return seen == 1


async def request_resync(conn: Connection, payment_intent_id: str, order_id: UUID, reason: str) -> None:
    await conn.execute(
        """
        INSERT INTO resyncs (payment_intent_id, order_id, reason) VALUES ($1, $2, $3)
        ON CONFLICT (payment_intent_id) DO UPDATE SET reason = $3, requests = resyncs.requests + 1, tries = 0,
            due_at = clock_timestamp(), done_at = NULL
        """,
        payment_intent_id,
        order_id,
        reason,
    )


async def claim_resyncs(conn: Connection, lease_s: float, longest_s: float, limit: int) -> list[Resync]:
    """Payments to be looked at, for this process alone until the lease ends: twice as long with each look in vain."""
    rows = await conn.fetch(
        """
        UPDATE resyncs SET tries = tries + 1,
            due_at = now() + make_interval(secs => greatest($1, least($1 * 2 ^ least(tries, 20), $2)))
        WHERE payment_intent_id IN (
            SELECT payment_intent_id FROM resyncs WHERE done_at IS NULL AND due_at <= now()
            ORDER BY due_at LIMIT $3 FOR UPDATE SKIP LOCKED)
        RETURNING payment_intent_id, order_id, reason, requests
        """,
        lease_s,
        longest_s,
        limit,
    )
    return [Resync(**row) for row in rows]


async def update_resync_done(conn: Connection, resync: Resync) -> None:
    """Unless it was asked for again since: what was fetched may be older than that wish."""
    await conn.execute(
        "UPDATE resyncs SET done_at = now() WHERE payment_intent_id = $1 AND requests = $2",
        resync.payment_intent_id,
        resync.requests,
    )


def _attempt(row: asyncpg.Record) -> Attempt:
    return Attempt(
        id=row["id"],
        order_id=row["order_id"],
        operation=row["operation"],
        request=orjson.loads(row["request"]),
        state=row["state"],
        payment_intent_id=row["payment_intent_id"],
        created_at=row["created_at"],
        tries=row["tries"],
    )
