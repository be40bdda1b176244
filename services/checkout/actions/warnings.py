"""Taking in early fraud warnings: each is told once, and holds its order (see `domain/holds.py`)."""

from collections.abc import Iterable

from services.checkout.actions import standing
from services.checkout.actions.facts import facts
from services.checkout.domain import FraudWarning, Order
from services.checkout.store import fraud as fraud_store
from services.checkout.store import orders as store
from shared import outbox
from shared.db import Connection
from shared.events import OrderFraudWarned
from shared.metrics import counter

WARNINGS = counter("checkout_fraud_warnings_total", "Early fraud warnings, by the kind of fraud.", ("fraud_type",))


async def take_in(conn: Connection, order: Order, warnings: Iterable[FraudWarning]) -> None:
    """What Stripe shows of an order's payment, in the caller's transaction; the caller reconsiders the order."""
    for warning in warnings:
        if not await fraud_store.upsert_warning(conn, order.id, warning):
            continue
        WARNINGS.labels(fraud_type=warning.fraud_type).inc()
        await standing.record(conn, order, "fraud warning", warning.fraud_type)
        event = OrderFraudWarned(
            order=facts(order, await store.select_lines(conn, order)),
            warning_id=warning.id,
            fraud_type=warning.fraud_type,
            fulfilment=order.fulfilment,
        )
        await outbox.stage(conn, event)
