"""All events: the whole contract between the services.

An event is past tense, self-contained and never changes once published; a change of meaning is a new version.
No token, no client secret and no card number is in any of them. To add one, follow CONTRIBUTING.md.
"""

from typing import Any, ClassVar, Literal
from uuid import UUID

import orjson
from pydantic import ValidationError

from shared.events.base import Event, Part, UnreadableEvent
from shared.events.orders import (
    Address,
    OrderDisputed,
    OrderEvent,
    OrderExpired,
    OrderFacts,
    OrderHeld,
    OrderLine,
    OrderPaid,
    OrderPaymentFailed,
    OrderPlaced,
    OrderRefunded,
    OrderRefundFailed,
    OrderReleased,
    RefundFacts,
)
from shared.events.stripe import (
    ChargeEvent,
    ChargeSnapshot,
    DisputeClosed,
    DisputeCreated,
    DisputeEvent,
    DisputeFundsReinstated,
    DisputeFundsWithdrawn,
    DisputeSnapshot,
    DisputeUpdated,
    MoneyEvent,
    PaymentActionRequired,
    PaymentBooked,
    PaymentCanceled,
    PaymentEvent,
    PaymentFailed,
    PaymentProcessing,
    PaymentRefunded,
    PaymentSnapshot,
    PaymentSucceeded,
    RefundCreated,
    RefundEvent,
    RefundFailed,
    RefundSnapshot,
    RefundUpdated,
    ReviewClosed,
    ReviewEvent,
    ReviewOpened,
    ReviewSnapshot,
)

# What is defined beside this file; what is defined in it needs no mention.
__all__ = [
    "Address",
    "ChargeEvent",
    "ChargeSnapshot",
    "DisputeClosed",
    "DisputeCreated",
    "DisputeEvent",
    "DisputeFundsReinstated",
    "DisputeFundsWithdrawn",
    "DisputeSnapshot",
    "DisputeUpdated",
    "Event",
    "MoneyEvent",
    "OrderDisputed",
    "OrderEvent",
    "OrderExpired",
    "OrderFacts",
    "OrderHeld",
    "OrderLine",
    "OrderPaid",
    "OrderPaymentFailed",
    "OrderPlaced",
    "OrderRefundFailed",
    "OrderRefunded",
    "OrderReleased",
    "Part",
    "PaymentActionRequired",
    "PaymentBooked",
    "PaymentCanceled",
    "PaymentEvent",
    "PaymentFailed",
    "PaymentProcessing",
    "PaymentRefunded",
    "PaymentSnapshot",
    "PaymentSucceeded",
    "RefundCreated",
    "RefundEvent",
    "RefundFacts",
    "RefundFailed",
    "RefundSnapshot",
    "RefundUpdated",
    "ReviewClosed",
    "ReviewEvent",
    "ReviewOpened",
    "ReviewSnapshot",
    "UnreadableEvent",
]


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
