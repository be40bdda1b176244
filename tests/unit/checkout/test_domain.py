"""The order's rules: what it costs, how it may move, when its money is held."""

from datetime import UTC, datetime
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.checkout import domain
from services.checkout.domain import (
    MOVES,
    NO_TAX,
    Hold,
    IllegalMove,
    Line,
    Offer,
    Order,
    Parts,
    PaymentState,
    Quote,
    Received,
    Tax,
    Terms,
    Wanted,
)
from shared.errors import Invalid
from shared.money import Money

ID, OTHER = UUID(int=1), UUID(int=2)
NOW = datetime(2026, 11, 23, tzinfo=UTC)
STATES = list(PaymentState)


def an_order(payment: PaymentState = PaymentState.AWAITING, total: int = 1000) -> Order:
    amount, nothing = Money(total, "usd"), Money(0, "usd")
    parts = Parts(amount, nothing, nothing, nothing, Tax(nothing, NO_TAX), "standard", "Delivery")
    return Order(ID, "K-TEST-0001", "a@example.com", "en", amount, {}, payment, Hold.NONE, NOW, NOW, parts)


def quoted(lines: list[Line], known: dict[str, Offer]) -> Quote:
    return domain.quote(lines, known, Terms([domain.included("usd")], {}), None)


def offers(**prices: int) -> dict[str, Offer]:
    return {sku: Offer(sku, sku.lower(), "Navy, M", Money(minor, "usd")) for sku, minor in prices.items()}


@pytest.mark.parametrize("start", STATES)
@pytest.mark.parametrize("to", STATES)
def test_an_order_moves_only_where_the_table_says(start, to):
    if to in MOVES[start]:
        assert domain.move(an_order(start), to).payment is to
    else:
        with pytest.raises(IllegalMove, match=str(to)):
            domain.move(an_order(start), to)


def test_the_table_names_every_state_and_paid_and_expired_are_final():
    assert set(MOVES) == set(STATES)
    assert not MOVES[PaymentState.PAID]
    assert not MOVES[PaymentState.EXPIRED]


@given(st.lists(st.sampled_from(STATES), max_size=12))
def test_whatever_is_tried_an_order_never_leaves_paid(tried):
    order = an_order()
    for to in tried:
        before = order.payment
        try:
            order = domain.move(order, to)
        except IllegalMove:
            assert order.payment is before
            continue
        assert before is not PaymentState.PAID


@pytest.mark.parametrize("payment", [PaymentState.AWAITING, PaymentState.PROCESSING, PaymentState.FAILED])
def test_the_right_money_pays(payment):
    settled = domain.settle(an_order(payment), Received("pi_1", ID, Money(1000, "usd")))
    assert (settled.payment, settled.hold) == (PaymentState.PAID, Hold.NONE)


@pytest.mark.parametrize(
    "received",
    [
        Received("pi_1", ID, Money(999, "usd")),
        Received("pi_1", ID, Money(1001, "usd")),
        Received("pi_1", ID, Money(1000, "eur")),
        Received("pi_1", OTHER, Money(1000, "usd")),
        Received("pi_1", None, Money(1000, "usd")),
    ],
)
def test_money_that_differs_in_any_way_holds_the_order(received):
    held = domain.settle(an_order(), received)
    assert (held.payment, held.hold) == (PaymentState.AWAITING, Hold.PAYMENT_DIFFERS)


def test_money_for_an_expired_order_holds_it():
    held = domain.settle(an_order(PaymentState.EXPIRED), Received("pi_1", ID, Money(1000, "usd")))
    assert (held.payment, held.hold) == (PaymentState.EXPIRED, Hold.PAID_TOO_LATE)


def test_a_paid_order_is_not_paid_again():
    with pytest.raises(IllegalMove):
        domain.settle(an_order(PaymentState.PAID), Received("pi_1", ID, Money(1000, "usd")))


@given(st.dictionaries(st.sampled_from("ABCDEF"), st.integers(1, 10_000), min_size=1), st.data())
def test_the_total_is_the_sum_of_the_lines_at_our_prices(prices, data):
    lines = st.lists(st.tuples(st.sampled_from(sorted(prices)), st.integers(1, 99)), min_size=1, max_size=10)
    wanted = data.draw(lines)
    priced = domain.price([Wanted(*line) for line in wanted], offers(**prices), "usd")
    assert quoted(priced, offers(**prices)).parts.total.amount_minor == sum(
        prices[sku] * quantity for sku, quantity in wanted
    )
    assert sum(quantity for _, quantity in domain.pieces(priced)) == sum(quantity for _, quantity in wanted)
    assert [sku for sku, _ in domain.pieces(priced)] == sorted({sku for sku, _ in wanted})


def test_every_line_that_can_not_be_sold_is_named():
    with pytest.raises(Invalid) as caught:
        domain.price([Wanted("A", 1), Wanted("X", 1), Wanted("Y", 1)], offers(A=100), "usd")
    assert [error.field for error in caught.value.errors] == ["lines.1.sku", "lines.2.sku"]


def test_more_than_stripe_takes_in_one_payment_is_refused():
    lines = domain.price([Wanted("A", 99)], offers(A=10_000_000), "usd")
    with pytest.raises(Invalid):
        quoted(lines, offers(A=10_000_000))


@given(st.integers(0, 2**40 - 1), st.integers(0, 2**40 - 1))
def test_order_numbers_are_readable_and_as_many_as_the_bits(one, other):
    number = domain.order_number(one)
    assert len(number) == 11
    assert set(number[2:].replace("-", "")) <= set(domain.NUMBER_ALPHABET)
    assert (number == domain.order_number(other)) == (one == other)


@pytest.mark.parametrize(
    ("codes", "category"),
    [
        ((None, None, "insufficient_funds", "card_declined"), "insufficient_funds"),
        ((None, None, None, "expired_card"), "card_data"),
        ((None, None, "authentication_required", "card_declined"), "authentication"),
        ((None, None, "generic_decline", "card_declined"), "issuer_declined"),
        ((None, None, "a_code_of_tomorrow", "card_declined"), "issuer_declined"),
        ((None, None, None, None), "issuer_declined"),
        (("do_not_try_again", None, "generic_decline", "card_declined"), "card_unusable"),
        ((None, "highest_risk_level", "fraudulent", "card_declined"), "fraud_risk"),
        ((None, None, "processing_error", "card_declined"), "technical"),
    ],
)
def test_a_refusal_has_the_category_of_its_most_telling_code(codes, category):
    assert domain.failure_category(*codes) == category


def test_no_code_is_in_two_categories():
    codes = [code for known in domain.CATEGORIES.values() for code in known]
    assert len(codes) == len(set(codes))
