"""What a call to Stripe can end in, and the package's errors in these words."""

import contextlib
from dataclasses import dataclass
from typing import Any

import stripe

from services.checkout.stripe_api.shapes import snapshot
from shared.admission import Busy
from shared.errors import AppError, Unavailable
from shared.events import PaymentSnapshot
from shared.stripe_client import CIRCUIT_OPEN

DENIED_REST_S = 60.0  # a person has to mend the key


class StripeRefused(Unavailable):
    """Stripe understood and said no. Not the client's doing: we sent what Stripe does not take.

    It speaks of this request alone: an earlier one with the same key may have been done (see `find_intent`).
    """

    code = "payment_provider_refused"
    may_pass_later = False

    def __init__(self, stripe_code: str) -> None:
        super().__init__("The payment could not be prepared; the shop has been told")
        self.stripe_code = stripe_code

    @property
    def is_missing(self) -> bool:
        """Whether this account has, in this mode, no such object."""
        return self.stripe_code == "resource_missing"


class NoIntent(StripeRefused):
    """The attempt has ended, and it is known that it made no PaymentIntent: no money can come of it."""


class StripeBusy(Unavailable):
    """Stripe did not try, because too much was asked of it; the same call may be made again."""

    code = "payment_provider_busy"

    reason = "Too many payments are being prepared"

    def __init__(self, retry_after_s: float) -> None:
        detail = f"{self.reason}; try again with the same Idempotency-Key"
        super().__init__(detail, retry_after_s=max(1.0, retry_after_s))


class StripeDown(StripeBusy):
    """Stripe fails, so it is left alone for a while; the same call may be made afterwards."""

    code = "payment_provider_down"
    reason = "The payment provider does not answer at the moment"


class StripeDenied(StripeBusy):
    """Stripe did not look at it, because it doesn't take our key (401) or the key may not do this (403).

    That comes before its idempotency layer, so it says nothing of what an earlier call did.
    """

    code = "payment_provider_denied"
    reason = "The payment provider does not let the shop in at the moment"


class OutcomeUnknown(Unavailable):
    """Nobody can say whether it was done. The same call with the same key finds out."""

    code = "payment_outcome_unknown"

    def __init__(self) -> None:
        super().__init__(
            "The payment provider did not answer; try again with the same Idempotency-Key", retry_after_s=2
        )


class StoredError(OutcomeUnknown):
    """Only the object itself can tell what was done, the key can't: Stripe keeps a 500 under it and repeats that for
    ever, or knows it for another request."""


class ConfirmationRefused(OutcomeUnknown):
    """Stripe doesn't take the ConfirmationToken (any more): it has expired, or it was used, perhaps by ourselves."""


class UnexpectedState(AppError):
    """The PaymentIntent is no longer in a state that allows the call; `intent` is what it is now."""

    def __init__(self, intent: "Intent") -> None:
        super().__init__(f"the PaymentIntent is {intent.payment.status}")
        self.intent = intent


class Declined(AppError):
    """The bank said no. `intent` is the PaymentIntent that is left: another card may pay it."""

    def __init__(self, intent: "Intent") -> None:
        super().__init__("the payment was declined")
        self.intent = intent


@dataclass(frozen=True)
class Intent:
    """A PaymentIntent. The client secret goes to the browser and is kept nowhere."""

    payment: PaymentSnapshot
    client_secret: str


@contextlib.contextmanager
def translated() -> Any:
    """Around calls: what the package raises comes out as one of the above."""
    try:
        yield
    except (Busy, stripe.RateLimitError) as error:
        raise _not_done(error) from error
    except stripe.APIConnectionError as error:
        raise OutcomeUnknown from error
    except (stripe.InvalidRequestError, stripe.CardError) as error:
        raise _refusal(error) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise StripeDenied(retry_after_s=DENIED_REST_S) from error
    except stripe.IdempotencyError as error:
        raise StoredError from error
    except stripe.StripeError as error:
        if (error.http_status or 0) >= 500 and (error.headers or {}).get("Idempotent-Replayed") == "true":
            raise StoredError from error
        # 5xx, and 409 while another call with this key runs: it may have been done.
        raise OutcomeUnknown from error


@contextlib.contextmanager
def searched() -> Any:
    """Around a search for what an attempt did: one that Stripe does not take has found nothing out."""
    try:
        with translated():
            yield
    except StripeRefused as error:
        raise OutcomeUnknown from error


def _not_done(error: Exception) -> StripeBusy:
    if not isinstance(error, Busy):
        return StripeBusy(retry_after_s=2.0)
    return (StripeDown if error.reason == CIRCUIT_OPEN else StripeBusy)(error.retry_after_s)


def _refusal(error: stripe.InvalidRequestError | stripe.CardError) -> AppError:
    found = error.error.payment_intent if error.error else None
    if found is not None and isinstance(error, stripe.CardError):
        return Declined(intent_of(found))
    if found is not None and error.code == "payment_intent_unexpected_state":
        return UnexpectedState(intent_of(found))
    return StripeRefused(error.code or "invalid_request_error")


def intent_of(intent: stripe.PaymentIntent) -> Intent:
    return Intent(snapshot(intent), intent.client_secret or "")
