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
    ReconciliationEventsFetched,
    ReconciliationFinished,
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
    said = _of_order(event) or _of_stripe(event)
    return said and said[:LONGEST]


def _of_order(event: Event) -> str | None:
    match event:
        case OrderPaymentFailed(category=category):
            return category
        case OrderHeld(reason=reason) | OrderReleased(reason=reason):
            return reason
        case OrderRefundFailed(failure_reason=reason):
            return reason
        case OrderFraudWarned(fraud_type=fraud_type):
            return fraud_type
        case _:
            return None


def _of_stripe(event: Event) -> str | None:
    """What became of the way to Stripe, and of what was missed on it."""
    match event:
        case WebhookBackfilled(events=count, oldest=oldest, newest=newest):
            return f"caught up: {count} from {oldest:%d %b %H:%M:%S} to {newest:%d %b %H:%M:%S} UTC"
        case ReconciliationFinished(repaired=repaired, raised=raised):
            return f"{repaired} put right, {raised} for a person"
        case ReconciliationEventsFetched(listed=listed, fetched=fetched):
            return f"{fetched} of {listed} undelivered were new"
        case WebhookEndpointDisabled(problems=problems) | WebhookEndpointMisconfigured(problems=problems):
            return ", ".join(problems)
        case WebhookEndpointSilent(heard_at=heard_at):
            return f"since {heard_at:%d %b %H:%M:%S} UTC"
        case _:
            return None


def _order_id(event: Event) -> UUID | None:
    if isinstance(event, OrderEvent):
        return event.order.order_id
    if isinstance(event, PaymentEvent):
        return event.payment.order_id
    return event.order_id if isinstance(event, MailEvent) else None
