"""Events as Stripe sends them, and signatures made by Stripe's own package: not by the code that checks them."""

import time
from typing import Any
from uuid import uuid4

import orjson
from stripe import WebhookSignature

SECRET = "whsec_test_standin"
OTHER_SECRET = "whsec_test_standin_two"


def an_event_id() -> str:
    return f"evt_{uuid4().hex}"


def a_payment_intent(**changes: Any) -> dict[str, Any]:
    """A paid one of $129.00."""
    return {
        "id": f"pi_{uuid4().hex}",
        "object": "payment_intent",
        "amount": 12900,
        "amount_received": 12900,
        "currency": "usd",
        "status": "succeeded",
        "latest_charge": f"ch_{uuid4().hex}",
        "last_payment_error": None,
        "livemode": False,
        "metadata": {"order_id": str(uuid4()), "attempt_id": str(uuid4())},
        **changes,
    }


def a_refused_intent(**changes: Any) -> dict[str, Any]:
    """One whose last try was declined for want of money."""
    failure = {
        "type": "card_error",
        "code": "card_declined",
        "decline_code": "insufficient_funds",
        "advice_code": "try_again_later",
        "network_decline_code": "51",
        "charge": f"ch_{uuid4().hex}",
    }
    refused = {"status": "requires_payment_method", "amount_received": 0, "latest_charge": failure["charge"]}
    return a_payment_intent(**{**refused, "last_payment_error": failure, **changes})


def an_event(type_: str = "payment_intent.succeeded", subject: Any = None, **changes: Any) -> dict[str, Any]:
    return {
        "id": an_event_id(),
        "object": "event",
        "api_version": "2026-09-30.endive",
        "created": int(time.time()),
        "data": {"object": a_payment_intent() if subject is None else subject},
        "livemode": False,
        "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None},
        "type": type_,
        **changes,
    }


def body_of(event: Any) -> bytes:
    """Indented, as Stripe does it: whoever signs a re-encoded body instead of the raw one is found out."""
    return orjson.dumps(event, option=orjson.OPT_INDENT_2)


def signature(body: bytes, *secrets: str, at: float | None = None) -> str:
    """The header, with a signature for each secret, as it is while a secret is being rolled."""
    signed_at = int(time.time() if at is None else at)
    made = [
        WebhookSignature.generate_signature_header(body.decode(), secret, signed_at) for secret in secrets or (SECRET,)
    ]
    return ",".join([made[0], *(header.split(",", 1)[1] for header in made[1:])])
