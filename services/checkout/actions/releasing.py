"""Freeing an order: a person says that what holds it has been dealt with."""

from uuid import UUID

from services.checkout.actions import standing
from services.checkout.domain import NothingToRelease, Order
from services.checkout.store import fraud as fraud_store
from services.checkout.store import orders as store
from services.checkout.store import refunds as refund_store
from shared.db import Connection


async def acknowledge(conn: Connection, order_id: UUID, actor: str, reason: str) -> Order:
    """The order as it stands without its failed refunds, or else without its fraud warnings: one thing at a time.

    Raises NotFound, and NothingToRelease when there is neither: any other hold ends with its cause.
    """
    order = await store.select_order_for_update(conn, order_id)
    if await refund_store.acknowledge_failed(conn, order_id):
        what = "refund failure dealt with"
    elif await fraud_store.acknowledge_warnings(conn, order_id):
        what = "fraud warning dealt with"
    else:
        raise NothingToRelease(
            f"order {order.number} has no failed refund and no fraud warning; its hold: {order.hold}"
        )
    await standing.record(conn, order, what, reason, actor)
    return await standing.reconsider(conn, order, actor)
