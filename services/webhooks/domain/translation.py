"""What the other services are told of what Stripe said."""

import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from services.webhooks.domain.event import StripeEvent
from services.webhooks.domain.fields import NAME, mapping, name, subject
from shared import events
from shared.events import Event, PaymentEvent, PaymentSnapshot

# Which of Stripe's events the others hear of, as what.
TRANSLATIONS: Mapping[str, type[PaymentEvent]] = {
    "payment_intent.succeeded": events.PaymentSucceeded,
    "payment_intent.payment_failed": events.PaymentFailed,
    "payment_intent.processing": events.PaymentProcessing,
    "payment_intent.requires_action": events.PaymentActionRequired,
    "payment_intent.canceled": events.PaymentCanceled,
}


# Why a stored event is not passed on.
OF_NO_INTEREST = "no other service hears of this"
OTHER_MODE = "the event is of the other mode"


def why_ignored(event: StripeEvent, livemode: bool) -> str | None:
    """Why an event will not be passed on, as far as that can be told without looking at its object."""
    if event.livemode is (not livemode):
        return OTHER_MODE
    return None if event.type in TRANSLATIONS else OF_NO_INTEREST


class Untranslatable(ValueError):
    """A stored event of a type we pass on doesn't say what we would have to pass on."""


# Our ids are derived from Stripe's: publishing an event again gives the same id, so nobody acts twice.
_OURS = uuid5(NAMESPACE_URL, "urn:kct:stripe-event")

_INTENT_ID = re.compile(r"[A-Za-z0-9_]{1,255}")
_STATUS = re.compile(r"[a-z_]{1,64}")
_CURRENCY = re.compile(r"[a-z]{3}")
_LARGEST_AMOUNT = 2**63 - 1  # bigint
_LAST_MOMENT = 253402300799  # 9999-12-31


def translate(stripe_event: Mapping[str, Any]) -> Event | None:
    """What the other services are told; None for what is not theirs to hear.

    Raises Untranslatable when something that money depends on is missing or misstated. What only explains
    a decline is left out instead: a surprise there must not hold up the payment.
    """
    event_class = TRANSLATIONS.get(str(stripe_event.get("type")))
    if event_class is None:
        return None
    intent = subject(stripe_event)
    if mapping(intent.get("metadata")).get("order_id") in (None, ""):
        return None  # a payment of the same account that this shop didn't make
    livemode = stripe_event.get("livemode")
    if not isinstance(livemode, bool):
        raise Untranslatable("the event does not say its mode")
    stripe_event_id = _required(stripe_event, "id", NAME)
    return event_class(
        id=uuid5(_OURS, stripe_event_id),
        occurred_at=datetime.fromtimestamp(_number(stripe_event, "created", _LAST_MOMENT), UTC),
        stripe_event_id=stripe_event_id,
        livemode=livemode,
        payment=_snapshot(intent),
    )


# What a PaymentIntent's state is told as, when it is told without an event of Stripe's.
_TOLD_AS: Mapping[str, type[PaymentEvent]] = {
    "succeeded": events.PaymentSucceeded,
    "processing": events.PaymentProcessing,
    "requires_action": events.PaymentActionRequired,
    "requires_payment_method": events.PaymentFailed,
    "canceled": events.PaymentCanceled,
}


def tell(intent: Mapping[str, Any], request_id: UUID, now: datetime) -> PaymentEvent | None:
    """What the others are told of a PaymentIntent as it is now; `request_id` names the wish to have it told.

    None when its customer has not got so far that there is anything to tell. Raises Untranslatable as above.
    """
    payment = _snapshot(intent)
    event_class = _TOLD_AS.get(payment.status)
    if event_class is events.PaymentFailed and not (payment.failure_code or payment.decline_code):
        event_class = None
    if event_class is None:
        return None
    livemode = intent.get("livemode")
    if not isinstance(livemode, bool):
        raise Untranslatable("the object does not say its mode")
    return event_class(
        id=uuid5(_OURS, f"{payment.payment_intent_id} for {request_id}"),
        occurred_at=now,
        stripe_event_id=f"{payment.payment_intent_id} at resync {request_id}",
        livemode=livemode,
        payment=payment,
    )


def _snapshot(intent: Mapping[str, Any]) -> PaymentSnapshot:
    metadata = mapping(intent.get("metadata"))
    failure = mapping(intent.get("last_payment_error"))
    charge = _charge(intent)
    outcome = mapping(charge.get("outcome"))
    return PaymentSnapshot(
        payment_intent_id=_required(intent, "id", _INTENT_ID),
        status=_required(intent, "status", _STATUS),
        amount_minor=_number(intent, "amount", _LARGEST_AMOUNT),
        amount_received_minor=_number(intent, "amount_received", _LARGEST_AMOUNT),
        currency=_required(intent, "currency", _CURRENCY),
        order_id=_uuid(metadata.get("order_id")),
        attempt_id=_uuid(metadata.get("attempt_id")),
        charge_id=name(intent.get("latest_charge")) or name(charge.get("id")) or name(failure.get("charge")),
        failure_code=name(failure.get("code")) or name(charge.get("failure_code")),
        decline_code=name(failure.get("decline_code")),
        advice_code=name(failure.get("advice_code")) or name(outcome.get("advice_code")),
        network_decline_code=name(failure.get("network_decline_code")) or name(outcome.get("network_decline_code")),
        outcome_type=name(outcome.get("type")),
        outcome_reason=name(outcome.get("reason")),
    )


def _charge(intent: Mapping[str, Any]) -> Mapping[str, Any]:
    """The newest charge, where the event has it whole: expanded, or in the list older versions sent."""
    latest = intent.get("latest_charge")
    if isinstance(latest, dict):
        return latest
    charges = mapping(intent.get("charges")).get("data")
    return mapping(charges[0]) if isinstance(charges, list) and charges else {}


def _uuid(value: object) -> UUID | None:
    try:
        return UUID(value) if isinstance(value, str) else None
    except ValueError:
        return None


def _required(source: Mapping[str, Any], key: str, shape: re.Pattern[str]) -> str:
    value = source.get(key)
    if not isinstance(value, str) or not shape.fullmatch(value):
        raise Untranslatable(f"{key} is missing or misstated")
    return value


def _number(source: Mapping[str, Any], key: str, largest: int) -> int:
    value = source.get(key)
    if type(value) is not int or not 0 <= value <= largest:
        raise Untranslatable(f"{key} is missing or misstated")
    return value
