"""What an order is, what it costs and how it may move. Pure: the clock, ids and prices are arguments."""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import UUID

from shared.errors import Conflict, FieldError, Invalid
from shared.money import Money

# Letters and digits that can't be mistaken for one another when read over the phone (Crockford's base 32).
NUMBER_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NUMBER_LENGTH = 8

# Stripe's largest amount: eight digits (docs.stripe.com/currencies, "minimum and maximum charge amounts").
LARGEST_TOTAL_MINOR = 99_999_999


class PaymentState(StrEnum):
    """Whether the money is there. Only Stripe's word moves an order to PAID."""

    AWAITING = "awaiting"
    PROCESSING = "processing"
    FAILED = "failed"  # the last try was refused; the customer may try again
    PAID = "paid"
    EXPIRED = "expired"


MOVES: Mapping[PaymentState, frozenset[PaymentState]] = {
    PaymentState.AWAITING: frozenset(
        {PaymentState.PROCESSING, PaymentState.FAILED, PaymentState.PAID, PaymentState.EXPIRED}
    ),
    # While the money is on its way the reservation can't end.
    PaymentState.PROCESSING: frozenset({PaymentState.FAILED, PaymentState.PAID}),
    PaymentState.FAILED: frozenset(
        {PaymentState.PROCESSING, PaymentState.FAILED, PaymentState.PAID, PaymentState.EXPIRED}
    ),
    PaymentState.PAID: frozenset(),
    PaymentState.EXPIRED: frozenset(),
}

# States in which stock is reserved for the order.
RESERVING = frozenset({PaymentState.AWAITING, PaymentState.PROCESSING, PaymentState.FAILED})


class Hold(StrEnum):
    """Why an order may not be sent although, or because, money came."""

    NONE = "none"
    PAYMENT_DIFFERS = "payment_differs"
    PAID_TOO_LATE = "paid_too_late"
    PAID_TWICE = "paid_twice"


class IllegalMove(Conflict):
    """An event or request implies a move that the order's state does not allow."""

    code = "illegal_move"


class OutOfStock(Conflict):
    code = "out_of_stock"
    title = "There are not enough pieces left"


class KeyReused(Conflict):
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used for another order"


@dataclass(frozen=True, slots=True)
class Wanted:
    """One line of a basket as the client sent it."""

    sku: str
    quantity: int


@dataclass(frozen=True, slots=True)
class Offer:
    """A variant as it is sold in one currency."""

    sku: str
    name: str
    variant: str
    unit_price: Money


@dataclass(frozen=True, slots=True)
class Line:
    sku: str
    name: str
    variant: str
    quantity: int
    unit_price: Money

    @property
    def total(self) -> Money:
        return self.unit_price * self.quantity


@dataclass(frozen=True, slots=True)
class Order:
    """An order, without its lines. `shipping_address` is what the customer typed."""

    id: UUID
    number: str
    email: str
    locale: str
    total: Money
    shipping_address: Mapping[str, str | None]
    payment: PaymentState
    hold: Hold
    reserved_until: datetime
    placed_at: datetime


@dataclass(frozen=True, slots=True)
class Received:
    """What Stripe says a PaymentIntent has brought."""

    payment_intent_id: str
    order_id: UUID | None
    amount: Money


CREATE_INTENT = "create_intent"
CANCEL_INTENT = "cancel_intent"


@dataclass(frozen=True, slots=True)
class Attempt:
    """A POST to Stripe. Its id is the Idempotency-Key; `request` is sent word for word on every try."""

    id: UUID
    order_id: UUID
    operation: str
    request: Mapping[str, Any]
    state: str
    payment_intent_id: str | None
    created_at: datetime


@dataclass(frozen=True, slots=True)
class Resync:
    payment_intent_id: str
    order_id: UUID
    reason: str


def price(wanted: Sequence[Wanted], offers: Mapping[str, Offer], currency: str) -> list[Line]:
    """The lines at our own prices, in the order they came; raises Invalid naming every line that can't be sold."""
    errors = [
        FieldError(f"lines.{position}.sku", f"{item.sku} is not sold here in {currency.upper()}")
        for position, item in enumerate(wanted)
        if item.sku not in offers
    ]
    if errors:
        raise Invalid("Some lines can't be sold", errors=errors)
    return [_line(item, offers[item.sku]) for item in wanted]


