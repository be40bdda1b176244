"""The facts of an order beside its payment: what may follow what, and what people read of them."""

from datetime import UTC, datetime
from itertools import product
from uuid import UUID

import pytest

from services.checkout import domain
from services.checkout.domain import (
    DISPUTE_MOVES,
    FULFILMENT_MOVES,
    HOLD_MOVES,
    MOVES,
    NO_TAX,
    DisputeState,
    Fulfilment,
    Hold,
    IllegalMove,
    Income,
    Line,
    NothingToRefund,
    Order,
    Parts,
    PaymentState,
    Rate,
    RefundState,
    RefundTooLarge,
    RefundWanted,
    Tax,
    disputes,
)
from shared.errors import Invalid
from shared.money import Money

ID = UUID(int=1)
NOW = datetime(2026, 11, 25, tzinfo=UTC)
NONE = Money(0, "usd")
PARTS = Parts(Money(1000, "usd"), NONE, NONE, NONE, Tax(NONE, NO_TAX), "standard", "Delivery")


def an_order(payment: PaymentState = PaymentState.PAID, **facts) -> Order:
    given = {"payment": payment, "hold": Hold.NONE, "reserved_until": NOW, "placed_at": NOW, "parts": PARTS, **facts}
    return Order(ID, "K-1", "a@b.example", "en", Money(1000, "usd"), {}, **given)


def an_income(left: int = 1000, **changes) -> Income:
    given = {"received_minor": 1000, "refunded_minor": 1000 - left, "currency": "usd", "settles": True, **changes}
    return Income("pi_1", **given)


@pytest.mark.parametrize("moves", [MOVES, FULFILMENT_MOVES, DISPUTE_MOVES, HOLD_MOVES, domain.REFUND_MOVES])
def test_every_state_is_in_its_table_and_standing_still_is_no_move(moves):
    kind = type(next(iter(moves)))
    assert set(moves) == set(kind)
    for at, to in product(kind, kind):
        if to in moves[at]:
            assert domain.moved(moves, at, to) is to
        else:
            with pytest.raises(IllegalMove):
                domain.moved(moves, at, to)


@pytest.mark.parametrize(
    ("order", "read"),
    [
        (an_order(PaymentState.AWAITING), "waiting for payment"),
        (an_order(), "paid"),
        (an_order(refunded_minor=1, dispute=DisputeState.OPEN), "part refunded, disputed"),
        (an_order(refunded_minor=1000, fulfilment=Fulfilment.CANCELLED), "refunded"),
        (an_order(fulfilment=Fulfilment.PART_SHIPPED, hold=Hold.REVIEW), "paid, part shipped, on hold"),
        (an_order(fulfilment=Fulfilment.DELIVERED, dispute=DisputeState.WON), "paid, delivered, dispute won"),
        (an_order(PaymentState.EXPIRED, hold=Hold.PAID_TOO_LATE), "expired, on hold"),
    ],
)
def test_what_people_read_is_derived_from_the_facts(order, read):
    assert domain.reading(order) == read


SURPLUS = an_income(settles=False)


@pytest.mark.parametrize(
    ("payment", "incomes", "failed", "hold"),
    [
        (PaymentState.PAID, [an_income()], False, Hold.NONE),
        (PaymentState.PAID, [an_income(), SURPLUS], False, Hold.PAID_TWICE),
        (PaymentState.PAID, [an_income(), an_income(0, settles=False)], False, Hold.NONE),
        (PaymentState.PAID, [an_income(), an_income(settles=False, is_lost=True)], False, Hold.NONE),
        (PaymentState.PAID, [an_income(), an_income(settles=False, otherwise_minor=1000)], False, Hold.NONE),
        (PaymentState.PAID, [an_income(), an_income(settles=False, otherwise_minor=999)], False, Hold.PAID_TWICE),
        (PaymentState.EXPIRED, [SURPLUS], False, Hold.PAID_TOO_LATE),
        (PaymentState.EXPIRED, [an_income(999, received_minor=999, refunded_minor=0, settles=False)], False,
         Hold.PAYMENT_DIFFERS),
        (PaymentState.AWAITING, [SURPLUS], False, Hold.PAYMENT_DIFFERS),
        (PaymentState.PAID, [an_income()], True, Hold.REFUND_FAILED),
        (PaymentState.PAID, [an_income(review="open")], False, Hold.REVIEW),
        (PaymentState.PAID, [an_income(review="open")], True, Hold.REFUND_FAILED),
        (PaymentState.PAID, [an_income(review="closed")], False, Hold.NONE),
        (PaymentState.PAID, [an_income(has_fraud_warning=True)], False, Hold.FRAUD_WARNING),
        (PaymentState.PAID, [an_income(has_fraud_warning=True, review="open")], False, Hold.FRAUD_WARNING),
        (PaymentState.PAID, [an_income(has_fraud_warning=True)], True, Hold.REFUND_FAILED),
        (PaymentState.PAID, [an_income(0, has_fraud_warning=True)], False, Hold.NONE),
    ],
)  # fmt: skip
def test_a_hold_is_the_gravest_of_what_stands_against_the_order(payment, incomes, failed, hold):
    assert domain.hold_of(an_order(payment), incomes, has_failed_refund=failed) is hold


