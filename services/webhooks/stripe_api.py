"""What webhooks reads from Stripe; it never writes. Objects come as Stripe sent them, not as the package's classes.

A call ends in what was asked for, in StripeAway (ask again later) or in StripeRefused (asking again won't help).
Nothing here repeats a call: each one is paid for from the budget of reads, and the jobs have back-offs of their own.
"""

import contextlib
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import stripe

from shared.admission import Busy, Priority
from shared.errors import AppError, Unavailable
from shared.stripe_client import Access, Account, open_account

Json = Mapping[str, Any]

PAGE = 100  # Stripe's largest
MOST_TYPES = 20  # of `types[]`; more than that, and all types are listed


class StripeAway(Unavailable):
    """Nothing came, or not all of it, or too much was asked: 5xx, 429, a cut or missing answer."""


class StripeRefused(AppError):
    """Stripe understood and said no; `stripe_code` says why."""

    def __init__(self, stripe_code: str) -> None:
        super().__init__(f"Stripe refused: {stripe_code}")
        self.stripe_code = stripe_code


class StripeUnknown(StripeRefused):
    """There is no such object in this account and mode."""


@dataclass(frozen=True, slots=True)
class Page:
    """A page of a list, newest first."""

    items: tuple[Json, ...]
    has_more: bool


class Stripe:
    """The account, as webhooks reads it."""

    def __init__(self, account: Account) -> None:
        self.account = account
        self._v1 = account.client(Priority.BACKGROUND).v1

    def require_circuit(self) -> None:
        """Raises StripeAway while Stripe is left alone: to be asked before a read is paid for."""
        with _translated():
            self.account.require_circuit(Priority.BACKGROUND)

    async def list_undelivered(self, created_from: int, types: Sequence[str], after: str | None) -> Page:
        """Events that some endpoint has not taken, created at or after that time; those older than `after`.

        A page behind an event stays the same while new events arrive: those are listed before it.
        Source: docs.stripe.com/webhooks/process-undelivered-events; the list reaches 30 days back.
        """
        params: dict[str, Any] = {"delivery_success": False, "created": {"gte": created_from}, "limit": PAGE}
        if len(types) <= MOST_TYPES:
            params["types"] = list(types)
        if after is not None:
            params["starting_after"] = after
        with _translated():
            return _page(await self._v1.events.list_async(cast("stripe.params.EventListParams", params)))

    async def retrieve_event(self, event_id: str) -> Json:
        with _translated():
            return _object(await self._v1.events.retrieve_async(event_id))

    async def retrieve_intent(self, payment_intent_id: str) -> Json:
        with _translated():
            return _object(await self._v1.payment_intents.retrieve_async(payment_intent_id))

    async def find_intents(self, order_id: str) -> tuple[Json, ...]:
        """The PaymentIntents of an order. Stripe's search lags behind by up to a minute, in outages by an hour."""
        params: stripe.params.PaymentIntentSearchParams = {"query": f"metadata['order_id']:'{order_id}'", "limit": PAGE}
        with _translated():
            return _page(await self._v1.payment_intents.search_async(params)).items

    async def list_endpoints(self) -> tuple[Json, ...]:
        """The webhook endpoints of the account: an account has 16 at most, so one page has them all."""
        with _translated():
            return _page(await self._v1.webhook_endpoints.list_async({"limit": PAGE})).items


@contextlib.asynccontextmanager
async def open_stripe(access: Access) -> AsyncIterator[Stripe]:
    """A reader for the account whose key is given."""
    async with open_account(access, retries=0) as account:
        yield Stripe(account)


@contextlib.contextmanager
def _translated() -> Iterator[None]:
    try:
        yield
    except Busy as error:
        raise StripeAway(f"Stripe is not asked now: {error.reason}", retry_after_s=error.retry_after_s) from error
    except stripe.InvalidRequestError as error:
        code = error.code or "invalid_request_error"
        raise (StripeUnknown if code == "resource_missing" else StripeRefused)(code) from error
    except (stripe.AuthenticationError, stripe.PermissionError) as error:
        raise StripeRefused(type(error).__name__) from error
    except stripe.StripeError as error:
        raise StripeAway(f"Stripe can't be read: {type(error).__name__}") from error


def _object(answer: stripe.StripeObject) -> Json:
    said = answer.last_response.data if answer.last_response is not None else None
    if not isinstance(said, dict):
        raise StripeAway("Stripe answered with something else")
    return said


def _page(answer: stripe.StripeObject) -> Page:
    said = _object(answer)
    items = said.get("data")
    if not isinstance(items, list) or not all(isinstance(item, dict) for item in items):
        raise StripeAway("Stripe answered with something else than a list")
    return Page(tuple(items), said.get("has_more") is True)
