"""What is kept of an event: what happened, when, to which order; never a customer's name, address or mail address."""

import re
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from shared.events import (
    Event,
    MailEvent,
    OrderEvent,
    OrderFraudWarned,
    OrderHeld,
    OrderPaid,
    OrderPaymentFailed,
    OrderRefundFailed,
    OrderReleased,
    PaymentEvent,
    SecurityEvent,
    WebhookBackfilled,
    WebhookEndpointDisabled,
    WebhookEndpointMisconfigured,
    WebhookEndpointSilent,
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
        category=_category(event),
        amount_minor=paid.total_minor if paid else None,
        currency=paid.currency if paid else None,
        severity=alarm.severity if alarm else None,
        detail=alarm.detail[:LONGEST_DETAIL] if alarm else None,
    )


def _category(event: Event) -> str | None:
    """Why, or how much, in a few words."""
    match event:
        case OrderPaymentFailed(category=category):
            said = category
        case OrderHeld(reason=reason) | OrderReleased(reason=reason):
            said = reason
        case OrderRefundFailed(failure_reason=reason):
            said = reason
        case OrderFraudWarned(fraud_type=fraud_type):
            said = fraud_type
        case WebhookBackfilled(events=count, oldest=oldest, newest=newest):
            said = f"caught up: {count} from {oldest:%d %b %H:%M:%S} to {newest:%d %b %H:%M:%S} UTC"
        case WebhookEndpointDisabled(problems=problems) | WebhookEndpointMisconfigured(problems=problems):
            said = ", ".join(problems)
        case WebhookEndpointSilent(heard_at=heard_at):
            said = f"since {heard_at:%d %b %H:%M:%S} UTC"
        case _:
            return None
    return said[:LONGEST]


def _order_id(event: Event) -> UUID | None:
    if isinstance(event, OrderEvent):
        return event.order.order_id
    if isinstance(event, PaymentEvent):
        return event.payment.order_id
    return event.order_id if isinstance(event, MailEvent) else None
