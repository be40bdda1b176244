"""All events: the whole contract between the services.

An event is past tense, self-contained and never changes once published; a change of meaning is a new version.
No token, no client secret and no card number is in any of them. To add one, follow CONTRIBUTING.md.
"""

from datetime import UTC, datetime
from typing import Any, ClassVar, Literal
from uuid import UUID

import orjson
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.ids import uuid7
from shared.money import Money


class UnreadableEvent(ValueError):
    """A message body that is no event we know: retrying can't help."""


class Part(BaseModel):
    """A value inside an event."""

    # A field that a newer publisher added is ignored, so that services can be deployed one by one.
    model_config = ConfigDict(frozen=True, extra="ignore")


class Event(Part):
    """What every event has. `id` is what consumers deduplicate by."""

    type: ClassVar[str]
    version: ClassVar[int] = 1

    id: UUID = Field(default_factory=uuid7)
    occurred_at: datetime = Field(default_factory=lambda: datetime.now(UTC))


class PaymentSnapshot(Part):
    """What Stripe's PaymentIntent said when the event was made: only what decisions need."""

    payment_intent_id: str
    status: str
    amount_minor: int
    amount_received_minor: int
    currency: str
    order_id: UUID | None = None
    attempt_id: UUID | None = None
    charge_id: str | None = None
    failure_code: str | None = None
    decline_code: str | None = None
    advice_code: str | None = None
    network_decline_code: str | None = None
    outcome_type: str | None = None
    outcome_reason: str | None = None


class PaymentEvent(Event):
    """Something Stripe said about a PaymentIntent: a hint about the object, not a command (decision 6)."""

    stripe_event_id: str
    livemode: bool
    payment: PaymentSnapshot


class PaymentSucceeded(PaymentEvent):
    type: ClassVar[str] = "payment.succeeded"


class PaymentFailed(PaymentEvent):
    type: ClassVar[str] = "payment.failed"


class PaymentProcessing(PaymentEvent):
    type: ClassVar[str] = "payment.processing"


class PaymentActionRequired(PaymentEvent):
    type: ClassVar[str] = "payment.action_required"


class PaymentCanceled(PaymentEvent):
    type: ClassVar[str] = "payment.canceled"


class OrderLine(Part):
    sku: str
    name: str
    variant: str
    quantity: int
    unit_price_minor: int
    line_total_minor: int


class Address(Part):
    name: str
    line1: str
    line2: str | None = None
    city: str
    region: str | None = None
    postal_code: str
    country: str


class OrderFacts(Part):
    """An order as a mail needs it."""

    order_id: UUID
    number: str
    email: str
    locale: str
    currency: str
    total_minor: int
    lines: tuple[OrderLine, ...]
    shipping_address: Address

    @property
    def total(self) -> Money:
        return Money(self.total_minor, self.currency)


class OrderEvent(Event):
    """Something that became true of an order."""

    order: OrderFacts


class OrderPlaced(OrderEvent):
    type: ClassVar[str] = "order.placed"


class OrderPaid(OrderEvent):
    type: ClassVar[str] = "order.paid"


class OrderPaymentFailed(OrderEvent):
    """One payment try was refused. `failure_id` names the try: a second decline is a second fact."""

    type: ClassVar[str] = "order.payment_failed"

    failure_id: str
    category: str
    reserved_until: datetime


class OrderExpired(OrderEvent):
    type: ClassVar[str] = "order.expired"


class OrderHeld(OrderEvent):
    """The money does not match the order: somebody must look before anything is sent."""

    type: ClassVar[str] = "order.held"

    reason: str


class MailEvent(Event):
    """What became of a mail. The recipient's address is not in it."""

    letter_id: UUID
    order_id: UUID
    kind: str
    message_id: str


class MailAccepted(MailEvent):
    type: ClassVar[str] = "mail.accepted"


class MailRefused(MailEvent):
    type: ClassVar[str] = "mail.refused"

    reply: str


class MailUnknown(MailEvent):
    """The server may or may not have it: its reply was lost."""

    type: ClassVar[str] = "mail.unknown"


