"""SQL of comparing with Stripe: what we hold of many payments at once, and what was found that a person must see."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

import asyncpg

from services.checkout.domain import Hold, PaymentState
from services.checkout.domain.reconciling import Known, Row
from shared.db import Connection
from shared.money import Money

# What was given back for sure, or is on its way: what Stripe counts as refunded.
_GIVEN = "('pending', 'requires_action', 'succeeded')"


async def select_known(conn: Connection, payments: Mapping[str, UUID | None]) -> dict[str, Known]:
    """What we hold of each payment. The value is the order that Stripe's metadata names, for one without a row."""
    rows = await conn.fetch(
        f"""
        SELECT w.payment_intent_id, o.id AS order_id, o.number, o.payment, o.hold, o.total_minor, o.currency,
               p.order_id AS row_order_id, p.status, p.amount_received_minor, p.settles, p.review,
               (SELECT coalesce(sum(r.amount_minor), 0) FROM refunds r
                WHERE r.payment_intent_id = w.payment_intent_id AND r.state IN {_GIVEN})::bigint AS refunded_minor,
               ARRAY(SELECT ARRAY[r.stripe_refund_id, r.state] FROM refunds r WHERE r.stripe_refund_id IS NOT NULL
                     AND r.payment_intent_id = w.payment_intent_id) AS refunds,
               ARRAY(SELECT ARRAY[d.id, d.status] FROM disputes d
                     WHERE d.payment_intent_id = w.payment_intent_id) AS disputes,
               p.amount_received_minor > (SELECT coalesce(sum(r.amount_minor), 0) FROM refunds r
                   WHERE r.payment_intent_id = w.payment_intent_id
                       AND (r.state = 'succeeded' OR r.acknowledged_at IS NOT NULL))
                   AND NOT EXISTS (SELECT FROM disputes d WHERE d.payment_intent_id = w.payment_intent_id
                                   AND d.status = 'lost') AS is_owed,
               (SELECT s.payment_intent_id FROM payments s WHERE s.order_id = o.id AND s.settles) AS settled_by,
               EXISTS (SELECT FROM payments l WHERE l.order_id = o.id AND l.status <> 'canceled'
                       AND l.payment_intent_id <> w.payment_intent_id) AS has_other_live
        FROM unnest($1::text[], $2::uuid[]) AS w (payment_intent_id, order_id)
        LEFT JOIN payments p USING (payment_intent_id)
        JOIN orders o ON o.id = coalesce(p.order_id, w.order_id)
        """,  # noqa: S608 (a constant)
        list(payments),
        list(payments.values()),
    )
    return {row["payment_intent_id"]: _known(row) for row in rows}


def _known(row: asyncpg.Record) -> Known:
    ours = None
    if row["row_order_id"] is not None:
        received = row["amount_received_minor"]
        ours = Row(row["row_order_id"], row["status"], received, row["settles"], row["review"])
    return Known(
        order_id=row["order_id"],
        number=row["number"],
        payment=PaymentState(row["payment"]),
        hold=Hold(row["hold"]),
        total=Money(row["total_minor"], row["currency"]),
        row=ours,
        refunded_minor=row["refunded_minor"],
        refunds=dict(row["refunds"]),
        disputes=dict(row["disputes"]),
        settled_by=row["settled_by"],
        has_other_live=row["has_other_live"],
        is_owed=row["status"] != "succeeded" or row["is_owed"],
    )


async def lock_orders_of(conn: Connection, payment_intent_id: str, named: UUID | None) -> None:
    """Whoever moves the order of a payment waits for us, or we for him. Nothing is locked when there is none."""
    await conn.execute(
        """
        SELECT FROM orders WHERE id = coalesce(
            (SELECT order_id FROM payments WHERE payment_intent_id = $1), $2) FOR NO KEY UPDATE
        """,
        payment_intent_id,
        named,
    )


