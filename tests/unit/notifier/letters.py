"""Orders as the notifier hears of them, and letters about them, for its tests."""

from datetime import UTC, datetime, timedelta
from typing import Any

from services.notifier import domain
from services.notifier.domain import Letter
from services.notifier.settings import NotifierSettings
from shared.events import Address, OrderFacts, OrderLine, OrderPaid, OrderPaymentFailed
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


def a_letter(event: OrderPaid | OrderPaymentFailed | None = None, now: datetime = NOON) -> Letter:
    return domain.compose(event or order_paid(), uuid7(), settings().terms(), now, None)
