"""What an order is, and how its payment may move."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from services.checkout.domain.payments import Received
from services.checkout.domain.pricing import Parts
from services.checkout.domain.states import MOVES, DisputeState, Fulfilment, Hold, IllegalMove, PaymentState
from shared.money import Money

# Letters and digits that can't be mistaken for one another when read over the phone (Crockford's base 32).
NUMBER_ALPHABET = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
NUMBER_LENGTH = 8

# Whoever hears days later that a debit failed is not in front of the shop's page.
ANOTHER_TRY = timedelta(days=1)


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
    fulfilment: Fulfilment = Fulfilment.NONE
    dispute: DisputeState = DisputeState.NONE
    refunded_minor: int = 0  # of the payment that settled it
    customer_id: UUID | None = None  # of a signed-in shopper

    @property
    def refunded(self) -> Money:
        return Money(self.refunded_minor, self.total.currency)


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


def kept_waiting(order: Order, wait: timedelta) -> Order:
    """The order while its money is on its way: its goods stay reserved so long after it was placed."""
    return replace(order, reserved_until=max(order.reserved_until, order.placed_at + wait))


def with_another_try(order: Order, now: datetime) -> Order:
    """The order whose money was on its way and did not come: there is time for another card."""
    return replace(order, reserved_until=now + ANOTHER_TRY)


def settle(order: Order, received: Received) -> Order:
    """The order once Stripe says the money is there: paid, or held when it is not the money we asked for.

    Raises IllegalMove when it is already paid.
    """
    if received.amount != order.total or received.order_id != order.id:
        return replace(order, hold=Hold.PAYMENT_DIFFERS)
    if order.payment is PaymentState.EXPIRED:
        return replace(order, hold=Hold.PAID_TOO_LATE)
    return move(order, PaymentState.PAID)