async def select_refund_states(conn: Connection, stripe_refund_ids: Sequence[str]) -> dict[str, str]:
    """Stripe's id of a refund -> how it stands here."""
    rows = await conn.fetch(
        "SELECT stripe_refund_id, state FROM refunds WHERE stripe_refund_id = ANY($1::text[])", stripe_refund_ids
    )
    return {row["stripe_refund_id"]: row["state"] for row in rows}


async def select_disputes(conn: Connection, ids: Sequence[str]) -> dict[str, str]:
    """Stripe's id of a dispute -> its status here."""
    rows = await conn.fetch("SELECT id, status FROM disputes WHERE id = ANY($1::text[])", ids)
    return {row["id"]: row["status"] for row in rows}


async def insert_seen(conn: Connection, payment_intent_ids: Sequence[str]) -> None:
    await conn.execute(
        "INSERT INTO reconciliation_seen SELECT unnest($1::text[]) ON CONFLICT DO NOTHING", payment_intent_ids
    )


async def delete_seen(conn: Connection) -> None:
    await conn.execute("DELETE FROM reconciliation_seen")


@dataclass(frozen=True, slots=True)
class Unsure:
    """An order whose payment Stripe has to be asked for; None when we know of no PaymentIntent."""

    order_id: UUID
    number: str
    payment_intent_id: str | None


_PAYMENT_OF = """
    LEFT JOIN LATERAL (
        SELECT payment_intent_id FROM payments WHERE order_id = o.id ORDER BY settles DESC, updated_at DESC LIMIT 1
    ) p ON true
    LEFT JOIN LATERAL (
        SELECT payment_intent_id FROM payment_attempts
        WHERE order_id = o.id AND operation = 'create_intent' AND payment_intent_id IS NOT NULL
        ORDER BY created_at DESC LIMIT 1
    ) a ON true
"""


async def select_unseen(
    conn: Connection, span: tuple[datetime, datetime], after: UUID | None, seen: Sequence[str], limit: int
) -> list[Unsure]:
    """Orders placed within the span whose money we count on, and whose payment Stripe did not list."""
    rows = await conn.fetch(
        f"""
        SELECT o.id AS order_id, o.number, coalesce(p.payment_intent_id, a.payment_intent_id) AS payment_intent_id
        FROM orders o {_PAYMENT_OF}
        WHERE o.placed_at >= $1 AND o.placed_at < $2 AND o.payment IN ('paid', 'processing')
            AND ($3::uuid IS NULL OR o.id > $3)
            AND NOT EXISTS (SELECT FROM reconciliation_seen s
                            WHERE s.payment_intent_id = coalesce(p.payment_intent_id, a.payment_intent_id))
            AND coalesce(p.payment_intent_id, a.payment_intent_id, '') <> ALL ($4::text[])
        ORDER BY o.id LIMIT $5
        """,  # noqa: S608 (a constant)
        *span,
        after,
        seen,
        limit,
    )
    return [Unsure(**row) for row in rows]


async def select_stuck(conn: Connection, before: datetime, after: UUID | None, limit: int) -> list[Unsure]:
    """Orders that still hold their goods, although their time was over before then."""
    rows = await conn.fetch(
        f"""
        SELECT o.id AS order_id, o.number, coalesce(p.payment_intent_id, a.payment_intent_id) AS payment_intent_id
        FROM orders o {_PAYMENT_OF}
        WHERE o.payment IN ('awaiting', 'failed', 'processing') AND o.reserved_until < $1
            AND ($2::uuid IS NULL OR o.id > $2)
        ORDER BY o.id LIMIT $3
        """,  # noqa: S608 (a constant)
        before,
        after,
        limit,
    )
    return [Unsure(**row) for row in rows]


@dataclass(frozen=True, slots=True)
class Finding:
    """What a person has to look at. `object_id` is Stripe's (pi_…, txn_…) or an order's number."""

    kind: str
    object_id: str
    order_id: UUID | None
    detail: str


