"""Customers and their saved cards at Stripe. Errors are those of `outcomes`."""

from typing import Any, cast

import stripe

from services.checkout.domain import CustomerAttempt, SavedCard
from services.checkout.stripe_api.outcomes import StripeRefused, translated


class Customers:
    """What checkout needs of them."""

    def __init__(self, client: stripe.StripeClient) -> None:
        self._v1 = client.v1

    async def create(self, attempt: CustomerAttempt) -> str:
        """Makes the customer, or finds the one that an earlier try with this key made; its id."""
        params = cast("stripe.params.CustomerCreateParams", dict(attempt.request))
        with translated():
            return (await self._v1.customers.create_async(params, {"idempotency_key": str(attempt.id)})).id

    async def is_there(self, stripe_customer_id: str) -> bool:
        """Whether nobody has deleted the customer, as can be done in Stripe's Dashboard."""
        try:
            with translated():
                customer = await self._v1.customers.retrieve_async(stripe_customer_id)
        except StripeRefused as error:
            if error.is_missing:
                return False
            raise
        return not getattr(customer, "deleted", False)

    async def list_cards(self, stripe_customer_id: str) -> list[SavedCard]:
        """All cards that are kept for the customer, the newest first; none for one who was deleted."""
        asked: Any = {"type": "card", "limit": 100}
        try:
            with translated():
                page = await self._v1.customers.payment_methods.list_async(stripe_customer_id, asked)
                return [_card(method) async for method in page.auto_paging_iter()]
        except StripeRefused as error:
            if error.is_missing:
                return []
            raise

    async def detach(self, attempt: CustomerAttempt) -> None:
        """Lets go of a card: it can be used with nobody any more. StripeRefused: it was let go of before."""
        assert attempt.payment_method_id is not None
        key: Any = {"idempotency_key": str(attempt.id)}
        with translated():
            await self._v1.payment_methods.detach_async(attempt.payment_method_id, {}, key)


def _card(method: stripe.PaymentMethod) -> SavedCard:
    card = method.card
    assert card is not None  # no other type was asked for
    return SavedCard(method.id, card.brand, card.last4, card.exp_month, card.exp_year)
