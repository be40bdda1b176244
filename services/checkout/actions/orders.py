"""Placing an order and looking at it."""

import asyncio
import secrets
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from uuid import UUID

import asyncpg

from services.checkout import domain
from services.checkout.actions import attempts, customers, payments, pricing, stock
from services.checkout.actions import card_testing as guarding
from services.checkout.actions.attempts import Confirmation
from services.checkout.actions.facts import facts
from services.checkout.domain import (
    CREATE_INTENT,
    Attempt,
    Basket,
    InProgress,
    Order,
    Payer,
    Shopper,
    WholeOrder,
    card_testing,
)
from services.checkout.domain.card_testing import Origin
from services.checkout.schemas import PlaceOrder
from services.checkout.settings import CheckoutSettings
from services.checkout.store import card_testing as guard_store
from services.checkout.store import customers as customer_store
from services.checkout.store import keys as key_store
from services.checkout.store import orders as store
from services.checkout.store import parcels as parcel_store
from services.checkout.store import payments as payment_store
from services.checkout.stripe_api import ConfirmationRefused, Intent, NoIntent, Stripe
from shared import outbox
from shared.audit import audit
from shared.db import Connection, Pool, set_context
from shared.errors import Invalid
from shared.events import OrderPlaced
from shared.ids import uuid7

# With 40 random bits a number is taken once in a million orders at most, and then another one is drawn.
NUMBER_TRIES = 3
WAIT_STEP_S = 0.1

CONFIRMED_BY = ("confirmation_token", "payment_method")

# What need not wait for Stripe's event, which says the same later. A refusal does: only the event has its reason whole.
AT_ONCE = ("succeeded", "processing")


@dataclass(frozen=True)
class Placed:
    """An order, the PaymentIntent that pays it, and whether this request made it or found it."""

    whole: WholeOrder
    intent: Intent
    is_replay: bool


@dataclass(frozen=True)
class Till:
    """What placing an order needs besides the request."""

    pool: Pool
    stripe: Stripe
    settings: CheckoutSettings


@dataclass(frozen=True)
class _Wish:
    """What is ordered, who pays if he is signed in, and where it comes from."""

    wanted: PlaceOrder
    payer: Payer | None
    origin: Origin | None


async def place_order(
    till: Till, wanted: PlaceOrder, key: str, shopper: Shopper | None = None, address: str | None = None
) -> Placed:
    """Places the order that the key stands for, once; safe to repeat at any point with the same key and body.

    The order, its reservation and the attempt are committed before Stripe is called. A repeat finds what the first
    left and goes on. `address` is the client's, where that says who it is. Raises TooManyAttempts, Invalid,
    PriceChanged, OutOfStock, KeyReused, InProgress, or what `stripe_api` raises: while Stripe can't be asked nothing
    is written at all.
    """
    _check_confirmation(till.settings, wanted)
    till.stripe.require_room()
    key_sha256 = domain.sha256(key)
    fingerprint = domain.sha256(wanted.as_text() + (str(shopper.id) if shopper else ""))
    guard = till.settings.guard
    origin = card_testing.origin(guard, wanted.email, shopper.id if shopper else None, address) if guard else None
    payer = await _payer(till, wanted, key_sha256, shopper, origin)
    order_id, is_replay = await _claim_or_find(till, _Wish(wanted, payer, origin), (key_sha256, fingerprint))
    intent = await _intent_of(till, order_id, is_replay=is_replay)
    whole = await look_at(till.pool, order_id)
    if intent.payment.status in AT_ONCE and whole.order.payment in domain.RESERVING:
        async with till.pool.worker() as conn:
            await payments.apply_hint(conn, intent.payment, f"{intent.payment.payment_intent_id} at confirmation")
        whole = await look_at(till.pool, order_id)
    return Placed(whole, intent, is_replay)


async def look_at(pool: Pool, order_id: UUID) -> WholeOrder:
    """The order, as its own customer may see it. Raises NotFound."""
    async with pool.request(order_id=order_id) as conn:
        return await select_whole(conn, order_id)


async def select_whole(conn: Connection, order_id: UUID) -> WholeOrder:
    """The order with its lines and parcels. Raises NotFound."""
    order = await store.select_order(conn, order_id)
    lines = await store.select_lines(conn, order)
    return WholeOrder(order, lines, await parcel_store.select_parcels(conn, order_id))


async def _payer(
    till: Till, wanted: PlaceOrder, key_sha256: bytes, shopper: Shopper | None, origin: Origin | None
) -> Payer | None:
    """A repeat asks nothing anew: its order was written with what was true then, and the card may be gone since.

    Stripe is asked about cards only for who may order; whether he still may is looked at again when it is written.
    """
    if shopper is None:
        return None
    async with till.pool.request(idempotency_key=key_sha256.hex()) as conn:
        is_known = await key_store.find_claim(conn, key_sha256) is not None
        if not is_known and (wanted.save_payment_method or wanted.payment_method):
            await _check_origin(conn, till.settings, origin)
    if is_known:
        return Payer(shopper)
    return await customers.payer_of(till.pool, till.stripe, till.settings, shopper, wanted)


async def _claim_or_find(till: Till, wish: _Wish, key: tuple[bytes, bytes]) -> tuple[UUID, bool]:
    key_sha256, fingerprint = key
    for tries_left in reversed(range(NUMBER_TRIES)):
        order_id = uuid7()
        try:
            async with till.pool.request(order_id=order_id, idempotency_key=key_sha256.hex()) as conn:
                if await key_store.claim_key(conn, key_sha256, fingerprint, order_id):
                    await _admit(conn, till.settings, wish, order_id)
                    return order_id, False
                claim = await key_store.select_claim(conn, key_sha256)
        except asyncpg.UniqueViolationError as error:
            if error.constraint_name != store.NUMBER_CONSTRAINT or not tries_left:
                raise
            continue
        if claim.fingerprint != fingerprint:
            raise domain.KeyReused("Another order was placed with this Idempotency-Key; send a new key for a new order")
        return claim.order_id, True
    raise AssertionError("unreachable: the last try returns or raises")


