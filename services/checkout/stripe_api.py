"""The only file that talks to Stripe. Every POST carries the id of a stored attempt as its Idempotency-Key.

What a call can end in: an Intent; StripeRefused (Stripe said no, nothing was done); StripeBusy (it was not tried);
OutcomeUnknown (it may have been done: only the same key can tell).
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, cast
from uuid import UUID

import stripe

from services.checkout.domain import Attempt
from services.checkout.settings import CheckoutSettings
from shared import stripe_client
from shared.errors import AppError, Unavailable
from shared.events import PaymentSnapshot
from shared.stripe_client import Access

# How far Stripe's clock and ours may be apart when we look for what an attempt made.
CLOCKS_DIFFER = timedelta(minutes=5)


class StripeRefused(Unavailable):
    """Stripe understood and said no. Not the client's doing: we sent what Stripe does not take."""

    code = "payment_provider_refused"
    may_pass_later = False

    def __init__(self, stripe_code: str) -> None:
        super().__init__("The payment could not be prepared; the shop has been told")
        self.stripe_code = stripe_code


class StripeBusy(Unavailable):
    """Stripe did not try, because too much was asked of it; the same call may be made again."""

    code = "payment_provider_busy"

    def __init__(self) -> None:
        super().__init__(
            "Too many payments are being prepared; try again with the same Idempotency-Key", retry_after_s=2
        )


class OutcomeUnknown(Unavailable):
    """Nobody can say whether it was done. The same call with the same key finds out."""

    code = "payment_outcome_unknown"

    def __init__(self) -> None:
        super().__init__(
            "The payment provider did not answer; try again with the same Idempotency-Key", retry_after_s=2
        )


class StoredError(OutcomeUnknown):
    """Stripe keeps a 500 under our key and repeats it for ever: only the object itself can tell what was done."""


class UnexpectedState(AppError):
    """The PaymentIntent is no longer in a state that allows the call; `intent` is what it is now."""

    def __init__(self, intent: "Intent") -> None:
        super().__init__(f"the PaymentIntent is {intent.payment.status}")
        self.intent = intent


@dataclass(frozen=True)
class Intent:
    """A PaymentIntent. The client secret goes to the browser and is kept nowhere."""

    payment: PaymentSnapshot
    client_secret: str


class Stripe:
    """PaymentIntents, as checkout needs them."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._intents = client.v1.payment_intents

    async def create_intent(self, attempt: Attempt) -> Intent:
        """Creates the attempt's PaymentIntent, or finds the one that an earlier try with this key created."""
        params = cast("stripe.params.PaymentIntentCreateParams", dict(attempt.request))
        with _translated():
            return _intent(await self._intents.create_async(params, {"idempotency_key": str(attempt.id)}))

    async def cancel_intent(self, attempt: Attempt) -> Intent:
        """Cancels it for good; raises UnexpectedState when that is no longer possible."""
        assert attempt.payment_intent_id is not None
        params = cast("stripe.params.PaymentIntentCancelParams", dict(attempt.request))
        with _translated():
            return _intent(
                await self._intents.cancel_async(
                    attempt.payment_intent_id, params, {"idempotency_key": str(attempt.id)}
                )
            )

    async def find_intent(self, attempt: Attempt) -> Intent | None:
        """The PaymentIntent that an attempt made, if it made one. Lists are up to date at once; searches are not."""
        since = int((attempt.created_at - CLOCKS_DIFFER).timestamp())
        with _translated():
            page = await self._intents.list_async({"created": {"gte": since}, "limit": 100})
            async for intent in page.auto_paging_iter():
                found = _intent(intent)
                if found.payment.attempt_id == attempt.id:
                    return found
        return None

    async def retrieve_intent(self, payment_intent_id: str) -> Intent:
        with _translated():
            return _intent(await self._intents.retrieve_async(payment_intent_id))


@contextlib.asynccontextmanager
async def open_stripe(settings: CheckoutSettings) -> AsyncIterator[Stripe]:
    """A client for the account whose key is in the settings."""
    key = settings.stripe_secret_key.get_secret_value()
    async with stripe_client.open_client(Access(key, settings.stripe_url, settings.stripe_timeout_s)) as client:
        yield Stripe(client)


@contextlib.contextmanager
def _translated() -> Any:
    try:
        yield
    except stripe.RateLimitError as error:
        raise StripeBusy from error
    except stripe.APIConnectionError as error:
        raise OutcomeUnknown from error
    except stripe.InvalidRequestError as error:
        found = error.error.payment_intent if error.error else None
        if error.code == "payment_intent_unexpected_state" and found is not None:
            raise UnexpectedState(_intent(found)) from error
        raise StripeRefused(error.code or "invalid_request_error") from error
    except (stripe.AuthenticationError, stripe.PermissionError, stripe.IdempotencyError) as error:
        raise StripeRefused(type(error).__name__) from error
    except stripe.StripeError as error:
        if (error.http_status or 0) >= 500 and (error.headers or {}).get("Idempotent-Replayed") == "true":
            raise StoredError from error
        # 5xx, and 409 while another call with this key runs: it may have been done.
        raise OutcomeUnknown from error


def _intent(intent: stripe.PaymentIntent) -> Intent:
    return Intent(snapshot(intent), intent.client_secret or "")


def snapshot(intent: stripe.PaymentIntent) -> PaymentSnapshot:
    """What decisions need of a PaymentIntent; its `latest_charge` need not be expanded."""
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
        failure_code=failure.code if failure else None,
        decline_code=failure.decline_code if failure else None,
        advice_code=failure.advice_code if failure else None,
        network_decline_code=failure.network_decline_code if failure else None,
    )


def _uuid(text: str | None) -> UUID | None:
    try:
        return UUID(text) if text else None
    except ValueError:
        return None