def _line(item: Wanted, offer: Offer) -> Line:
    return Line(offer.sku, offer.name, offer.variant, item.quantity, offer.unit_price)


def total(lines: Sequence[Line], currency: str) -> Money:
    """What the customer pays. Raises Invalid when Stripe could not take so much in one payment."""
    amount = sum((line.total for line in lines), Money(0, currency))
    if amount.amount_minor > LARGEST_TOTAL_MINOR:
        raise Invalid("The order is larger than one payment can be", field="lines")
    return amount


def pieces(lines: Iterable[Line]) -> list[tuple[str, int]]:
    """How many pieces of each SKU, sorted: everybody locks stock in this order, so that nobody waits in a circle.

    Two lines of one SKU are added up first; checked one by one, each could be satisfied and both oversold.
    """
    wanted: dict[str, int] = {}
    for line in lines:
        wanted[line.sku] = wanted.get(line.sku, 0) + line.quantity
    return sorted(wanted.items())


def order_number(random_bits: int) -> str:
    """A number that a person can read out, from 40 random bits: `K-3F7Q-29XM`."""
    digits = []
    for _ in range(NUMBER_LENGTH):
        random_bits, digit = divmod(random_bits, len(NUMBER_ALPHABET))
        digits.append(NUMBER_ALPHABET[digit])
    return f"K-{''.join(digits[:4])}-{''.join(digits[4:])}"


def move(order: Order, to: PaymentState) -> Order:
    """The order in its new payment state; raises IllegalMove."""
    if to not in MOVES[order.payment]:
        raise IllegalMove(f"order {order.number} cannot go from {order.payment} to {to}")
    return replace(order, payment=to)


def settle(order: Order, received: Received) -> Order:
    """The order once Stripe says the money is there: paid, or held when it is not the money we asked for.

    Raises IllegalMove when it is already paid.
    """
    if received.amount != order.total or received.order_id != order.id:
        return replace(order, hold=Hold.PAYMENT_DIFFERS)
    if order.payment is PaymentState.EXPIRED:
        return replace(order, hold=Hold.PAID_TOO_LATE)
    return move(order, PaymentState.PAID)


def sha256(text: str) -> bytes:
    """Of an Idempotency-Key, or of the body it came with: what is compared, and all that is kept of it."""
    return hashlib.sha256(text.encode()).digest()


CATEGORIES: Mapping[str, frozenset[str]] = {
    "insufficient_funds": frozenset(
        {"insufficient_funds", "card_velocity_exceeded", "withdrawal_count_limit_exceeded", "invalid_amount"}
    ),
    "card_data": frozenset(
        {"expired_card", "incorrect_number", "invalid_number", "incorrect_cvc", "invalid_cvc", "invalid_expiry_month",
         "invalid_expiry_year", "incorrect_zip", "incorrect_address", "incorrect_pin", "invalid_pin",
         "new_account_information_available", "confirm_card_data"}
    ),
    "authentication": frozenset(
        {"authentication_required", "authentication_not_handled", "mobile_device_authentication_required",
         "offline_pin_required", "online_or_offline_pin_required", "payment_intent_authentication_failure"}
    ),
    "card_unusable": frozenset(
        {"lost_card", "stolen_card", "pickup_card", "restricted_card", "invalid_account", "card_not_supported",
         "currency_not_supported", "not_permitted", "service_not_allowed", "transaction_not_allowed",
         "security_violation", "stop_payment_order", "revocation_of_authorization",
         "revocation_of_all_authorizations", "pin_try_exceeded", "do_not_try_again",
         "previously_declined_do_not_retry"}
    ),
    "fraud_risk": frozenset({"fraudulent", "merchant_blacklist", "highest_risk_level", "rule", "blocklist"}),
    "technical": frozenset(
        {"processing_error", "issuer_not_available", "reenter_transaction", "duplicate_transaction",
         "testmode_decline"}
    ),
}  # fmt: skip


def failure_category(*codes: str | None) -> str:
    """The category of a refusal; the codes come most telling first (advice, outcome, decline code, error code).

    A code that we don't know, and `generic_decline`, are the issuer's refusal: nothing is tried again by itself.
    """
    for code in codes:
        for category, known in CATEGORIES.items():
            if code in known:
                return category
    return "issuer_declined"
