"""All that talks to Stripe. Every POST carries the id of a stored attempt as its Idempotency-Key.

What a call can end in: an Intent; StripeRefused (Stripe said no, nothing was done); StripeBusy (it was not tried);
OutcomeUnknown (it may have been done: only the same key can tell).
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import stripe

from services.checkout import stripe_lists
from services.checkout.domain import Attempt, BalanceTransaction, Dispute, FraudWarning
from services.checkout.settings import CheckoutSettings
from services.checkout.stripe_api.shapes import (
    balance_transaction,
    dispute,
    fraud_warning,
    refund_snapshot,
    review_state,
    snapshot,
)
from services.checkout.stripe_lists import Listed, Page, Span
from shared.admission import Busy, Priority
from shared.errors import AppError, Unavailable
from shared.events import PaymentSnapshot, RefundSnapshot
from shared.stripe_client import CIRCUIT_OPEN, Account, endpoint_of, open_account

# How far Stripe's clock and ours may be apart when we look for what an attempt made.
CLOCKS_DIFFER = timedelta(minutes=5)

CREATE = endpoint_of("POST", "/v1/payment_intents")


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

    reason = "Too many payments are being prepared"

    def __init__(self, retry_after_s: float) -> None:
        detail = f"{self.reason}; try again with the same Idempotency-Key"
        super().__init__(detail, retry_after_s=max(1.0, retry_after_s))


class StripeDown(StripeBusy):
    """Stripe fails, so it is left alone for a while; the same call may be made afterwards."""

    code = "payment_provider_down"
    reason = "The payment provider does not answer at the moment"


class OutcomeUnknown(Unavailable):
    """Nobody can say whether it was done. The same call with the same key finds out."""

    code = "payment_outcome_unknown"

    def __init__(self) -> None:
        super().__init__(
            "The payment provider did not answer; try again with the same Idempotency-Key", retry_after_s=2
        )


class StoredError(OutcomeUnknown):
    """Stripe keeps a 500 under our key and repeats it for ever: only the object itself can tell what was done."""


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


class Stripe:
    """PaymentIntents and what becomes of their money, as checkout needs them."""

    def __init__(self, account: Account, priority: Priority = Priority.SHOPPER) -> None:
        self._account = account
        self._priority = priority
        self._client = account.client(priority)
        self._v1 = self._client.v1
        self._intents = self._v1.payment_intents

    def in_background(self) -> "Stripe":
        """The same account for jobs: they share what may be asked of it, and let shoppers go first."""
        return Stripe(self._account, Priority.BACKGROUND)

    def require_room(self) -> None:
        """Raises StripeBusy if a PaymentIntent could not be made soon: to be asked before anything is written."""
        with _translated():
            self._account.require_room(CREATE, self._priority)

    @property
    def account(self) -> Account:
        """Its gate and its circuit breaker."""
        return self._account

    async def probe(self) -> None:
        """Asks for next to nothing, to learn whether Stripe answers."""
        with _translated():
            await self._intents.list_async({"limit": 1})

    async def create_intent(self, attempt: Attempt) -> Intent:
        """Creates the attempt's PaymentIntent, or finds the one that an earlier try with this key created.

        A card that is declined leaves a PaymentIntent too. Raises ConfirmationRefused when there is none because of
        how it was to be confirmed.
        """
        params = cast("stripe.params.PaymentIntentCreateParams", dict(attempt.request))
        try:
            with _translated():
                return _intent(await self._intents.create_async(params, {"idempotency_key": str(attempt.id)}))
        except Declined as error:
            return error.intent
        except StripeRefused as error:
            if attempt.confirms:
                raise ConfirmationRefused from error
            raise

    async def cancel_intent(self, attempt: Attempt) -> Intent:
        """Cancels it for good; raises UnexpectedState when that is no longer possible."""
        assert attempt.payment_intent_id is not None
        params = cast("stripe.params.PaymentIntentCancelParams", dict(attempt.request))
        key: Any = {"idempotency_key": str(attempt.id)}
        with _translated():
            return _intent(await self._intents.cancel_async(attempt.payment_intent_id, params, key))

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

    async def find_confirmed(self, attempt: Attempt) -> Intent | None:
        """The PaymentIntent of the attempt's order that its ConfirmationToken has confirmed, if there is one."""
        try:
            with _translated():
                token = await self._v1.confirmation_tokens.retrieve_async(attempt.request["confirmation_token"])
        except StripeRefused:
            return None  # there is no such token
        intent = await self.retrieve_intent(token.payment_intent) if token.payment_intent else None
        return intent if intent and intent.payment.order_id == attempt.order_id else None

    async def retrieve_intent(self, payment_intent_id: str) -> Intent:
        with _translated():
            return _intent(await self._intents.retrieve_async(payment_intent_id))

    async def create_refund(self, attempt: Attempt) -> RefundSnapshot:
        """Gives money back, or finds the refund that an earlier try with this key made."""
        params = cast("stripe.params.RefundCreateParams", dict(attempt.request))
        with _translated():
            return refund_snapshot(await self._v1.refunds.create_async(params, {"idempotency_key": str(attempt.id)}))

    async def list_refunds(self, payment_intent_id: str) -> list[RefundSnapshot]:
        """All refunds of a payment, whoever made them; the oldest first."""
        with _translated():
            page = await self._v1.refunds.list_async({"payment_intent": payment_intent_id})
            return [refund_snapshot(refund) async for refund in page.auto_paging_iter()][::-1]

    async def list_balance(self, since: datetime) -> list[BalanceTransaction]:
        """What Stripe settled since then; in it the charge, refund, dispute or payout that each is about."""
        asked: Any = {"created": {"gte": int(since.timestamp())}, "limit": 100, "expand": ["data.source"]}
        with _translated():
            page = await self._v1.balance_transactions.list_async(asked)
            return [balance_transaction(told) async for told in page.auto_paging_iter()][::-1]

    async def list_page(self, of: Listed, span: Span, after: str | None) -> Page:
        """A page of what was made in the span, newest first, older than `after`."""
        with _translated():
            return await stripe_lists.page(self._client, of, span, after)

    async def look_at(self, payment_intent_id: str) -> "View":
        """All that Stripe shows of a payment now."""
        with _translated():
            intent = await self._intents.retrieve_async(payment_intent_id, {"expand": ["review"]})
            page = await self._v1.disputes.list_async({"payment_intent": payment_intent_id, "limit": 100})
            disputes = [dispute(told) async for told in page.auto_paging_iter()]
            asked: Any = {"payment_intent": payment_intent_id, "limit": 100}
            warned = await self._v1.radar.early_fraud_warnings.list_async(asked)
            warnings = [fraud_warning(told, payment_intent_id) async for told in warned.auto_paging_iter()]
        refunds = await self.list_refunds(payment_intent_id)
        return View(snapshot(intent), refunds, disputes, review_state(intent), warnings)


