"""The facts of an order that move: payment, fulfilment, dispute, hold. Each has its own table of legal moves.

None depends on another; what people read ("part refunded, disputed") is derived from all of them in `reading.py`.
"""

from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from shared.errors import Conflict

State = TypeVar("State", bound=StrEnum)


class IllegalMove(Conflict):
    """An event or request implies a move that the order's state does not allow."""

    code = "illegal_move"


class PaymentState(StrEnum):
    """Whether the money is there. Only Stripe's word moves an order to PAID."""

    AWAITING = "awaiting"
    PROCESSING = "processing"
    FAILED = "failed"  # the last try was refused; the customer may try again
    PAID = "paid"  # for good: what is given back later is counted beside it
    EXPIRED = "expired"


class Fulfilment(StrEnum):
    """Where the goods are."""

    NONE = "none"
    PART_SHIPPED = "part_shipped"
    SHIPPED = "shipped"
    DELIVERED = "delivered"
    RETURNED = "returned"  # everything that was sent is with us again
    CANCELLED = "cancelled"  # will not be sent: all the money was given back before anything was


class DisputeState(StrEnum):
    """What the cardholder's bank says of the order's payments; the worst, if there are several."""

    NONE = "none"
    INQUIRY = "inquiry"  # a question; no money was taken
    OPEN = "open"  # the money is gone until the bank decides
    WON = "won"
    LOST = "lost"
    CLOSED = "closed"  # an inquiry that ended, or a dispute that was prevented


class Hold(StrEnum):
    """Why an order may not be sent. Each is the consequence of a fact and ends with it (see `holds.py`)."""

    NONE = "none"
    PAYMENT_DIFFERS = "payment_differs"
    PAID_TOO_LATE = "paid_too_late"
    PAID_TWICE = "paid_twice"
    REFUND_FAILED = "refund_failed"
    FRAUD_WARNING = "fraud_warning"
    REVIEW = "review"


MOVES: Mapping[PaymentState, frozenset[PaymentState]] = {
    PaymentState.AWAITING: frozenset(
        {PaymentState.PROCESSING, PaymentState.FAILED, PaymentState.PAID, PaymentState.EXPIRED}
    ),
    # While the money is on its way the reservation can't end. EXPIRED comes only with Stripe's word that the payment is
    # cancelled: the news that it had failed before may never reach us.
    PaymentState.PROCESSING: frozenset({PaymentState.FAILED, PaymentState.PAID, PaymentState.EXPIRED}),
    PaymentState.FAILED: frozenset(
        {PaymentState.PROCESSING, PaymentState.FAILED, PaymentState.PAID, PaymentState.EXPIRED}
    ),
    PaymentState.PAID: frozenset(),
    PaymentState.EXPIRED: frozenset(),
}

# States in which stock is reserved for the order.
RESERVING = frozenset({PaymentState.AWAITING, PaymentState.PROCESSING, PaymentState.FAILED})

# Derived from parcels and refunds (`parcels.py`). Pieces of a parcel that came back may be sent again, and so may those
# whose refund failed; refunding what was not sent yet completes what was.
FULFILMENT_MOVES: Mapping[Fulfilment, frozenset[Fulfilment]] = {
    Fulfilment.NONE: frozenset({Fulfilment.PART_SHIPPED, Fulfilment.SHIPPED, Fulfilment.CANCELLED}),
    Fulfilment.PART_SHIPPED: frozenset({Fulfilment.SHIPPED, Fulfilment.DELIVERED, Fulfilment.RETURNED}),
    Fulfilment.SHIPPED: frozenset({Fulfilment.PART_SHIPPED, Fulfilment.DELIVERED, Fulfilment.RETURNED}),
    Fulfilment.DELIVERED: frozenset({Fulfilment.PART_SHIPPED, Fulfilment.RETURNED}),
    Fulfilment.RETURNED: frozenset({Fulfilment.PART_SHIPPED, Fulfilment.SHIPPED}),
    Fulfilment.CANCELLED: frozenset(),
}

# A later dispute of another payment may reopen what an earlier one closed, and one that ends leaves what another is in;
# of one dispute, won and lost are final.
DISPUTE_MOVES: Mapping[DisputeState, frozenset[DisputeState]] = {
    DisputeState.NONE: frozenset(DisputeState) - {DisputeState.NONE},
    DisputeState.INQUIRY: frozenset({DisputeState.OPEN, DisputeState.WON, DisputeState.LOST, DisputeState.CLOSED}),
    DisputeState.OPEN: frozenset({DisputeState.INQUIRY, DisputeState.WON, DisputeState.LOST, DisputeState.CLOSED}),
    DisputeState.WON: frozenset({DisputeState.INQUIRY, DisputeState.OPEN, DisputeState.LOST}),
    DisputeState.LOST: frozenset({DisputeState.INQUIRY, DisputeState.OPEN}),
    DisputeState.CLOSED: frozenset(DisputeState) - {DisputeState.NONE, DisputeState.CLOSED},
}

# Any cause may take the place of any other: only the gravest is shown.
HOLD_MOVES: Mapping[Hold, frozenset[Hold]] = {hold: frozenset(Hold) - {hold} for hold in Hold}


def moved(moves: Mapping[State, frozenset[State]], at: State, to: State) -> State:
    """The new state; raises IllegalMove when the table doesn't have it. Standing still is no move."""
    if to not in moves[at]:
        raise IllegalMove(f"{type(at).__name__} cannot go from {at} to {to}")
    return to
