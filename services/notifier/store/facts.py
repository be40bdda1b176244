"""What makes letters untrue before they are sent: orders that are paid, refunds that failed.

A refund that Stripe refused may turn out to be made after all, and then be told. Which of two events about one came
first is told by their ids, which are in the order of time, whatever order they are heard in.
"""

from uuid import UUID

from shared.db import Connection
from shared.events import OrderPaid, OrderRefunded, OrderRefundFailed


async def insert_paid_order(conn: Connection, event: OrderPaid) -> None:
    await conn.execute(
        "INSERT INTO paid_orders (order_id, event_id, paid_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        event.order.order_id,
        event.id,
        event.occurred_at,
    )


async def select_is_paid(conn: Connection, order_id: UUID) -> bool:
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM paid_orders WHERE order_id = $1)", order_id))


async def upsert_failed_refund(conn: Connection, event: OrderRefundFailed) -> None:
    """Keeps the latest failure of the refund."""
    await conn.execute(
        """
        INSERT INTO failed_refunds AS known (order_id, refund_id, event_id, failed_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT (order_id, refund_id) DO UPDATE SET event_id = $3, failed_at = $4 WHERE known.event_id < $3
        """,
        event.order.order_id,
        event.refund.refund_id,
        event.id,
        event.occurred_at,
    )


async def select_refund_failed(conn: Connection, event: OrderRefunded) -> bool:
    """Whether it failed after it had succeeded."""
    found = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM failed_refunds WHERE order_id = $1 AND refund_id = $2 AND event_id > $3)",
        event.order.order_id,
        event.refund.refund_id,
        event.id,
    )
    return bool(found)


async def withdraw_failure_letters(conn: Connection, order_id: UUID) -> int:
    """Those that still wait; one that is being sent right now can't be called back."""
    status = await conn.execute(
        """
        UPDATE letters SET state = 'withdrawn', reason = 'paid', due_at = NULL, settled_at = clock_timestamp()
        WHERE order_id = $1 AND kind = 'payment_failed' AND state = 'pending'
        """,
        order_id,
    )
    return int(status.split()[-1])


async def withdraw_refund_letter(conn: Connection, event: OrderRefundFailed) -> int:
    """The letter about a refund, if it still waits; one that is being sent right now can't be called back."""
    status = await conn.execute(
        """
        UPDATE letters SET state = 'withdrawn', reason = 'refund_failed', due_at = NULL, settled_at = clock_timestamp()
        WHERE order_id = $1 AND kind = 'order_refunded' AND fact_id = $2 AND event_id < $3 AND state = 'pending'
        """,
        event.order.order_id,
        str(event.refund.refund_id),
        event.id,
    )
    return int(status.split()[-1])
