"""What Stripe will be asked, exactly. An attempt is repeated word for word: its key with other words is an error."""

from dataclasses import replace
from datetime import datetime
from uuid import UUID

from services.checkout.domain import CANCEL_INTENT, CREATE_INTENT, CREATE_REFUND, Attempt, Order, Refund
from shared import tracing


def to_create(order: Order, attempt_id: UUID, now: datetime) -> Attempt:
    """The PaymentIntent that pays an order, to be confirmed by the customer's browser."""
    metadata = {"order_id": str(order.id), "order_number": order.number, "attempt_id": str(attempt_id)}
    # Stripe carries no trace context; through the metadata the webhook can go on with this trace.
    if traceparent := tracing.current_traceparent():
        metadata["traceparent"] = traceparent
    request = {
        "amount": order.total.amount_minor,
        "currency": order.total.currency,
        "description": f"Order {order.number}",
        "metadata": metadata,
        "automatic_payment_methods": {"enabled": True},
    }
    return Attempt(attempt_id, order.id, CREATE_INTENT, request, "pending", None, now)


def to_cancel(order_id: UUID, payment_intent_id: str, attempt_id: UUID, now: datetime) -> Attempt:
    """The end of a PaymentIntent whose order was not paid in time."""
    request = {"cancellation_reason": "abandoned"}
    return Attempt(attempt_id, order_id, CANCEL_INTENT, request, "pending", payment_intent_id, now)


def to_refund(refund: Refund, attempt_id: UUID, now: datetime) -> Attempt:
    """Money given back. Through `refund_id` it is recognised as ours, whichever attempt made it."""
    request = {
        "payment_intent": refund.payment_intent_id,
        "amount": refund.amount_minor,
        "reason": "requested_by_customer",
        "metadata": {
            "order_id": str(refund.order_id),
            "refund_id": str(refund.id),
            "attempt_id": str(attempt_id),
        },
    }
    return Attempt(attempt_id, refund.order_id, CREATE_REFUND, request, "pending", refund.payment_intent_id, now)


def again(attempt: Attempt, attempt_id: UUID, now: datetime) -> Attempt:
    """The same wish under a new key, for when the old key can only repeat an error."""
    request = dict(attempt.request)
    if "metadata" in request:
        request["metadata"] = {**request["metadata"], "attempt_id": str(attempt_id)}
    return replace(attempt, id=attempt_id, request=request, state="pending", created_at=now)
