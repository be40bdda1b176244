"""What an order is, and how its payment may move."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from services.checkout.domain.payments import Received
from services.checkout.domain.pricing import Parts
from shared.errors import Conflict
from shared.money import Money

# Letters and digits that can't be mistaken for one another when read over the phone (Crockford's base 32).
NUMBER_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NUMBER_LENGTH = 8


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
    parts: Parts


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
