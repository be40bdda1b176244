"""What Stripe will be asked, exactly. An attempt is repeated word for word: its key with other words is an error."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from services.checkout.domain import CANCEL_INTENT, CREATE_INTENT, CREATE_REFUND, Attempt, Order, Refund
from shared import tracing

CONFIRMING = ("confirm", "confirmation_token", "return_url")


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What the customer typed, as Stripe keeps it for one use, and the page that a bank sends him back to."""

    token: str
    return_url: str


def to_create(order: Order, attempt_id: UUID, now: datetime, confirmation: Confirmation | None = None) -> Attempt:
    """The PaymentIntent that pays an order: confirmed at once, or else to be confirmed by the customer's browser."""
    metadata = {"order_id": str(order.id), "order_number": order.number, "attempt_id": str(attempt_id)}
    # Stripe carries no trace context; through the metadata the webhook can go on with this trace.
    if traceparent := tracing.current_traceparent():
        metadata["traceparent"] = traceparent
    request: dict[str, Any] = {
        "amount": order.total.amount_minor,
        "currency": order.total.currency,
        "description": f"Order {order.number}",
        "metadata": metadata,
        "automatic_payment_methods": {"enabled": True},
    }
    if confirmation is not None:
        request |= {
            "confirm": True,
            "confirmation_token": confirmation.token,
            "return_url": confirmation.return_url,
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


def unconfirmed(attempt: Attempt) -> Attempt:
    """The same without its confirmation: the customer's browser has to ask for a card again."""
    request = {name: value for name, value in attempt.request.items() if name not in CONFIRMING}
    return replace(attempt, request=request)


def again(attempt: Attempt, attempt_id: UUID, now: datetime) -> Attempt:
    """The same wish under a new key, for when the old key can only repeat an error."""
    request = dict(attempt.request)
    if "metadata" in request:
        request["metadata"] = {**request["metadata"], "attempt_id": str(attempt_id)}
    return replace(attempt, id=attempt_id, request=request, state="pending", created_at=now)