async def is_without_payment(conn: Connection, order_id: UUID) -> bool:
    """Whether an order counts on money, or holds its goods, and no payment at Stripe is known for it."""
    found: bool = await conn.fetchval(
        """
        SELECT payment <> 'expired'
            AND NOT EXISTS (SELECT FROM payments p WHERE p.order_id = o.id)
            AND NOT EXISTS (SELECT FROM payment_attempts a WHERE a.order_id = o.id AND a.payment_intent_id IS NOT NULL)
        FROM orders o WHERE o.id = $1
        """,
        order_id,
    )
    return found


async def upsert_finding(conn: Connection, finding: Finding, run_id: UUID) -> bool:
    """True when it is news. What a person has settled, with a reason, stays so until it says something else."""
    found: bool = await conn.fetchval(
        """
        WITH before AS (SELECT settled_at IS NULL OR (reason IS NOT NULL AND detail = $4) AS is_known
                        FROM reconciliation_findings WHERE kind = $1 AND object_id = $2)
        INSERT INTO reconciliation_findings AS f (kind, object_id, order_id, detail, seen_by)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (kind, object_id) DO UPDATE SET order_id = $3, detail = $4, seen_by = $5,
            seen_at = clock_timestamp(),
            opened_at = CASE WHEN (SELECT is_known FROM before) THEN f.opened_at ELSE clock_timestamp() END,
            settled_at = CASE WHEN (SELECT is_known FROM before) THEN f.settled_at END,
            settled_by = CASE WHEN (SELECT is_known FROM before) THEN f.settled_by END,
            reason = CASE WHEN (SELECT is_known FROM before) THEN f.reason END
        RETURNING NOT coalesce((SELECT is_known FROM before), false)
        """,
        finding.kind,
        finding.object_id,
        finding.order_id,
        finding.detail[:500],
        run_id,
    )
    return found


async def select_found(conn: Connection, object_ids: Sequence[str], run_id: UUID) -> set[str]:
    """Those of the objects about which the run has said something already: a page may be read again."""
    rows = await conn.fetch(
        "SELECT object_id FROM reconciliation_findings WHERE object_id = ANY($1::text[]) AND seen_by = $2",
        object_ids,
        run_id,
    )
    return {row["object_id"] for row in rows}


async def settle_findings(
    conn: Connection, object_id: str, by: str, *, reason: str | None = None, but: str | None = None
) -> list[str]:
    """Closes what is open about an object, except one kind; answers the kinds. Only people give a reason."""
    rows = await conn.fetch(
        """
        UPDATE reconciliation_findings SET settled_at = clock_timestamp(), settled_by = $2, reason = $3
        WHERE object_id = $1 AND settled_at IS NULL AND kind IS DISTINCT FROM $4 RETURNING kind
        """,
        object_id,
        by,
        reason,
        but,
    )
    return [row["kind"] for row in rows]


async def list_open_findings(conn: Connection, limit: int) -> list[tuple[Finding, datetime]]:
    """With when each was first seen; the oldest first."""
    rows = await conn.fetch(
        """
        SELECT kind, object_id, order_id, detail, opened_at FROM reconciliation_findings
        WHERE settled_at IS NULL ORDER BY opened_at LIMIT $1
        """,
        limit,
    )
    return [(_finding(row), row["opened_at"]) for row in rows]


async def select_open_findings(conn: Connection, run_id: UUID, limit: int) -> list[Finding]:
    """Those that a run has not looked at yet, the longest unseen first."""
    rows = await conn.fetch(
        """
        SELECT kind, object_id, order_id, detail FROM reconciliation_findings
        WHERE settled_at IS NULL AND seen_by IS DISTINCT FROM $1 ORDER BY seen_at LIMIT $2
        """,
        run_id,
        limit,
    )
    return [_finding(row) for row in rows]


def _finding(row: asyncpg.Record) -> Finding:
    return Finding(row["kind"], row["object_id"], row["order_id"], row["detail"])


async def count_open_findings(conn: Connection) -> dict[str, int]:
    rows = await conn.fetch(
        "SELECT kind, count(*) AS number FROM reconciliation_findings WHERE settled_at IS NULL GROUP BY kind"
    )
    return {row["kind"]: row["number"] for row in rows}
