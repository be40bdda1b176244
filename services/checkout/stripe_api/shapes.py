"""What Stripe says of its objects, in our own words: the package's classes go no further than this."""

from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import stripe

from services.checkout.domain import BalanceTransaction, Dispute, FraudWarning
from shared.events import PaymentSnapshot, RefundSnapshot


def snapshot(intent: stripe.PaymentIntent) -> PaymentSnapshot:
    """What decisions need of a PaymentIntent; its `latest_charge` need not be expanded."""
    # The codes of a failure are optional, and the package raises for what Stripe left out (3-D Secure that failed has
    # no decline code).
    charge, failure = intent.latest_charge, intent.last_payment_error
    metadata = {name: intent.metadata[name] for name in ("order_id", "attempt_id") if name in intent.metadata}
    return PaymentSnapshot(
        payment_intent_id=intent.id,
        status=intent.status,
        amount_minor=intent.amount,
        amount_received_minor=intent.amount_received,
        currency=intent.currency,
        order_id=_uuid(metadata.get("order_id")),
        attempt_id=_uuid(metadata.get("attempt_id")),
        charge_id=charge.id if isinstance(charge, stripe.Charge) else charge,
        failure_code=getattr(failure, "code", None),
        decline_code=getattr(failure, "decline_code", None),
        advice_code=getattr(failure, "advice_code", None),
        network_decline_code=getattr(failure, "network_decline_code", None),
    )


def refund_snapshot(refund: stripe.Refund) -> RefundSnapshot:
    metadata: Any = refund.metadata
    return RefundSnapshot(
        refund_id=refund.id,
        status=refund.status or "pending",
        amount_minor=refund.amount,
        currency=refund.currency,
        payment_intent_id=_id(refund.payment_intent),
        charge_id=_id(refund.charge),
        our_refund_id=_uuid(getattr(metadata, "refund_id", None)),
        failure_reason=getattr(refund, "failure_reason", None),  # left out of a refund that has not failed
    )


def balance_transaction(told: stripe.BalanceTransaction) -> BalanceTransaction:
    source: Any = told.source
    return BalanceTransaction(
        id=told.id,
        type=told.type,
        currency=told.currency,
        amount_minor=told.amount,
        fee_minor=told.fee,
        net_minor=told.net,
        source=_id(source),
        created_at=datetime.fromtimestamp(told.created, UTC),
        source_currency=getattr(source, "currency", None),
        source_minor=getattr(source, "amount", None),  # what the customer paid or got, in his currency
        payment_intent_id=_id(getattr(source, "payment_intent", None)),
        order_id=_uuid(getattr(getattr(source, "metadata", None), "order_id", None)),
    )


def dispute(dispute: stripe.Dispute) -> Dispute:
    due_by = dispute.evidence_details.due_by  # 0 or null: no answer is possible
    return Dispute(
        id=dispute.id,
        payment_intent_id=_id(dispute.payment_intent) or "",
        charge_id=_id(dispute.charge),
        status=dispute.status,
        reason=dispute.reason,
        amount_minor=dispute.amount,
        currency=dispute.currency,
        is_charge_refundable=dispute.is_charge_refundable,
        evidence_due_at=datetime.fromtimestamp(due_by, UTC) if due_by else None,
        opened_at=datetime.fromtimestamp(dispute.created, UTC),
    )


def fraud_warning(told: Any, payment_intent_id: str) -> FraudWarning:
    return FraudWarning(
        id=told.id,
        payment_intent_id=payment_intent_id,
        charge_id=_id(told.charge),
        fraud_type=str(told.fraud_type)[:100] or "unknown",
        is_actionable=told.actionable,
        warned_at=datetime.fromtimestamp(told.created, UTC),
    )


def review_state(intent: stripe.PaymentIntent) -> str:
    review = intent.review
    return ("open" if review.open else "closed") if isinstance(review, stripe.Review) else "none"


def _id(thing: Any) -> str | None:
    """The id of what Stripe gives whole or by its id."""
    return thing if isinstance(thing, str) or thing is None else str(thing.id)


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
