"""Signed-in shoppers: as customers of Stripe's, and with the cards that they let us keep.

Which cards there are is asked of Stripe each time: a copy here would be wrong after the next change at the bank.
"""

import asyncio
from datetime import UTC, datetime

from services.checkout.actions import attempts
from services.checkout.domain import (
    CREATE_CUSTOMER,
    DETACH_METHOD,
    CustomerAttempt,
    InProgress,
    Order,
    Payer,
    SavedCard,
    Shopper,
)
from services.checkout.schemas import PlaceOrder
from services.checkout.settings import CheckoutSettings
from services.checkout.store import customers as store
from services.checkout.stripe_api import OutcomeUnknown, StoredError, Stripe, StripeBusy, StripeRefused
from shared.audit import audit
from shared.db import Connection, Pool
from shared.errors import Invalid, NotFound
from shared.ids import uuid7

WAIT_STEP_S = 0.1


class UnknownCard(Invalid):
    code = "payment_method_unknown"
    title = "There is no such saved card"


async def payer_of(
    pool: Pool, stripe: Stripe, settings: CheckoutSettings, shopper: Shopper, wanted: PlaceOrder
) -> Payer:
    """Who pays the order, with what he wants kept or has had kept. Raises UnknownCard for a card that isn't his."""
    if wanted.save_payment_method:
        made = await stripe_customer_of(pool, stripe, settings, shopper)
        return Payer(shopper, made, wanted.consent_version)
    if wanted.payment_method is None:
        return Payer(shopper)
    stripe_customer_id = await _known(pool, shopper)
    if stripe_customer_id is None or not await _is_kept(stripe, stripe_customer_id, wanted.payment_method):
        raise UnknownCard("there is no such saved card", field="payment_method")
    return Payer(shopper, stripe_customer_id)


async def record_consent(conn: Connection, order: Order, version: str) -> None:
    """What the shopper agreed to, in the transaction that writes his order."""
    assert order.customer_id is not None
    await store.insert_consent(conn, order.id, order.customer_id, version, order.placed_at)
    await audit(conn, actor="customer", action="card.consent", subject=f"order {order.id}", reason=version)


async def list_cards(pool: Pool, stripe: Stripe, shopper: Shopper) -> list[SavedCard]:
    """The shopper's saved cards, the newest first."""
    stripe_customer_id = await _known(pool, shopper)
    return await stripe.customers.list_cards(stripe_customer_id) if stripe_customer_id else []


async def delete_card(
    pool: Pool, stripe: Stripe, settings: CheckoutSettings, shopper: Shopper, payment_method_id: str
) -> None:
    """Lets go of a card for good. Raises NotFound when there is none of his, or none any more."""
    stripe_customer_id = await _known(pool, shopper)
    async with pool.request(customer_id=shopper.id) as conn:
        attempt = await store.lease_attempt(
            conn, shopper.id, DETACH_METHOD, payment_method_id, settings.attempt_lease_s
        )
    if attempt is None:  # else it was begun before, and only its key can tell how it ended
        if not await _is_kept(stripe, stripe_customer_id, payment_method_id):
            raise NotFound("there is no such saved card")
        wanted = attempts.to_detach(shopper, payment_method_id, uuid7(), datetime.now(UTC))
        attempt = await _leased(pool, settings, shopper, wanted)
    if attempt is None:
        raise InProgress("It is being deleted this very moment", retry_after_s=1)
    try:
        await stripe.customers.detach(attempt)
    except (StripeRefused, StripeBusy, OutcomeUnknown) as error:
        await _record_failed(pool, attempt, error)
        if isinstance(error, StripeRefused) and not await _is_kept(stripe, stripe_customer_id, payment_method_id):
            raise NotFound("there is no such saved card") from error
        raise
    async with pool.request(customer_id=shopper.id) as conn:
        await store.update_attempt(conn, attempt.id, "succeeded")
        await audit(conn, actor="customer", action="card.delete", subject=f"customer {shopper.id}")


async def stripe_customer_of(pool: Pool, stripe: Stripe, settings: CheckoutSettings, shopper: Shopper) -> str:
    """The shopper's one customer at Stripe; whoever comes first makes it, and the others wait.

    One that was deleted at Stripe gets a successor. Raises InProgress, or what `stripe_api` raises.
    """
    known = await _known(pool, shopper)
    if known is not None and not await stripe.customers.is_there(known):
        async with pool.request(customer_id=shopper.id) as conn:
            await store.forget_stripe_customer(conn, shopper.id, known)
    deadline = asyncio.get_running_loop().time() + settings.attempt_wait_s
    while True:
        async with pool.request(customer_id=shopper.id) as conn:
            await store.insert_customer(conn, shopper)
            known = await store.select_stripe_customer_for_update(conn, shopper.id)
            if known is not None:
                return known
            await store.insert_attempt(conn, attempts.to_create_customer(shopper, uuid7(), datetime.now(UTC)))
            attempt = await store.lease_attempt(conn, shopper.id, CREATE_CUSTOMER, None, settings.attempt_lease_s)
        if attempt is not None:
            return await _create(pool, stripe, attempt)
        if asyncio.get_running_loop().time() >= deadline:
            raise InProgress("Send the same request again in a moment", retry_after_s=1)
        await asyncio.sleep(WAIT_STEP_S)


async def _create(pool: Pool, stripe: Stripe, attempt: CustomerAttempt) -> str:
    try:
        stripe_customer_id = await stripe.customers.create(attempt)
    except (StripeRefused, StripeBusy, OutcomeUnknown) as error:
        await _record_failed(pool, attempt, error)
        raise
    async with pool.request(customer_id=attempt.customer_id) as conn:
        await store.update_stripe_customer(conn, attempt.customer_id, stripe_customer_id)
        await store.update_attempt(conn, attempt.id, "succeeded")
    return stripe_customer_id


async def _leased(
    pool: Pool, settings: CheckoutSettings, shopper: Shopper, wanted: CustomerAttempt
) -> CustomerAttempt | None:
    async with pool.request(customer_id=shopper.id) as conn:
        await store.insert_attempt(conn, wanted)
        return await store.lease_attempt(
            conn, shopper.id, wanted.operation, wanted.payment_method_id, settings.attempt_lease_s
        )


async def _record_failed(
    pool: Pool, attempt: CustomerAttempt, error: StripeRefused | StripeBusy | OutcomeUnknown
) -> None:
    """A key that can only repeat an error is spent; asking anew costs nothing, nor does a customer nobody knows of."""
    is_over = isinstance(error, StripeRefused | StoredError)
    async with pool.request(customer_id=attempt.customer_id) as conn:
        await store.update_attempt(conn, attempt.id, "refused" if is_over else "unknown", error.code)


async def _known(pool: Pool, shopper: Shopper) -> str | None:
    async with pool.request(customer_id=shopper.id) as conn:
        return await store.select_stripe_customer(conn, shopper.id)


async def _is_kept(stripe: Stripe, stripe_customer_id: str | None, payment_method_id: str) -> bool:
    """Whether it is one of the shopper's saved cards."""
    cards = await stripe.customers.list_cards(stripe_customer_id) if stripe_customer_id else []
    return any(card.id == payment_method_id for card in cards)
