"""Orders as the notifier hears of them, and letters about them, for its tests."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

from services.notifier import domain
from services.notifier.domain import Letter
from services.notifier.settings import NotifierSettings
from shared.events import (
    Address,
    OrderEvent,
    OrderFacts,
    OrderLine,
    OrderPaid,
    OrderPaymentFailed,
    OrderRefunded,
    OrderRefundFailed,
    OrderShipped,
    ParcelFacts,
    ParcelLine,
    RefundFacts,
)
from shared.ids import uuid7

NOON = datetime(2026, 11, 23, 17, 0, tzinfo=UTC)


def settings(**changed: Any) -> NotifierSettings:
    """As in production where it matters, and quick."""
    given: dict[str, Any] = {
        "database_url": "postgresql://nobody@127.0.0.1:1/none",
        "amqp_url": "amqp://nobody@127.0.0.1:1/",
        "sender": "orders@shop.example",
        "support_email": "support@shop.example",
        "shop_url": "https://shop.example",
        "order_url": "https://pay.shop.example/orders/{order_id}?token={token}",
        "link_key": "link_key_standin",
        "smtp_host": "127.0.0.1",
        "smtp_tls": "none",
        "instance": "test:1",
    }
    return NotifierSettings(**(given | changed))


def a_line(**changed: Any) -> OrderLine:
    given: dict[str, Any] = {
        "sku": "OXF-BLU-M",
        "name": "Oxford shirt",
        "variant": "Blue, M",
        "quantity": 2,
        "unit_price_minor": 8900,
        "line_total_minor": 17800,
    }
    return OrderLine(**(given | changed))


def an_order(**changed: Any) -> OrderFacts:
    given: dict[str, Any] = {
        "order_id": uuid7(),
        "number": "K-10042",
        "email": "ada@example.com",
        "locale": "en",
        "currency": "usd",
        "total_minor": 17800,
        "lines": (a_line(),),
        "shipping_address": Address(
            name="Ada Park", line1="12 Elm Street", city="Detroit", region="MI", postal_code="48201", country="US"
        ),
    }
    return OrderFacts(**(given | changed))


def order_paid(order: OrderFacts | None = None) -> OrderPaid:
    return OrderPaid(order=order or an_order())


def payment_failed(order: OrderFacts | None = None, **changed: Any) -> OrderPaymentFailed:
    given: dict[str, Any] = {
        "order": order or an_order(),
        "failure_id": str(uuid7()),
        "category": "issuer_declined",
        "reserved_until": datetime.now(UTC) + timedelta(minutes=28),
    }
    return OrderPaymentFailed(**(given | changed))


def order_shipped(order: OrderFacts | None = None, fulfilment: str = "shipped", **changed: Any) -> OrderShipped:
    """All of the order in one parcel, unless something else is given."""
    order = order or an_order()
    given: dict[str, Any] = {
        "parcel_id": uuid7(),
        "carrier": "UPS",
        "tracking_number": "1Z999AA10123456784",
        "tracking_url": "https://www.ups.com/track?tracknum=1Z999AA10123456784",
        "lines": tuple(
            ParcelLine(sku=line.sku, name=line.name, variant=line.variant, quantity=line.quantity)
            for line in order.lines
        ),
    }
    return OrderShipped(order=order, parcel=ParcelFacts(**(given | changed)), fulfilment=fulfilment)


def a_refund(order: OrderFacts, **changed: Any) -> RefundFacts:
    given: dict[str, Any] = {
        "refund_id": uuid7(),
        "amount_minor": order.total_minor,
        "currency": order.currency,
        "reason": "a moth in it, says Eve",
        "is_automatic": False,
    }
    return RefundFacts(**(given | changed))


def order_refunded(order: OrderFacts | None = None, refunded_minor: int | None = None, **changed: Any) -> OrderRefunded:
    """All of it at once, unless something else is given."""
    order = order or an_order()
    refund = a_refund(order, **changed)
    given = refund.amount_minor if refunded_minor is None else refunded_minor
    return OrderRefunded(order=order, refund=refund, refunded_minor=given)


def refund_failed(refunded: OrderRefunded) -> OrderRefundFailed:
    return OrderRefundFailed(order=refunded.order, refund=refunded.refund, failure_reason="lost_or_stolen_card")


def a_letter(event: OrderEvent | None = None, now: datetime = NOON) -> Letter:
    return domain.compose(event or order_paid(), uuid7(), settings().terms(), now, None)


def attempted(letter: Letter, attempts: int) -> Letter:
    """The letter at its so many-th attempt."""
    return replace(letter, attempts=attempts)
