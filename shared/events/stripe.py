"""What Stripe said, as webhooks passes it on."""

from typing import ClassVar
from uuid import UUID

from shared.events.base import Event, Part


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
