"""All events: the whole contract between the services.

An event is past tense, self-contained and never changes once published; a change of meaning is a new version.
No token, no client secret and no card number is in any of them. To add one, follow CONTRIBUTING.md.
"""

from typing import Any

import orjson
from pydantic import ValidationError

from shared.events.base import Event, Part, UnreadableEvent
from shared.events.circuit import StripeCircuitClosed, StripeCircuitEvent, StripeCircuitOpened
from shared.events.incidents import IncidentEvent, IncidentOpened, IncidentReopened, IncidentResolved
from shared.events.mails import MailAccepted, MailEvent, MailRefused, MailUnknown
from shared.events.orders import (
    Address,
    OrderDelivered,
    OrderDisputed,
    OrderEvent,
    OrderExpired,
    OrderFacts,
    OrderFraudWarned,
    OrderHeld,
    OrderLine,
    OrderPaid,
    OrderPaymentFailed,
    OrderPlaced,
    OrderRefunded,
    OrderRefundFailed,
    OrderReleased,
    OrderReturned,
    OrderShipped,
    ParcelEvent,
    ParcelFacts,
    ParcelLine,
    RefundFacts,
)
from shared.events.reconciliation import (
    ReconciliationBegan,
    ReconciliationEventsFetched,
    ReconciliationFinished,
)
from shared.events.security import (
    SecurityAddressBanned,
    SecurityBadSignatures,
    SecurityCardTesting,
    SecurityEvent,
    SecurityEventBodyChanged,
    SecurityLivemodeMismatch,
    SecurityReplays,
    SecurityScanning,
    SecuritySecretExpiring,
    SecuritySendersChanged,
    SecurityUnknownSender,
)
from shared.events.stock import StockBack, StockEvent, StockLow, StockOut
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
    FraudWarningCreated,
    FraudWarningEvent,
    FraudWarningSnapshot,
    FraudWarningUpdated,
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
from shared.events.webhooks import (
    WebhookBackfilled,
    WebhookEndpointDisabled,
    WebhookEndpointHeard,
    WebhookEndpointMended,
    WebhookEndpointMisconfigured,
    WebhookEndpointSilent,
    WebhookVersionUnexpected,
)

__all__ = [
    "EVENTS",
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
    "FraudWarningCreated",
    "FraudWarningEvent",
    "FraudWarningSnapshot",
    "FraudWarningUpdated",
    "IncidentEvent",
    "IncidentOpened",
    "IncidentReopened",
    "IncidentResolved",
    "MailAccepted",
    "MailEvent",
    "MailRefused",
    "MailUnknown",
    "MoneyEvent",
    "OrderDelivered",
    "OrderDisputed",
    "OrderEvent",
    "OrderExpired",
    "OrderFacts",
    "OrderFraudWarned",
    "OrderHeld",
    "OrderLine",
    "OrderPaid",
    "OrderPaymentFailed",
    "OrderPlaced",
    "OrderRefundFailed",
    "OrderRefunded",
    "OrderReleased",
    "OrderReturned",
    "OrderShipped",
    "ParcelEvent",
    "ParcelFacts",
    "ParcelLine",
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
    "ReconciliationBegan",
    "ReconciliationEventsFetched",
    "ReconciliationFinished",
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
    "SecurityAddressBanned",
    "SecurityBadSignatures",
    "SecurityCardTesting",
    "SecurityEvent",
    "SecurityEventBodyChanged",
    "SecurityLivemodeMismatch",
    "SecurityReplays",
    "SecurityScanning",
    "SecuritySecretExpiring",
    "SecuritySendersChanged",
    "SecurityUnknownSender",
    "StockBack",
    "StockEvent",
    "StockLow",
    "StockOut",
    "StripeCircuitClosed",
    "StripeCircuitEvent",
    "StripeCircuitOpened",
    "UnreadableEvent",
    "WebhookBackfilled",
    "WebhookEndpointDisabled",
    "WebhookEndpointHeard",
    "WebhookEndpointMended",
    "WebhookEndpointMisconfigured",
    "WebhookEndpointSilent",
    "WebhookVersionUnexpected",
    "decode",
    "encode",
]


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