def test_a_refund_rests_twice_as_long_after_each_try_and_as_long_as_stripe_asks():
    assert [domain.refund_rest_s(tries, 2.0) for tries in (1, 2, 3, 8, 9, 5000)] == [2, 4, 8, 256, 300, 300]
    assert domain.refund_rest_s(1, 2.0, 60.0) == 60


@pytest.mark.parametrize("final", ["won", "lost", "prevented"])
@pytest.mark.parametrize("told", ["needs_response", "under_review", "won", "lost", "warning_needs_response"])
def test_won_and_lost_are_final(final, told):
    assert not domain.is_news(final, told)


def test_an_appeal_is_the_only_way_out_of_lost():
    assert domain.is_news("lost", "appeal_under_review")
    assert not domain.is_news("won", "appeal_under_review")
    assert domain.is_news("appeal_under_review", "won")


def test_whatever_becomes_of_two_disputes_the_order_can_show():
    """One was won while the other was an inquiry, and the order could not go there: every look at it failed."""
    statuses = (None, *disputes.STATES)
    follows = [pair for pair in product(statuses, disputes.STATES) if domain.is_news(*pair)]
    for (one, one_then), (other, other_then) in product(follows, [*follows, (None, None)]):
        shown = domain.gravest(status for status in (one, other) if status)
        then = domain.gravest(status for status in (one_then, other_then) if status)
        assert then is shown or then in DISPUTE_MOVES[shown], (one, other, one_then, other_then)


def test_the_order_shows_the_gravest_of_its_disputes_and_an_unknown_status_counts_as_open():
    assert domain.gravest(["won", "under_review", "lost"]) is DisputeState.OPEN
    assert domain.gravest(["won", "lost"]) is DisputeState.LOST
    assert domain.gravest(["warning_closed"]) is DisputeState.CLOSED
    assert domain.gravest(["something_new"]) is DisputeState.OPEN
    assert domain.gravest([]) is DisputeState.NONE


LINES = [Line("A", "a", "", 2, Money(300, "usd")), Line("B", "b", "", 1, Money(400, "usd"))]


def plan(left=None, left_minor: int = 1000, **wanted):
    wish = RefundWanted(ID, "x", **wanted)
    return domain.plan_refund(wish, LINES, {0: 2, 1: 1} if left is None else left, left_minor)


def test_all_that_is_left_comes_with_all_pieces_that_are_left():
    assert plan() == domain.RefundPlan(1000, {0: 2, 1: 1})
    assert plan({0: 0, 1: 1}, 400) == domain.RefundPlan(400, {1: 1})


def test_lines_cost_what_they_cost():
    assert plan(lines={0: 1, 1: 1}, restock=True) == domain.RefundPlan(700, {0: 1, 1: 1})


@pytest.mark.parametrize(
    ("tax_minor", "rate", "one_by_one"),
    [(100, Rate(1111, is_included=False), [333, 334, 333]), (100, Rate(1111, is_included=True), [300, 300, 300])],
    ids=["tax on top", "tax contained"],
)
def test_pieces_come_with_the_tax_on_top_of_them_to_the_last_cent(tax_minor, rate, one_by_one):
    line = Line("A", "a", "a", 3, Money(300, "usd"), tax_minor, rate)
    wish = RefundWanted(ID, "x", lines={0: 1})
    given = [domain.plan_refund(wish, [line], {0: left}, 2000).amount_minor for left in (3, 2, 1)]
    assert given == one_by_one
    assert domain.plan_refund(RefundWanted(ID, "x", lines={0: 3}), [line], {0: 3}, 2000).amount_minor == sum(given)


@pytest.mark.parametrize(
    "wanted",
    [{"lines": {0: 3}}, {"lines": {7: 1}}, {"lines": {0: 0}}, {"lines": {0: 1}, "amount_minor": 1},
     {"amount_minor": 5, "restock": True}],
)  # fmt: skip
def test_a_wish_that_makes_no_sense_is_refused(wanted):
    with pytest.raises(Invalid):
        plan(**wanted)


@pytest.mark.parametrize("wanted", [{"amount_minor": 1001}, {"amount_minor": 0}, {"amount_minor": -5}, {"lines": {}}])
def test_more_than_is_left_or_nothing_is_refused(wanted):
    with pytest.raises(RefundTooLarge):
        plan(**wanted)


def test_nothing_is_left_of_what_was_given_back():
    with pytest.raises(NothingToRefund):
        plan(left_minor=0)


def test_a_refund_that_failed_is_over_and_one_that_succeeded_may_still_fail():
    assert RefundState.FAILED in domain.REFUND_MOVES[RefundState.SUCCEEDED]
    assert not domain.REFUND_MOVES[RefundState.FAILED]
