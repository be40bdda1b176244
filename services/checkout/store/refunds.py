"""SQL of refunds, of the disputes and reviews that stand in their way, and of what a payment has left."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg
import orjson

from services.checkout.domain import Attempt, Dispute, Income, Refund, RefundState
from shared.db import Connection

AT_MOST_RECEIVED = "refunds_at_most_received"


@dataclass(frozen=True, slots=True)
class Pursued:
    """A refund whose outcome is to be found out, with the attempt whose key asks for it."""

    refund: Refund
    attempt: Attempt


async def insert_refund(conn: Connection, refund: Refund) -> None:
    """Raises asyncpg.CheckViolationError (AT_MOST_RECEIVED) when more would be given back than came in."""
    await conn.execute(
        """
        INSERT INTO refunds (id, order_id, payment_intent_id, attempt_id, stripe_refund_id, amount_minor, currency,
                             state, reason, actor, restock, created_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)
        """,
        refund.id,
        refund.order_id,
        refund.payment_intent_id,
        refund.attempt_id,
        refund.stripe_refund_id,
        refund.amount_minor,
        refund.currency,
        refund.state,
        refund.reason,
        refund.actor,
        refund.restock,
        refund.created_at,
    )


async def insert_refund_attempt(conn: Connection, attempt: Attempt) -> None:
    """Free for the job to take at once."""
    await conn.execute(
        """
        INSERT INTO payment_attempts (id, order_id, operation, request, payment_intent_id, created_at, lease_until)
        VALUES ($1, $2, $3, $4, $5, $6, '-infinity')
        """,
        attempt.id,
        attempt.order_id,
        attempt.operation,
        orjson.dumps(attempt.request).decode(),
        attempt.payment_intent_id,
        attempt.created_at,
    )


async def update_refund(conn: Connection, refund: Refund) -> None:
    await conn.execute(
        """
        UPDATE refunds SET state = $2, stripe_refund_id = $3, failure_reason = $4, attempt_id = $5,
            updated_at = clock_timestamp() WHERE id = $1
        """,
        refund.id,
        refund.state,
        refund.stripe_refund_id,
        refund.failure_reason,
        refund.attempt_id,
    )


async def acknowledge_failed(conn: Connection, order_id: UUID) -> int:
    """A person has dealt with the refunds that failed; answers how many there were."""
    status = await conn.execute(
        """
        UPDATE refunds SET acknowledged_at = clock_timestamp()
        WHERE order_id = $1 AND state IN ('failed', 'canceled', 'refused') AND acknowledged_at IS NULL
        """,
        order_id,
    )
    return int(status.split()[-1])


async def select_refund(conn: Connection, refund_id: UUID) -> Refund | None:
    row = await conn.fetchrow("SELECT * FROM refunds WHERE id = $1", refund_id)
    return None if row is None else _refund(row)


async def select_refunds(conn: Connection, order_id: UUID) -> list[Refund]:
    rows = await conn.fetch("SELECT * FROM refunds WHERE order_id = $1 ORDER BY created_at, id", order_id)
    return [_refund(row) for row in rows]


async def has_failed_refund(conn: Connection, order_id: UUID) -> bool:
    """Whether a refund failed that nobody has dealt with."""
    found: bool = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM refunds WHERE order_id = $1 AND acknowledged_at IS NULL
                       AND state IN ('failed', 'canceled', 'refused'))
        """,
        order_id,
    )
    return found


async def select_refunded_pieces(conn: Connection, order_id: UUID) -> Mapping[int, int]:
    """How many pieces of each line have been refunded, or are about to be."""
    rows = await conn.fetch(
        """
        SELECT l.position, sum(l.quantity)::bigint AS pieces FROM refund_lines l JOIN refunds r ON r.id = l.refund_id
        WHERE l.order_id = $1 AND r.state NOT IN ('failed', 'canceled', 'refused') GROUP BY l.position
        """,
        order_id,
    )
    return {row["position"]: row["pieces"] for row in rows}


async def select_refund_pieces(conn: Connection, refund_id: UUID) -> Mapping[int, int]:
    """The pieces of one refund by position."""
    rows = await conn.fetch("SELECT position, quantity FROM refund_lines WHERE refund_id = $1", refund_id)
    return {row["position"]: row["quantity"] for row in rows}


async def select_incomes(conn: Connection, order_id: UUID) -> list[Income]:
    """What the order's payments brought, and what went back of each for sure."""
    rows = await conn.fetch(
        """
        SELECT p.payment_intent_id, p.amount_received_minor AS received_minor, p.currency, p.settles, p.review,
               EXISTS (SELECT FROM fraud_warnings w WHERE w.payment_intent_id = p.payment_intent_id
                       AND w.is_actionable AND w.acknowledged_at IS NULL) AS has_fraud_warning,
               coalesce((SELECT sum(r.amount_minor) FROM refunds r
                         WHERE r.payment_intent_id = p.payment_intent_id AND r.state = 'succeeded'), 0)::bigint
                   AS refunded_minor,
               coalesce((SELECT sum(r.amount_minor) FROM refunds r
                         WHERE r.payment_intent_id = p.payment_intent_id AND r.acknowledged_at IS NOT NULL), 0)::bigint
                   AS otherwise_minor,
               EXISTS (SELECT FROM disputes d WHERE d.payment_intent_id = p.payment_intent_id AND d.status = 'lost')
                   AS is_lost
        FROM payments p WHERE p.order_id = $1 AND p.status = 'succeeded' ORDER BY p.payment_intent_id
        """,
        order_id,
    )
    return [Income(**row) for row in rows]


