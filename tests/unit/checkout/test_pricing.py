"""What a basket costs: goods, delivery and tax, in integers, in currencies of none, two and three decimals."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.checkout import domain
from services.checkout.domain import (
    Method,
    NotServed,
    Offer,
    PriceChanged,
    Quote,
    Rate,
    RegionalRate,
    Terms,
    Wanted,
)
from shared.errors import Invalid
from shared.money import EXPONENTS, Money, step

CURRENCIES = sorted(EXPONENTS)
rates = st.builds(Rate, st.integers(0, 10**6), st.booleans())


def usd(minor: int) -> Money:
    return Money(minor, "usd")


def quoted(wanted: list[tuple[str, int]], offers: list[Offer], terms: Terms, method: str | None = None) -> Quote:
    known = {offer.sku: offer for offer in offers}
    lines = domain.price([Wanted(*each) for each in wanted], known, offers[0].unit_price.currency)
    return domain.quote(lines, known, terms, method)


@st.composite
def baskets(draw):
    currency = draw(st.sampled_from(CURRENCIES))
    unit = step(currency)
    money = st.integers(1, 5000).map(lambda steps: Money(steps * unit, currency))
    offers = [
        Offer(sku, sku, "", draw(money), draw(st.sampled_from(["standard", "reduced"])), draw(st.integers(0, 5000)))
        for sku in "ABC"
    ]
    wanted = draw(st.lists(st.tuples(st.sampled_from("ABC"), st.integers(1, 9)), min_size=1, max_size=6))
    basis = draw(st.sampled_from(["total", "weight"]))
    tiers = draw(st.dictionaries(st.integers(0, 50_000), st.integers(0, 500), max_size=3))
    prices = {start: Money(steps * unit, currency) for start, steps in (tiers | {0: 7}).items()}
    method = Method("standard", "Standard", basis, "standard", prices, draw(st.none() | money))
    return wanted, offers, Terms([method], draw(st.dictionaries(st.sampled_from(["standard", "reduced"]), rates)))


@given(baskets())
def test_the_parts_add_up_to_the_total_and_none_is_negative(basket):
    found = quoted(*basket)
    parts, taxes = found.parts, [line.tax for line in found.lines] + [found.parts.shipping_tax]
    currency = parts.total.currency
    assert parts.total == parts.subtotal + parts.shipping + parts.tax_added
    assert parts.subtotal.amount_minor == sum(line.total.amount_minor for line in found.lines)
    assert parts.tax.amount_minor == sum(tax.amount.amount_minor for tax in taxes)
    assert parts.tax_added.amount_minor == sum(tax.amount.amount_minor for tax in taxes if not tax.rate.is_included)
    amounts = [parts.subtotal, parts.shipping, parts.tax, parts.tax_added, parts.total, *(tax.amount for tax in taxes)]
    assert all(amount.amount_minor >= 0 and amount.amount_minor % step(currency) == 0 for amount in amounts)
    assert all(type(amount.amount_minor) is int for amount in amounts)


@given(st.integers(0, 10**8), st.integers(0, 10**8), rates, st.sampled_from(CURRENCIES))
def test_tax_grows_with_the_price_and_is_never_more_than_the_price(one, other, rate, currency):
    low, high = sorted(minor // step(currency) * step(currency) for minor in (one, other))
    less, more = (domain.tax_on(Money(minor, currency), rate) for minor in (low, high))
    assert less.amount.amount_minor <= more.amount.amount_minor <= high


@given(st.integers(0, 10**8), st.integers(0, 10**6))
def test_contained_tax_is_what_added_tax_on_the_net_price_would_be_within_a_cent(gross, millionths):
    contained = domain.tax_on(usd(gross), Rate(millionths, is_included=True)).amount
    added = domain.tax_on(usd(gross) - contained, Rate(millionths, is_included=False)).amount
    assert abs(contained.amount_minor - added.amount_minor) <= 1


@pytest.mark.parametrize(
    ("amount", "rate", "tax"),
    [
        (usd(12000), Rate(200_000, is_included=True), 2000),
        (usd(10000), Rate(200_000, is_included=False), 2000),
        (usd(250), Rate(50_000, is_included=False), 13),  # 12.5: halves go up
        (usd(249), Rate(50_000, is_included=False), 12),
        (Money(1000, "jpy"), Rate(100_000, is_included=True), 91),  # 90.9
        (Money(10_010, "kwd"), Rate(50_000, is_included=False), 500),  # 500.5 fils, in steps of ten
        (Money(10_100, "kwd"), Rate(50_000, is_included=False), 510),  # 505: halves go up
        (usd(10000), Rate(88_750, is_included=False), 888),  # 887.5, in New York City
        (usd(2000), Rate(88_750, is_included=False), 178),  # 177.5
        (usd(0), Rate(200_000, is_included=True), 0),
        (usd(9999), Rate(0, is_included=False), 0),
    ],
)
def test_tax_by_hand(amount, rate, tax):
    assert domain.tax_on(amount, rate).amount.amount_minor == tax


@pytest.mark.parametrize(
    ("millionths", "percent"), [(0, "0"), (200_000, "20"), (88_750, "8.875"), (100_000, "10"), (1, "0.0001")]
)
def test_a_rate_is_shown_as_people_write_it(millionths, percent):
    assert Rate(millionths, is_included=False).percent == percent


def test_tax_is_rounded_line_by_line_so_that_what_is_shown_adds_up():
    """Three lines of 2.50 at 5 %: 3 × 0.13, not 0.38 of the sum."""
    terms = Terms([domain.included("usd")], {"standard": Rate(50_000, is_included=False)})
    offers = [Offer(sku, sku, "", usd(250)) for sku in "ABC"]
    assert quoted([("A", 1), ("B", 1), ("C", 1)], offers, terms).parts.tax_added == usd(39)


def test_delivery_is_taxed_and_each_class_has_its_rate():
    taxes = {"standard": Rate(200_000, is_included=False), "reduced": Rate(50_000, is_included=False)}
    terms = Terms([Method("post", "Post", "total", "standard", {0: usd(500)})], taxes)
    offers = [
        Offer("SUIT", "", "", usd(10000)),
        Offer("BOOK", "", "", usd(1000), "reduced"),
        Offer("X", "", "", usd(100), "odd"),
    ]
    parts = quoted([("SUIT", 1), ("BOOK", 1), ("X", 1)], offers, terms).parts
    assert parts.tax == usd(2000 + 50 + 20 + 100)  # what has no rate of its own is taxed as standard
    assert parts.total == usd(11100 + 500 + 2170)


@pytest.mark.parametrize(
    ("basis", "quantity", "price"),
    [("total", 1, 900), ("total", 5, 500), ("total", 10, 0), ("total", 9, 500), ("weight", 1, 900), ("weight", 3, 500)],
)
def test_delivery_has_steps_by_amount_or_weight_and_is_free_above(basis, quantity, price):
    start = 5000 if basis == "total" else 2500
    method = Method("post", "Post", basis, "standard", {0: usd(900), start: usd(500)}, usd(10000))
    offers = [Offer("A", "", "", usd(1000), weight_grams=900)]
    assert quoted([("A", quantity)], offers, Terms([method], {})).parts.shipping == usd(price)


def test_the_first_method_is_taken_unless_another_is_chosen_and_an_unknown_one_is_named():
    methods = [Method(name, name, "total", "standard", {0: usd(price)}) for name, price in (("slow", 0), ("fast", 900))]
    offers, terms = [Offer("A", "", "", usd(1000))], Terms(methods, {})
    assert quoted([("A", 1)], offers, terms).parts.shipping_method == "slow"
    assert quoted([("A", 1)], offers, terms, "fast").parts.total == usd(1900)
    with pytest.raises(Invalid, match="slow, fast") as caught:
        quoted([("A", 1)], offers, terms, "pigeon")
    assert caught.value.errors[0].field == "shipping_method"


def test_a_country_that_nobody_sends_to_is_said_and_no_price_made_up():
    with pytest.raises(NotServed) as caught:
        quoted([("A", 1)], [Offer("A", "", "", usd(1000))], Terms([], {}))
    assert caught.value.errors[0].field == "shipping_address.country"


ROWS = [
    RegionalRate("", "standard", Rate(40_000, is_included=False)),
    RegionalRate("NY", "standard", Rate(88_750, is_included=False)),
    RegionalRate("NY", "clothes", Rate(0, is_included=False)),
]


def test_a_regions_rates_come_before_the_countrys():
    assert domain.rates_for(ROWS, " ny ")["standard"].millionths == 88_750
    assert domain.rates_for(ROWS, "TX") == {"standard": Rate(40_000, is_included=False)}
    assert domain.rates_for(ROWS[:1], None)["standard"].millionths == 40_000


@pytest.mark.parametrize("region", [None, "", "New York"])
def test_where_the_region_decides_the_tax_it_is_never_guessed(region):
    with pytest.raises(Invalid) as caught:
        domain.rates_for(ROWS, region)
    assert caught.value.errors[0].field == "shipping_address.region"


def test_a_total_that_is_not_what_the_shopper_saw_is_told_and_not_charged():
    parts = quoted([("A", 1)], [Offer("A", "", "", usd(1000))], Terms([domain.included("usd")], {})).parts
    domain.check_expected(parts, None)
    domain.check_expected(parts, 1000)
    with pytest.raises(PriceChanged, match=r"10\.00 USD") as caught:
        domain.check_expected(parts, 999)
    assert caught.value.members == {"total_minor": 1000, "currency": "usd"}
