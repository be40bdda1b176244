"""The rules of stock: which pieces an order takes, what a person may change, when it is short."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.checkout import domain
from services.checkout.domain import Adjustment, Changed, Level, Line, Reason
from shared.errors import Invalid
from shared.money import Money


def lines(*wanted: tuple[str, int]) -> list[Line]:
    return [Line(sku, sku, "", quantity, Money(100, "usd")) for sku, quantity in wanted]


def test_two_lines_of_one_sku_oversell_when_each_is_checked_by_itself():
    """The bug: five pieces, two lines of three. The guard: lines of one SKU are one demand."""
    wanted, available = lines(("A", 3), ("A", 3)), 5
    assert all(line.quantity <= available for line in wanted)
    assert domain.pieces(wanted) == [("A", 6)]


@given(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 99)), min_size=1))
def test_what_is_reserved_is_either_sold_or_given_back_whole_and_in_sorted_order(wanted):
    reserved, sold, released = (
        domain.changes(reason, lines(*wanted)) for reason in (Reason.RESERVED, Reason.SOLD, Reason.RELEASED)
    )
    assert [change.sku for change in reserved] == sorted({sku for sku, _ in wanted})
    for taken, gone, back in zip(reserved, sold, released, strict=True):
        assert taken.on_hand == back.on_hand == 0
        assert gone.on_hand == gone.reserved == back.reserved == -taken.reserved


@given(st.lists(st.integers(0, 12), min_size=2), st.integers(0, 5))
def test_a_level_is_announced_once_per_crossing_however_often_stock_changes(amounts, low_at):
    changes = [Changed("A", n, before, after, low_at) for n, (before, after) in enumerate(pairwise(amounts))]
    crossings = [crossing for change in changes if (crossing := domain.crossing(change))]
    for one, other in pairwise(crossings):
        assert one.is_now is other.was
    for crossing in crossings:
        assert crossing.was is not crossing.is_now


@pytest.mark.parametrize(
    ("available", "low_at", "level"),
    [(0, 0, Level.OUT), (1, 0, Level.ENOUGH), (3, 3, Level.LOW), (4, 3, Level.ENOUGH), (0, 3, Level.OUT)],
)
def test_few_are_as_many_as_the_threshold_or_fewer(available, low_at, level):
    assert domain.level(available, low_at) is level


@pytest.mark.parametrize(
    ("by", "reason", "field"),
    [(0, Reason.RECOUNT, "by"), (1, Reason.DAMAGE, "by"), (-1, Reason.RETURN, "by"), (-1, Reason.SOLD, "reason")],
)
def test_a_reason_that_contradicts_its_sign_is_refused(by, reason, field):
    with pytest.raises(Invalid) as caught:
        domain.adjustment(Adjustment("A", by, reason))
    assert [error.field for error in caught.value.errors] == [field]