@dataclass(frozen=True)
class View:
    """A payment with everything that happened to it, as Stripe shows it. `review` is none, open or closed."""

    payment: PaymentSnapshot
    refunds: list[RefundSnapshot]
    disputes: list[Dispute]
    review: str
    warnings: list[FraudWarning]


@contextlib.asynccontextmanager
async def open_stripe(settings: CheckoutSettings) -> AsyncIterator[Stripe]:
    """A client for the account whose key is in the settings."""
    key = settings.stripe_secret_key.get_secret_value()
    async with open_account(settings.access_with(key, settings.stripe_mode)) as account:
        yield Stripe(account)


@contextlib.contextmanager
def _translated() -> Any:
    try:
        yield
    except (Busy, stripe.RateLimitError) as error:
        raise _not_done(error) from error
    except stripe.APIConnectionError as error:
        raise OutcomeUnknown from error
    except (stripe.InvalidRequestError, stripe.CardError) as error:
        raise _refusal(error) from error
    except (stripe.AuthenticationError, stripe.PermissionError, stripe.IdempotencyError) as error:
        raise StripeRefused(type(error).__name__) from error
    except stripe.StripeError as error:
        if (error.http_status or 0) >= 500 and (error.headers or {}).get("Idempotent-Replayed") == "true":
            raise StoredError from error
        # 5xx, and 409 while another call with this key runs: it may have been done.
        raise OutcomeUnknown from error


def _not_done(error: Exception) -> StripeBusy:
    if not isinstance(error, Busy):
        return StripeBusy(retry_after_s=2.0)
    return (StripeDown if error.reason == CIRCUIT_OPEN else StripeBusy)(error.retry_after_s)


def _refusal(error: stripe.InvalidRequestError | stripe.CardError) -> AppError:
    found = error.error.payment_intent if error.error else None
    if found is not None and isinstance(error, stripe.CardError):
        return Declined(_intent(found))
    if found is not None and error.code == "payment_intent_unexpected_state":
        return UnexpectedState(_intent(found))
    return StripeRefused(error.code or "invalid_request_error")


def _intent(intent: stripe.PaymentIntent) -> Intent:
    return Intent(snapshot(intent), intent.client_secret or "")
