"""Parcels: which pieces may be sent, how a parcel moves, and where the goods of an order are because of its parcels."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from urllib.parse import quote
from uuid import UUID

from services.checkout.domain.orders import Order
from services.checkout.domain.pricing import Line
from services.checkout.domain.states import (
    FULFILMENT_MOVES,
    DisputeState,
    Fulfilment,
    Hold,
    PaymentState,
    moved,
)
from shared.errors import Conflict, Invalid


class ParcelState(StrEnum):
    """Where a parcel is."""

    SHIPPED = "shipped"
    DELIVERED = "delivered"
    RETURNED = "returned"  # all of it is with us again: its pieces may be sent anew, or refunded


PARCEL_MOVES: Mapping[ParcelState, frozenset[ParcelState]] = {
    ParcelState.SHIPPED: frozenset({ParcelState.DELIVERED, ParcelState.RETURNED}),
    ParcelState.DELIVERED: frozenset({ParcelState.RETURNED}),
    ParcelState.RETURNED: frozenset(),
}

# Where carriers show a parcel's way; of any other carrier people see the number alone.
TRACKING_PAGES: Mapping[str, str] = {
    "dhl": "https://www.dhl.com/global-en/home/tracking.html?tracking-id=",
    "fedex": "https://www.fedex.com/fedextrack/?trknbr=",
    "ups": "https://www.ups.com/track?tracknum=",
    "usps": "https://tools.usps.com/go/TrackConfirmAction?tLabels=",
}


class OrderUnpaid(Conflict):
    code = "order_unpaid"
    title = "The order is not paid"


class OrderGivenBack(Conflict):
    code = "order_refunded"
    title = "All of the order's money was given back, or is on its way back"


class OrderOnHold(Conflict):
    code = "order_on_hold"
    title = "The order is on hold"


class MoneyDisputed(Conflict):
    code = "order_disputed"
    title = "The order's payment is disputed, and its money is gone until the bank decides"


class MoreThanLeft(Conflict):
    code = "more_than_left"
    title = "More pieces than are left to send"


class ParcelIdTaken(Conflict):
    code = "parcel_id_taken"
    title = "This id is another parcel's"


@dataclass(frozen=True, slots=True)
class ParcelWanted:
    """What staff pack. Without lines (position -> quantity) it is all that is left to send."""

    id: UUID
    carrier: str
    tracking_number: str | None = None
    lines: Mapping[int, int] | None = None
    reason: str | None = None


@dataclass(frozen=True, slots=True)
class Parcel:
    """A parcel that was handed over; `lines` is position -> quantity."""

    id: UUID
    order_id: UUID
    carrier: str
    tracking_number: str | None
    state: ParcelState
    lines: Mapping[int, int]
    actor: str
    shipped_at: datetime
    delivered_at: datetime | None = None
    returned_at: datetime | None = None

    @property
    def tracking_url(self) -> str | None:
        """The carrier's page about it, if it is a carrier whose page we know."""
        page = TRACKING_PAGES.get(self.carrier.casefold())
        return page + quote(self.tracking_number, safe="") if page and self.tracking_number else None


@dataclass(frozen=True, slots=True)
class Tally:
    """The pieces of a line: ordered; sent and not returned; refunded; and withdrawn, which is refunded and here."""

    ordered: int
    sent: int = 0
    refunded: int = 0
    withdrawn: int = 0

    @property
    def left(self) -> int:
        """What is here and still to be sent."""
        return max(0, self.ordered - self.sent - self.withdrawn)

    @property
    def refunded_away(self) -> int:
        """What was refunded and is not here."""
        return max(0, self.refunded - self.withdrawn)


@dataclass(frozen=True, slots=True)
class RefundedPieces:
    """The pieces of a line that a refund is for: how many, and of them those that were here and will not be sent, and
    those that are on the shelf again, for sale."""

    refund_id: UUID
    position: int
    quantity: int
    withdrawn: int = 0
    restocked: int = 0


@dataclass(frozen=True, slots=True)
class WholeOrder:
    """An order with its lines and its parcels."""

    order: Order
    lines: Sequence[Line]
    parcels: Sequence[Parcel] = ()


def plan_parcel(order: Order, wanted: ParcelWanted, tallies: Sequence[Tally], left_minor: int) -> Mapping[int, int]:
    """The pieces that go. `left_minor` is what neither was given back of the order's payment nor is about to be.

    Raises OrderUnpaid, OrderOnHold, MoneyDisputed, OrderGivenBack, IllegalMove, MoreThanLeft, Invalid.
    """
    _may_be_sent(order, left_minor)
    everything = {position: tally.left for position, tally in enumerate(tallies) if tally.left}
    pieces = everything if wanted.lines is None else wanted.lines
    for position, quantity in pieces.items():
        if not 0 <= position < len(tallies):
            raise Invalid(f"the order has no line {position}; the first is 0", field=f"lines.{position}")
        if quantity < 1:
            raise Invalid("send at least one piece", field=f"lines.{position}")
        if quantity > tallies[position].left:
            raise MoreThanLeft(f"line {position} has {tallies[position].left} pieces left to send")
    if not pieces:
        raise MoreThanLeft("every piece was sent, or refunded before it was")
    return dict(pieces)