async def select_left(conn: Connection, payment_intent_id: str) -> int:
    """What may still be given back of a payment, in minor units: neither given nor wanted yet."""
    left: int = await conn.fetchval(
        """
        SELECT p.amount_received_minor - coalesce((
            SELECT sum(r.amount_minor) FROM refunds r WHERE r.payment_intent_id = p.payment_intent_id
                AND r.state NOT IN ('failed', 'canceled', 'refused')), 0)::bigint
        FROM payments p WHERE p.payment_intent_id = $1
        """,
        payment_intent_id,
    )
    return left


async def claim_requested(conn: Connection, lease_s: float, limit: int) -> list[Pursued]:
    """Refunds that Stripe has not answered for, each leased to this process alone; the longest due first, so that those
    that fail again and again keep none from its turn."""
    rows = await conn.fetch(
        """
        UPDATE payment_attempts SET lease_until = clock_timestamp() + make_interval(secs => $1), tries = tries + 1
        WHERE id IN (
            SELECT a.id FROM refunds r JOIN payment_attempts a ON a.id = r.attempt_id
            WHERE r.state = 'requested' AND a.state IN ('pending', 'unknown') AND a.lease_until <= clock_timestamp()
            ORDER BY a.lease_until, r.created_at LIMIT $2 FOR UPDATE OF a SKIP LOCKED)
        RETURNING *
        """,
        lease_s,
        limit,
    )
    attempts = {row["id"]: row for row in rows}
    refunds = await conn.fetch("SELECT * FROM refunds WHERE attempt_id = ANY($1::uuid[])", list(attempts))
    return [Pursued(_refund(row), _attempt(attempts[row["attempt_id"]])) for row in refunds]


async def upsert_dispute(conn: Connection, order_id: UUID, dispute: Dispute) -> None:
    await conn.execute(
        """
        INSERT INTO disputes (id, order_id, payment_intent_id, charge_id, status, reason, amount_minor, currency,
                              is_charge_refundable, evidence_due_at, opened_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)
        ON CONFLICT (id) DO UPDATE SET status = $5, is_charge_refundable = $9, evidence_due_at = $10,
            updated_at = clock_timestamp()
        """,
        dispute.id,
        order_id,
        dispute.payment_intent_id,
        dispute.charge_id,
        dispute.status,
        dispute.reason,
        dispute.amount_minor,
        dispute.currency,
        dispute.is_charge_refundable,
        dispute.evidence_due_at,
        dispute.opened_at,
    )


async def select_dispute_statuses(conn: Connection, order_id: UUID) -> Mapping[str, str]:
    rows = await conn.fetch("SELECT id, status FROM disputes WHERE order_id = $1", order_id)
    return {row["id"]: row["status"] for row in rows}


async def select_evidence_due(conn: Connection, order_id: UUID) -> datetime | None:
    """The earliest moment by which an answer to a dispute of the order is due."""
    due: datetime | None = await conn.fetchval(
        """
        SELECT min(evidence_due_at) FROM disputes
        WHERE order_id = $1 AND status IN ('needs_response', 'warning_needs_response', 'appeal_needs_response')
        """,
        order_id,
    )
    return due


async def is_refundable(conn: Connection, payment_intent_id: str) -> bool:
    """Whether no dispute forbids it (`is_charge_refundable`)."""
    blocked: bool = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM disputes WHERE payment_intent_id = $1 AND NOT is_charge_refundable)",
        payment_intent_id,
    )
    return not blocked


async def update_review(conn: Connection, payment_intent_id: str, review: str) -> None:
    """A review that is closed is over; a view of it as it was before changes nothing."""
    await conn.execute(
        "UPDATE payments SET review = $2 WHERE payment_intent_id = $1 AND review <> 'closed'",
        payment_intent_id,
        review,
    )


async def select_order_of(conn: Connection, payment_intent_id: str) -> UUID | None:
    """Whose payment it is; None when it is none of ours."""
    found: UUID | None = await conn.fetchval(
        "SELECT order_id FROM payments WHERE payment_intent_id = $1", payment_intent_id
    )
    return found


def _refund(row: asyncpg.Record) -> Refund:
    fields = {name: row[name] for name in Refund.__dataclass_fields__}
    return Refund(**{**fields, "state": RefundState(row["state"])})


def _attempt(row: asyncpg.Record) -> Attempt:
    fields = {name: row[name] for name in Attempt.__dataclass_fields__}
    return Attempt(**{**fields, "request": orjson.loads(row["request"])})
