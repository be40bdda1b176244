"""What is kept of an event: what happened, when, to which order; never a customer's name, address or mail address."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.events import (
    Event,
    MailEvent,
    OrderEvent,
    OrderPaid,
    OrderPaymentFailed,
    PaymentEvent,
    SecurityEvent,
)

# The watcher takes what it gets: an odd value is cut or left out, never a reason to refuse the event.
LONGEST = 100
LONGEST_DETAIL = 500
CURRENCY = re.compile("[a-z]{3}")


@dataclass(frozen=True)
class SeenEvent:
    id: UUID
    type: str
    occurred_at: datetime
    order_id: UUID | None = None
    order_number: str | None = None
    category: str | None = None
    amount_minor: int | None = None
    currency: str | None = None
    severity: str | None = None
    detail: str | None = None


def seen(event: Event) -> SeenEvent:
    """The part of an event that rules and page need."""
    order = event.order if isinstance(event, OrderEvent) else None
    alarm = event if isinstance(event, SecurityEvent) else None
    paid = event.order if isinstance(event, OrderPaid) and CURRENCY.fullmatch(event.order.currency) else None
    return SeenEvent(
        id=event.id,
        type=event.type,
        occurred_at=event.occurred_at,
        order_id=_order_id(event),
        order_number=order.number[:LONGEST] if order else None,
        category=event.category[:LONGEST] if isinstance(event, OrderPaymentFailed) else None,
        amount_minor=paid.total_minor if paid else None,
        currency=paid.currency if paid else None,
        severity=alarm.severity if alarm else None,
        detail=alarm.detail[:LONGEST_DETAIL] if alarm else None,
    )


def _order_id(event: Event) -> UUID | None:
    if isinstance(event, OrderEvent):
        return event.order.order_id
    if isinstance(event, PaymentEvent):
        return event.payment.order_id
    return event.order_id if isinstance(event, MailEvent) else None
