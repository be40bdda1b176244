"""What Stripe will be asked, exactly. An attempt is repeated word for word: its key with other words is an error."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from services.checkout.domain import (
    CANCEL_INTENT,
    CREATE_CUSTOMER,
    CREATE_INTENT,
    CREATE_REFUND,
    DETACH_METHOD,
    Attempt,
    CustomerAttempt,
    Order,
    Payer,
    Refund,
    Shopper,
)
from shared import tracing

# Stripe keeps a key for at least 24 hours (an hour less: it is their clock); what is sent again then is a new request.
KEY_IS_GOOD_FOR = timedelta(hours=23)

CONFIRMING = ("confirm", "confirmation_token", "payment_method", "return_url")


@dataclass(frozen=True, slots=True)
class Confirmation:
    """What pays at once, by its name in Stripe's request: what was typed, as Stripe keeps it for one use, or a saved
    card. And the page that a bank sends the customer back to."""

    given: Mapping[str, str]
    return_url: str


def to_create(
    order: Order,
    attempt_id: UUID,
    now: datetime,
    confirmation: Confirmation | None = None,
    payer: Payer | None = None,
) -> Attempt:
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
            **confirmation.given,
            "return_url": confirmation.return_url,
        }
    if payer is not None and payer.stripe_customer_id is not None:
        request["customer"] = payer.stripe_customer_id
        # The shopper will be there when it is used again: nothing is charged without him.
        request |= {"setup_future_usage": "on_session"} if payer.consent else {}
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


def to_create_customer(shopper: Shopper, attempt_id: UUID, now: datetime) -> CustomerAttempt:
    """A shopper as a customer of Stripe's: with our id, and nothing else about him."""
    request = {"metadata": {"customer_id": str(shopper.id), "attempt_id": str(attempt_id)}}
    return CustomerAttempt(attempt_id, shopper.id, CREATE_CUSTOMER, request, now)


def to_detach(shopper: Shopper, payment_method_id: str, attempt_id: UUID, now: datetime) -> CustomerAttempt:
    """A saved card that the shopper wants us to let go of."""
    return CustomerAttempt(attempt_id, shopper.id, DETACH_METHOD, {}, now, payment_method_id)


def again(attempt: Attempt, attempt_id: UUID, now: datetime) -> Attempt:
    """The same wish under a new key, for when the old key can only repeat an error."""
    request = dict(attempt.request)
    if "metadata" in request:
        request["metadata"] = {**request["metadata"], "attempt_id": str(attempt_id)}
    return replace(attempt, id=attempt_id, request=request, state="pending", created_at=now, tries=1)
