"""What Stripe said: hints about its objects, each with the snapshot that came with it."""

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
    # SHA-256 of Stripe's fingerprint of the card that was refused: enough to tell that two are the same.
    card: str | None = None


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


class RefundSnapshot(Part):
    """What Stripe's refund said. `our_refund_id` is ours, if we made it."""

    refund_id: str
    status: str
    amount_minor: int
    currency: str
    payment_intent_id: str | None = None
    charge_id: str | None = None
    our_refund_id: UUID | None = None
    failure_reason: str | None = None


class ChargeSnapshot(Part):
    """What Stripe's charge said. Its balance transaction comes later than the payment (`automatic_async`)."""

    charge_id: str
    payment_intent_id: str | None = None
    amount_minor: int
    amount_refunded_minor: int
    currency: str
    balance_transaction_id: str | None = None


class DisputeSnapshot(Part):
    """What Stripe's dispute said. Whoever decides something asks for the dispute itself."""

    dispute_id: str
    status: str
    amount_minor: int
    currency: str
    payment_intent_id: str | None = None
    charge_id: str | None = None
    reason: str | None = None


class ReviewSnapshot(Part):
    """What Radar's review said."""

    review_id: str
    is_open: bool
    payment_intent_id: str | None = None
    charge_id: str | None = None
    reason: str | None = None


class FraudWarningSnapshot(Part):
    """What Radar's early fraud warning said: the bank of the card believes that its owner didn't pay."""

    warning_id: str
    is_actionable: bool
    fraud_type: str
    payment_intent_id: str | None = None
    charge_id: str | None = None


class MoneyEvent(Event):
    """Something Stripe said about what became of a payment: a hint to look at it (decision 6)."""

    stripe_event_id: str
    livemode: bool

    @property
    def payment_intent_id(self) -> str | None:
        """The payment it is about; None when the event doesn't name one."""
        raise NotImplementedError


class RefundEvent(MoneyEvent):
    refund: RefundSnapshot

    @property
    def payment_intent_id(self) -> str | None:
        return self.refund.payment_intent_id


class RefundCreated(RefundEvent):
    type: ClassVar[str] = "refund.created"


class RefundUpdated(RefundEvent):
    type: ClassVar[str] = "refund.updated"


class RefundFailed(RefundEvent):
    type: ClassVar[str] = "refund.failed"


class ChargeEvent(MoneyEvent):
    charge: ChargeSnapshot

    @property
    def payment_intent_id(self) -> str | None:
        return self.charge.payment_intent_id


class PaymentRefunded(ChargeEvent):
    type: ClassVar[str] = "payment.refunded"


class PaymentBooked(ChargeEvent):
    """The charge changed; mostly because its balance transaction is there now, and with it the fee."""

    type: ClassVar[str] = "payment.booked"


class DisputeEvent(MoneyEvent):
    dispute: DisputeSnapshot

    @property
    def payment_intent_id(self) -> str | None:
        return self.dispute.payment_intent_id


class DisputeCreated(DisputeEvent):
    type: ClassVar[str] = "dispute.created"


class DisputeUpdated(DisputeEvent):
    type: ClassVar[str] = "dispute.updated"


class DisputeClosed(DisputeEvent):
    type: ClassVar[str] = "dispute.closed"


class DisputeFundsWithdrawn(DisputeEvent):
    type: ClassVar[str] = "dispute.funds_withdrawn"


class DisputeFundsReinstated(DisputeEvent):
    type: ClassVar[str] = "dispute.funds_reinstated"


class ReviewEvent(MoneyEvent):
    review: ReviewSnapshot

    @property
    def payment_intent_id(self) -> str | None:
        return self.review.payment_intent_id


class ReviewOpened(ReviewEvent):
    type: ClassVar[str] = "review.opened"


class ReviewClosed(ReviewEvent):
    type: ClassVar[str] = "review.closed"


class FraudWarningEvent(MoneyEvent):
    warning: FraudWarningSnapshot

    @property
    def payment_intent_id(self) -> str | None:
        return self.warning.payment_intent_id


class FraudWarningCreated(FraudWarningEvent):
    type: ClassVar[str] = "fraud_warning.created"


class FraudWarningUpdated(FraudWarningEvent):
    """Mostly because it isn't actionable any more: the charge was refunded, or disputed."""

    type: ClassVar[str] = "fraud_warning.updated"
