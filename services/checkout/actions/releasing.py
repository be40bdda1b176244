"""Freeing an order: a person says that a refund that failed has been dealt with."""

from uuid import UUID

from services.checkout.actions import standing
from services.checkout.domain import Order
from services.checkout.store import orders as store
from services.checkout.store import refunds as refund_store
from shared.db import Connection
from shared.errors import Conflict


async def acknowledge(conn: Connection, order_id: UUID, actor: str, reason: str) -> Order:
    """The order as it stands without its failed refunds. Raises NotFound, and Conflict when there are none."""
    order = await store.select_order_for_update(conn, order_id)
    if not await refund_store.acknowledge_failed(conn, order_id):
        raise Conflict(f"order {order.number} has no failed refund; it is held for: {order.hold}")
    await standing.record(conn, order, "refund failure dealt with", reason, actor)
    return await standing.reconsider(conn, order, actor)
