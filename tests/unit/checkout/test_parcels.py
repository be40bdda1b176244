"""What may be sent, how a parcel moves, and where an order's goods are because of that."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import product
from uuid import UUID, uuid4

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.checkout import domain
from services.checkout.domain import (
    FULFILMENT_MOVES,
    DisputeState,
    Fulfilment,
    Hold,
    IllegalMove,
    MoneyDisputed,
    MoreThanLeft,
    OrderGivenBack,
    OrderOnHold,
    OrderUnpaid,
    Parcel,
    ParcelState,
    ParcelWanted,
    PaymentState,
    RefundedPieces,
    Tally,
)
from shared.errors import Invalid
from tests.unit.checkout.test_standing import an_order

ID, NOW = UUID(int=7), datetime(2026, 11, 27, tzinfo=UTC)


TWO_LINES = (Tally(2), Tally(1))


def plan(order=None, tallies=TWO_LINES, left_minor: int = 1000, lines=None):
    return domain.plan_parcel(order or an_order(), ParcelWanted(ID, "UPS", None, lines), tallies, left_minor)


def a_parcel(**changes) -> Parcel:
    given = {"carrier": "UPS", "tracking_number": "1Z999", "state": ParcelState.SHIPPED, "lines": {0: 1}, **changes}
    return Parcel(id=ID, order_id=UUID(int=1), actor="staff ada", shipped_at=NOW, **given)


def test_without_lines_all_that_is_left_is_sent():
    assert plan() == {0: 2, 1: 1}
    assert plan(tallies=[Tally(2, sent=1), Tally(1, refunded=1, withdrawn=1)]) == {0: 1}


@pytest.mark.parametrize(
    ("order", "refusal"),
    [
        *((an_order(state), OrderUnpaid) for state in PaymentState if state is not PaymentState.PAID),
        *((an_order(hold=hold), OrderOnHold) for hold in Hold if hold is not Hold.NONE),
        *((an_order(dispute=state), MoneyDisputed) for state in (DisputeState.OPEN, DisputeState.LOST)),
        (an_order(fulfilment=Fulfilment.CANCELLED), IllegalMove),
    ],
)
def test_an_order_that_must_not_be_sent_is_refused_and_says_why(order, refusal):
    with pytest.raises(refusal):
        plan(order)


@pytest.mark.parametrize("dispute", sorted(set(DisputeState) - {DisputeState.OPEN, DisputeState.LOST}))
def test_a_question_of_the_bank_or_a_dispute_that_is_over_keeps_nothing_back(dispute):
    assert plan(an_order(dispute=dispute))


def test_what_was_wholly_given_back_is_not_sent():
    with pytest.raises(OrderGivenBack):
        plan(left_minor=0)


@pytest.mark.parametrize("lines", [{0: 3}, {0: 2, 1: 2}])
def test_more_than_is_left_is_refused(lines):
    with pytest.raises(MoreThanLeft):
        plan(lines=lines)


def test_when_every_piece_is_gone_there_is_nothing_to_send():
    with pytest.raises(MoreThanLeft):
        plan(tallies=[Tally(1, sent=1), Tally(1, refunded=1, withdrawn=1)])


@pytest.mark.parametrize("lines", [{2: 1}, {-1: 1}, {0: 0}, {0: -1}])
def test_a_line_that_the_order_does_not_have_or_no_piece_of_it_is_a_bad_request(lines):
    with pytest.raises(Invalid):
        plan(lines=lines)


def test_the_whole_table_of_a_parcels_moves():
    legal = {
        (ParcelState.SHIPPED, ParcelState.DELIVERED),
        (ParcelState.SHIPPED, ParcelState.RETURNED),
        (ParcelState.DELIVERED, ParcelState.RETURNED),
    }
    for at, to in product(ParcelState, ParcelState):
        if (at, to) in legal:
            assert domain.moved(domain.PARCEL_MOVES, at, to) is to
        else:
            with pytest.raises(IllegalMove):
                domain.moved(domain.PARCEL_MOVES, at, to)


def test_the_whole_table_of_where_an_orders_goods_may_go():
    legal = {
        "none": {"part_shipped", "shipped", "cancelled"},
        "part_shipped": {"shipped", "delivered", "returned"},
        "shipped": {"part_shipped", "delivered", "returned"},
        "delivered": {"part_shipped", "returned"},
        "returned": {"part_shipped", "shipped"},
        "cancelled": set(),
    }
    for at, to in product(Fulfilment, Fulfilment):
        if to in legal[at]:
            assert domain.moved(FULFILMENT_MOVES, at, to) is to
        else:
            with pytest.raises(IllegalMove):
                domain.moved(FULFILMENT_MOVES, at, to)


def test_the_same_id_is_the_same_parcel_and_never_another():
    known = a_parcel()
    assert domain.same_parcel(known, known.order_id, ParcelWanted(ID, "UPS", "1Z999")) is known
    assert domain.same_parcel(known, known.order_id, ParcelWanted(ID, "UPS", "1Z999", {0: 1})) is known
    for order_id, wanted in (
        (UUID(int=2), ParcelWanted(ID, "UPS", "1Z999")),
        (known.order_id, ParcelWanted(ID, "DHL", "1Z999")),
        (known.order_id, ParcelWanted(ID, "UPS", "1Z998")),
        (known.order_id, ParcelWanted(ID, "UPS", "1Z999", {0: 2})),
    ):
        with pytest.raises(domain.ParcelIdTaken):
            domain.same_parcel(known, order_id, wanted)


def test_a_known_carriers_page_is_linked_and_a_number_can_not_break_out_of_it():
    assert a_parcel().tracking_url == "https://www.ups.com/track?tracknum=1Z999"
    assert a_parcel(tracking_number="1&x=/é").tracking_url == "https://www.ups.com/track?tracknum=1%26x%3D%2F%C3%A9"
    assert a_parcel(carrier="A friend").tracking_url is a_parcel(tracking_number=None).tracking_url is None


@dataclass
class Shelf:
    """An order of one line as the database would keep it, to be moved at random."""

    ordered: int
    parcels: list[tuple[ParcelState, int, int]] = field(default_factory=list)  # state, pieces, withdrawn
    refunds: list[RefundedPieces] = field(default_factory=list)
    failed: list[RefundedPieces] = field(default_factory=list)
    shelved: int = 0  # pieces that were put on the shelf
    fulfilment: Fulfilment = Fulfilment.NONE

    @property
    def tally(self) -> Tally:
        return Tally(
            self.ordered,
            sent=sum(pieces for state, pieces, _ in self.parcels if state is not ParcelState.RETURNED),
            refunded=sum(each.quantity for each in self.refunds) + sum(each.restocked for each in self.failed),
            withdrawn=sum(each[-1] for each in self.parcels)
            + sum(each.withdrawn for each in self.refunds)
            + sum(min(each.withdrawn, each.restocked) for each in self.failed),
        )

    def reconsider(self) -> None:
        order, states = an_order(fulfilment=self.fulfilment), [state for state, *_ in self.parcels]
        is_given_back = sum(each.quantity for each in self.refunds) == self.ordered
        to = domain.fulfilment_of(order, states, [self.tally], is_given_back=is_given_back)
        if to is not self.fulfilment:
            self.fulfilment = domain.moved(FULFILMENT_MOVES, self.fulfilment, to)

    def ship(self, pieces: int) -> None:
        if self.fulfilment is not Fulfilment.CANCELLED and self.tally.left:
            self.parcels.append((ParcelState.SHIPPED, min(pieces, self.tally.left), 0))

    def mark(self, to: ParcelState, at: int) -> None:
        if self.parcels:
            state, pieces, withdrawn = self.parcels[at % len(self.parcels)]
            if to in domain.PARCEL_MOVES[state]:
                if to is ParcelState.RETURNED:
                    withdrawn = domain.withdrawn_by_return({0: pieces}, [self.tally])[0]
                self.parcels[at % len(self.parcels)] = (to, pieces, withdrawn)

    def refund(self, pieces: int, *, restock: bool = False) -> None:
        pieces = min(pieces, self.ordered - sum(each.quantity for each in self.refunds))
        if not pieces:
            return
        tally, taken = self.tally, domain.taken_over({0: pieces}, self.failed)
        for each in taken:
            at = next(at for at, failed in enumerate(self.failed) if failed.refund_id == each.refund_id)
            left = self.failed[at].withdrawn - each.withdrawn, self.failed[at].restocked - each.restocked
            self.failed[at] = replace(self.failed[at], withdrawn=left[0], restocked=left[1])
        [made] = domain.refunded_pieces(uuid4(), {0: pieces}, [tally], taken)
        if restock:
            self.shelved += made.quantity - made.restocked
            made = replace(made, restocked=made.quantity)
        self.refunds.append(made)

    def fail(self, at: int) -> None:
        if self.refunds:
            self.failed.append(self.refunds.pop(at % len(self.refunds)))


KINDS = ["ship", "deliver", "return", "refund", "refund with restock", "fail"]
STEPS = st.lists(st.tuples(st.sampled_from(KINDS), st.integers(1, 3)))


@given(st.integers(1, 4), STEPS)
def test_whatever_happens_no_piece_is_sent_twice_and_every_move_is_in_the_table(ordered, steps):
    shelf = Shelf(ordered)
    for step, number in steps:
        match step:
            case "ship":
                shelf.ship(number)
            case "deliver":
                shelf.mark(ParcelState.DELIVERED, number)
            case "return":
                shelf.mark(ParcelState.RETURNED, number)
            case "refund":
                shelf.refund(number)
            case "refund with restock":
                shelf.refund(number, restock=True)
            case _:
                shelf.fail(number)
        shelf.reconsider()  # raises IllegalMove if it derives what the table doesn't have
        assert 0 <= shelf.tally.left <= ordered
        assert shelf.shelved == sum(each.restocked for each in (*shelf.refunds, *shelf.failed)) <= ordered


def shelf(*steps: tuple[str, int]) -> Shelf:
    made = Shelf(2)
    for step, number in steps:
        if step in ("ship", "refund"):
            getattr(made, step)(number)
        else:
            made.mark(ParcelState(step), number)
        made.reconsider()
    return made


@pytest.mark.parametrize(
    ("steps", "fulfilment", "left"),
    [
        ((), "none", 2),
        ((("refund", 1),), "none", 1),
        ((("refund", 2),), "cancelled", 0),
        ((("ship", 1),), "part_shipped", 1),
        ((("ship", 1), ("refund", 1)), "shipped", 0),
        ((("ship", 1), ("delivered", 0), ("refund", 1)), "delivered", 0),
        ((("ship", 2), ("delivered", 0)), "delivered", 0),
        ((("ship", 1), ("ship", 1), ("delivered", 0)), "shipped", 0),
        ((("ship", 1), ("ship", 1), ("delivered", 0), ("delivered", 1)), "delivered", 0),
        ((("ship", 1), ("ship", 1), ("delivered", 0), ("returned", 1)), "part_shipped", 1),
        ((("ship", 2), ("returned", 0)), "returned", 2),
        ((("ship", 2), ("returned", 0), ("refund", 2)), "returned", 0),
        # Refunded while it was away, and then it came back: it is not sent again.
        ((("ship", 2), ("refund", 1), ("returned", 0)), "returned", 1),
        ((("ship", 2), ("returned", 0), ("ship", 2)), "shipped", 0),
    ],
)
def test_where_the_goods_are(steps, fulfilment, left):
    made = shelf(*steps)
    assert (made.fulfilment, made.tally.left) == (fulfilment, left)