class SecurityEvent(Event):
    """Something suspicious, seen by whichever service saw it."""

    severity: Literal["info", "warning", "critical"]
    service: str
    client_address: str | None = None
    detail: str


class SecurityLivemodeMismatch(SecurityEvent):
    """A validly signed event of the other mode: a live event on a test system, or the reverse."""

    type: ClassVar[str] = "security.livemode_mismatch"


class SecurityEventBodyChanged(SecurityEvent):
    """A validly signed event whose id we hold with another body."""

    type: ClassVar[str] = "security.event_body_changed"


class SecuritySecretExpiring(SecurityEvent):
    """A signing secret expires soon, and Stripe still signs with it: it was not rolled there."""

    type: ClassVar[str] = "security.secret_expiring"


class WebhookVersionUnexpected(Event):
    """Stripe's events come in another API version than the one we expect. At most one an hour and version."""

    type: ClassVar[str] = "webhooks.version_unexpected"

    received_version: str | None
    expected_version: str
    stripe_event_id: str


class WebhookEvent(Event):
    """Something about the way on which Stripe's events reach us."""


class WebhookBackfilled(WebhookEvent):
    """Events that Stripe could not deliver were fetched. The times are those at which Stripe made them."""

    type: ClassVar[str] = "webhook.backfilled"

    events: int
    oldest: datetime
    newest: datetime


class WebhookEndpointSilent(WebhookEvent):
    """No event came for longer than is usual at this time of the week."""

    type: ClassVar[str] = "webhook.endpoint_silent"

    heard_at: datetime
    expected: float


class WebhookEndpointHeard(WebhookEvent):
    """The silence is over."""

    type: ClassVar[str] = "webhook.endpoint_heard"


class WebhookEndpointDisabled(WebhookEvent):
    """Stripe has no enabled endpoint for us: nothing is delivered. `problems` names why."""

    type: ClassVar[str] = "webhook.endpoint_disabled"

    problems: tuple[str, ...]


class WebhookEndpointMisconfigured(WebhookEvent):
    """Stripe's endpoint for us delivers, but not what we need, or not as we read it."""

    type: ClassVar[str] = "webhook.endpoint_misconfigured"

    problems: tuple[str, ...]


class WebhookEndpointMended(WebhookEvent):
    """Stripe's endpoint for us is as it must be again."""

    type: ClassVar[str] = "webhook.endpoint_mended"


class IncidentEvent(Event):
    incident_id: UUID
    rule: str
    subject: str
    severity: str
    summary: str


class IncidentOpened(IncidentEvent):
    type: ClassVar[str] = "incident.opened"


class IncidentResolved(IncidentEvent):
    type: ClassVar[str] = "incident.resolved"


def _concrete(base: type[Event]) -> list[type[Event]]:
    found = [base] if "type" in base.__dict__ else []
    return found + [event for child in base.__subclasses__() for event in _concrete(child)]


EVENTS: dict[str, type[Event]] = {event.type: event for event in _concrete(Event)}


def encode(event: Event) -> bytes:
    """The event as it travels and as the outbox keeps it."""
    return orjson.dumps(
        {"type": event.type, "version": event.version, **event.model_dump(mode="json")},
        option=orjson.OPT_SORT_KEYS,
    )


def decode(body: bytes) -> Event:
    """The event in a message body; raises UnreadableEvent for anything else."""
    try:
        fields: dict[str, Any] = orjson.loads(body)
        event_class = EVENTS[fields.pop("type")]
        version = fields.pop("version")
    except (orjson.JSONDecodeError, AttributeError, KeyError, TypeError) as error:
        raise UnreadableEvent(f"this is no event we know ({type(error).__name__})") from error
    if version != event_class.version:
        raise UnreadableEvent(f"{event_class.type} has version {version}; this process reads {event_class.version}")
    try:
        return event_class.model_validate(fields)
    except ValidationError as error:
        # Pydantic's own message repeats the values, and those may be a customer's.
        places = ", ".join(".".join(map(str, item["loc"])) for item in error.errors(include_input=False))
        raise UnreadableEvent(f"{event_class.type} lacks or misstates: {places}") from None