def _may_be_sent(order: Order, left_minor: int) -> None:
    if order.payment is not PaymentState.PAID:
        raise OrderUnpaid(f"the payment of order {order.number} is {order.payment}")
    if order.hold is not Hold.NONE:
        raise OrderOnHold(f"order {order.number} is held: {order.hold}")
    if order.dispute in (DisputeState.OPEN, DisputeState.LOST):
        raise MoneyDisputed(f"the dispute of order {order.number} is {order.dispute}")
    if order.fulfilment is Fulfilment.CANCELLED:
        moved(FULFILMENT_MOVES, order.fulfilment, Fulfilment.SHIPPED)
    if left_minor <= 0:
        raise OrderGivenBack(f"nothing is left of what was paid for order {order.number}")


def withdrawn_by_refund(lines: Mapping[int, int], tallies: Sequence[Tally]) -> Mapping[int, int]:
    """How many of the pieces to be refunded will for that reason not be sent: those that are here go first."""
    return {position: min(quantity, tallies[position].left) for position, quantity in lines.items()}


def taken_over(lines: Mapping[int, int], shelved: Iterable[RefundedPieces]) -> list[RefundedPieces]:
    """What a new refund of the lines has in common with older ones that failed: pieces they had put on the shelf.

    Those are the ones whose money is still owed, so they go first; none is put there twice.
    """
    wanted, taken = dict(lines), []
    for each in shelved:
        if pieces := min(wanted.get(each.position, 0), each.restocked):
            wanted[each.position] -= pieces
            taken.append(replace(each, withdrawn=min(pieces, each.withdrawn), restocked=pieces))
    return taken


def refunded_pieces(
    refund_id: UUID, lines: Mapping[int, int], tallies: Sequence[Tally], taken: Iterable[RefundedPieces]
) -> list[RefundedPieces]:
    """The pieces of a new refund, with what it takes over."""
    on_shelf, here = dict.fromkeys(lines, 0), dict.fromkeys(lines, 0)
    for each in taken:
        on_shelf[each.position] += each.restocked
        here[each.position] += each.withdrawn
    others = withdrawn_by_refund({at: quantity - on_shelf[at] for at, quantity in lines.items()}, tallies)
    return [
        RefundedPieces(refund_id, at, quantity, here[at] + others[at], on_shelf[at]) for at, quantity in lines.items()
    ]


def withdrawn_by_return(lines: Mapping[int, int], tallies: Sequence[Tally]) -> Mapping[int, int]:
    """How many of the pieces that came back were refunded while they were away, and will not be sent again."""
    return {position: min(quantity, tallies[position].refunded_away) for position, quantity in lines.items()}


def no_longer_withdrawn(tallies: Sequence[Tally]) -> Mapping[int, int]:
    """How many pieces of each line came back as refunded ones and are none: their refund failed, they may be sent."""
    more = {position: tally.withdrawn - tally.refunded for position, tally in enumerate(tallies)}
    return {position: pieces for position, pieces in more.items() if pieces > 0}


def fulfilment_of(
    order: Order, states: Iterable[ParcelState], tallies: Iterable[Tally], *, is_given_back: bool
) -> Fulfilment:
    """Where the goods are. What is wholly given back before anything was sent will not be sent."""
    states, tallies = list(states), list(tallies)
    if not states:
        is_over = is_given_back and order.payment is PaymentState.PAID
        return Fulfilment.CANCELLED if is_over else order.fulfilment
    if not any(tally.sent for tally in tallies):
        return Fulfilment.RETURNED
    if any(tally.left for tally in tallies):
        return Fulfilment.PART_SHIPPED
    return Fulfilment.SHIPPED if ParcelState.SHIPPED in states else Fulfilment.DELIVERED


def same_parcel(known: Parcel, order_id: UUID, wanted: ParcelWanted) -> Parcel:
    """The parcel that a repeated request means; raises ParcelIdTaken when it asks for another one."""
    is_same = (known.order_id, known.carrier, known.tracking_number) == (
        order_id,
        wanted.carrier,
        wanted.tracking_number,
    )
    if not is_same or (wanted.lines is not None and wanted.lines != known.lines):
        raise ParcelIdTaken("send a new id for another parcel; a parcel that was sent does not change")
    return known
