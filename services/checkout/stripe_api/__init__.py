"""All that talks to Stripe. Every POST carries the id of a stored attempt as its Idempotency-Key.

What a call can end in: an Intent; StripeRefused (Stripe said no to it); StripeBusy and its kinds (it was not tried);
OutcomeUnknown (it may have been done: only the same key can tell). Searches for what an attempt did never raise
StripeRefused: that would say nothing of the attempt.
"""

import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, cast

import stripe

from services.checkout import stripe_lists
from services.checkout.domain import Attempt, BalanceTransaction, Dispute, FraudWarning, Refund
from services.checkout.settings import CheckoutSettings
from services.checkout.stripe_api.customers import Customers
from services.checkout.stripe_api.outcomes import (
    ConfirmationRefused,
    Declined,
    Intent,
    NoIntent,
    OutcomeUnknown,
    StoredError,
    StripeBusy,
    StripeDenied,
    StripeDown,
    StripeRefused,
    UnexpectedState,
    intent_of,
    searched,
    translated,
)
from services.checkout.stripe_api.shapes import (
    balance_transaction,
    dispute,
    fraud_warning,
    refund_snapshot,
    review_state,
    snapshot,
)
from services.checkout.stripe_lists import Listed, Page, Span
from shared.admission import Priority
from shared.events import PaymentSnapshot, RefundSnapshot
from shared.stripe_client import Account, endpoint_of, open_account

__all__ = [
    "ConfirmationRefused",
    "Declined",
    "Intent",
    "NoIntent",
    "OutcomeUnknown",
    "StoredError",
    "Stripe",
    "StripeBusy",
    "StripeDenied",
    "StripeDown",
    "StripeRefused",
    "UnexpectedState",
    "View",
    "open_stripe",
]

# How far Stripe's clock and ours may be apart when we look for what an attempt made.
CLOCKS_DIFFER = timedelta(minutes=5)

CREATE = endpoint_of("POST", "/v1/payment_intents")


class Stripe:
    """PaymentIntents and what becomes of their money, as checkout needs them."""

    def __init__(self, account: Account, priority: Priority = Priority.SHOPPER) -> None:
        self._account = account
        self._priority = priority
        self._client = account.client(priority)
        self._v1 = self._client.v1
        self._intents = self._v1.payment_intents
        self.customers = Customers(self._client)

    def in_background(self) -> "Stripe":
        """The same account for jobs: they share what may be asked of it, and let shoppers go first."""
        return Stripe(self._account, Priority.BACKGROUND)

    def require_room(self) -> None:
        """Raises StripeBusy if a PaymentIntent could not be made soon: to be asked before anything is written."""
        with translated():
            self._account.require_room(CREATE, self._priority)

    @property
    def account(self) -> Account:
        """Its gate and its circuit breaker."""
        return self._account

    async def probe(self) -> None:
        """Asks for next to nothing, to learn whether Stripe answers."""
        with translated():
            await self._intents.list_async({"limit": 1})

    async def create_intent(self, attempt: Attempt) -> Intent:
        """Creates the attempt's PaymentIntent, or finds the one that an earlier try with this key created.

        A card that is declined leaves a PaymentIntent too. Raises ConfirmationRefused when there is none because of
        how it was to be confirmed.
        """
        params = cast("stripe.params.PaymentIntentCreateParams", dict(attempt.request))
        try:
            with translated():
                return intent_of(await self._intents.create_async(params, {"idempotency_key": str(attempt.id)}))
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
        with translated():
            return intent_of(await self._intents.cancel_async(attempt.payment_intent_id, params, key))

    async def find_intent(self, attempt: Attempt) -> Intent | None:
        """The PaymentIntent that an attempt made, if it made one. Lists are up to date at once; searches are not."""
        since = int((attempt.created_at - CLOCKS_DIFFER).timestamp())
        with searched():
            page = await self._intents.list_async({"created": {"gte": since}, "limit": 100})
            async for intent in page.auto_paging_iter():
                found = intent_of(intent)
                if found.payment.attempt_id == attempt.id:
                    return found
        return None

    async def find_confirmed(self, attempt: Attempt) -> Intent | None:
        """The PaymentIntent of the attempt's order that its ConfirmationToken has confirmed, if there is one.

        With a saved card it is the attempt's own.
        """
        if "confirmation_token" not in attempt.request:
            return await self.find_intent(attempt)
        with searched():
            token = await self._confirmation_token(attempt.request["confirmation_token"])
            intent = await self.retrieve_intent(token.payment_intent) if token and token.payment_intent else None
        return intent if intent and intent.payment.order_id == attempt.order_id else None

    async def _confirmation_token(self, token_id: str) -> stripe.ConfirmationToken | None:
        try:
            with translated():
                return await self._v1.confirmation_tokens.retrieve_async(token_id)
        except StripeRefused as error:
            if error.is_missing:
                return None
            raise

    async def retrieve_intent(self, payment_intent_id: str) -> Intent:
        with translated():
            return intent_of(await self._intents.retrieve_async(payment_intent_id))

    async def create_refund(self, attempt: Attempt) -> RefundSnapshot:
        """Gives money back, or finds the refund that an earlier try with this key made."""
        params = cast("stripe.params.RefundCreateParams", dict(attempt.request))
        with translated():
            return refund_snapshot(await self._v1.refunds.create_async(params, {"idempotency_key": str(attempt.id)}))

    async def find_refund(self, refund: Refund) -> RefundSnapshot | None:
        """Ours among all refunds of its payment, if any attempt has made it. A list is up to date at once."""
        with searched():
            made = await self.list_refunds(refund.payment_intent_id)
        return next((told for told in made if told.our_refund_id == refund.id), None)

    async def list_refunds(self, payment_intent_id: str) -> list[RefundSnapshot]:
        """All refunds of a payment, whoever made them; the oldest first."""
        with translated():
            page = await self._v1.refunds.list_async({"payment_intent": payment_intent_id})
            return [refund_snapshot(refund) async for refund in page.auto_paging_iter()][::-1]

    async def list_balance(self, since: datetime) -> list[BalanceTransaction]:
        """What Stripe settled since then; in it the charge, refund, dispute or payout that each is about."""
        asked: Any = {"created": {"gte": int(since.timestamp())}, "limit": 100, "expand": ["data.source"]}
        with translated():
            page = await self._v1.balance_transactions.list_async(asked)
            return [balance_transaction(told) async for told in page.auto_paging_iter()][::-1]

    async def list_page(self, of: Listed, span: Span, after: str | None) -> Page:
        """A page of what was made in the span, newest first, older than `after`."""
        with translated():
            return await stripe_lists.page(self._client, of, span, after)

    async def look_at(self, payment_intent_id: str) -> "View":
        """All that Stripe shows of a payment now, refunds last.

        Something may happen at Stripe between the requests; its event makes us look again. Until then a warning or a
        dispute that is over already still holds its order, rather than that one is over whose refund isn't seen yet.
        """
        with translated():
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