async def _admit(conn: Connection, settings: CheckoutSettings, wish: _Wish, order_id: UUID) -> None:
    """Writes the order, unless too many of the same origin went wrong."""
    await _check_origin(conn, settings, wish.origin)
    await _write_order(conn, settings, wish.wanted, order_id, wish.payer)
    if wish.origin:
        await guard_store.insert_origin(conn, order_id, wish.origin)


async def _check_origin(conn: Connection, settings: CheckoutSettings, origin: Origin | None) -> None:
    if settings.guard and origin:
        await guarding.admit(conn, settings.guard, origin)


async def _write_order(
    conn: Connection, settings: CheckoutSettings, wanted: PlaceOrder, order_id: UUID, payer: Payer | None
) -> None:
    """Prices, reserves and records, in the transaction that claimed the key."""
    quote = await pricing.price(conn, _basket(wanted))
    domain.check_expected(quote.parts, wanted.expected_total_minor)
    lines, parts = quote.lines, quote.parts
    now = datetime.now(UTC)
    order = Order(
        id=order_id,
        number=domain.order_number(secrets.randbits(40)),
        email=wanted.email,
        locale=wanted.locale,
        total=parts.total,
        shipping_address=wanted.shipping_address.model_dump(),
        payment=domain.PaymentState.AWAITING,
        hold=domain.Hold.NONE,
        reserved_until=now + timedelta(seconds=settings.reservation_s),
        placed_at=now,
        parts=parts,
        customer_id=payer.shopper.id if payer else None,
    )
    if payer is not None:
        await set_context(conn, "customer_id", payer.shopper.id)
        await customer_store.insert_customer(conn, payer.shopper)
    await stock.reserve(conn, order.id, lines)
    await store.insert_order(conn, order)
    await store.insert_lines(conn, order.id, lines)
    if payer is not None and payer.consent is not None:
        await customers.record_consent(conn, order, payer.consent)
    attempt = attempts.to_create(order, uuid7(), now, _confirmation(wanted), payer)
    await payment_store.insert_attempt(conn, attempt, settings.attempt_lease_s)
    await store.insert_timeline(conn, order.id, "placed", actor="customer")
    await audit(conn, actor="customer", action="order.place", subject=f"order {order.id}")
    await outbox.stage(conn, OrderPlaced(order=facts(order, lines)))


def _check_confirmation(settings: CheckoutSettings, wanted: PlaceOrder) -> None:
    """Where a bank sends the customer back to must be a page of the shop, or anybody could have him sent anywhere."""
    given = [name for name in CONFIRMED_BY if getattr(wanted, name) is not None]
    if len(given) > 1:
        raise Invalid("give a confirmation_token or a saved payment_method", field="payment_method")
    if len(given) != (wanted.return_url is not None):
        missing = "return_url" if wanted.return_url is None else "confirmation_token"
        raise Invalid("a confirmation_token or payment_method comes with a return_url", field=missing)
    if wanted.save_payment_method and (wanted.payment_method or not wanted.consent_version):
        raise Invalid(
            "give the version of the text that the shopper agreed to, and a new card", field="consent_version"
        )
    if wanted.return_url is not None and wanted.return_origin() not in settings.cors_origins:
        raise Invalid("this is no page of the shop: its origin is not among the allowed ones", field="return_url")


def _confirmation(wanted: PlaceOrder) -> Confirmation | None:
    if wanted.return_url is None:
        return None
    given = {name: getattr(wanted, name) for name in CONFIRMED_BY}
    return Confirmation({name: value for name, value in given.items() if value is not None}, wanted.return_url)


def _basket(wanted: PlaceOrder) -> Basket:
    address = wanted.shipping_address
    return Basket(wanted.wanted(), wanted.currency, address.country, address.region, wanted.shipping_method)


async def _intent_of(till: Till, order_id: UUID, *, is_replay: bool) -> Intent:
    """The order's PaymentIntent: created by whoever holds the attempt's lease, fetched by everybody after."""
    deadline = asyncio.get_running_loop().time() + till.settings.attempt_wait_s
    while True:
        attempt, is_leased = await _attempt_of(till, order_id, take_lease=is_replay)
        if attempt.payment_intent_id is not None:
            return await till.stripe.retrieve_intent(attempt.payment_intent_id)
        if attempt.state == "refused":
            raise NoIntent("refused before")
        if is_leased:
            try:
                return await payments.create_intent(till.pool, till.stripe, attempt)
            except ConfirmationRefused:
                is_replay = True  # the attempt that takes its place is for whoever leases it first
                continue
        if asyncio.get_running_loop().time() >= deadline:
            raise InProgress("Send the same request again in a moment", retry_after_s=1)
        await asyncio.sleep(WAIT_STEP_S)


async def _attempt_of(till: Till, order_id: UUID, *, take_lease: bool) -> tuple[Attempt, bool]:
    """The attempt, and whether it is ours to make. Whoever wrote it holds its first lease."""
    async with till.pool.request(order_id=order_id) as conn:
        if take_lease:
            leased = await payment_store.lease_attempt(conn, order_id, CREATE_INTENT, till.settings.attempt_lease_s)
            if leased is not None:
                return leased, True
        attempt = await payment_store.select_attempt(conn, order_id, CREATE_INTENT)
        return attempt, not take_lease
