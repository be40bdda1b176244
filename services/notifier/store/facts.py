"""What makes letters untrue before they are sent: orders that are paid, refunds that failed."""

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


async def insert_failed_refund(conn: Connection, event: OrderRefundFailed) -> None:
    await conn.execute(
        """
        INSERT INTO failed_refunds (order_id, refund_id, event_id, failed_at) VALUES ($1, $2, $3, $4)
        ON CONFLICT DO NOTHING
        """,
        event.order.order_id,
        event.refund.refund_id,
        event.id,
        event.occurred_at,
    )


async def select_refund_failed(conn: Connection, event: OrderRefunded) -> bool:
    found = await conn.fetchval(
        "SELECT EXISTS (SELECT FROM failed_refunds WHERE order_id = $1 AND refund_id = $2)",
        event.order.order_id,
        event.refund.refund_id,
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
        WHERE order_id = $1 AND kind = 'order_refunded' AND fact_id = $2 AND state = 'pending'
        """,
        event.order.order_id,
        str(event.refund.refund_id),
    )
    return int(status.split()[-1])
