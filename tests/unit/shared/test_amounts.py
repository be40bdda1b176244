"""Amounts as people write them, and the steps in which cards can be charged."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shared.money import EXPONENTS, Money, UnreadableAmount, parse_amount, round_half_up, step

currencies = st.sampled_from(sorted(EXPONENTS))


@pytest.mark.parametrize(
    ("text", "currency", "minor"),
    [("129.90", "usd", 12990), ("129.9", "eur", 12990), ("129", "usd", 12900), ("1500", "jpy", 1500),
     ("12.340", "kwd", 12340), ("12.34", "kwd", 12340), ("0.01", "usd", 1)],
)  # fmt: skip
def test_an_amount_is_read_exactly(text, currency, minor):
    assert parse_amount(text, currency) == Money(minor, currency)


@pytest.mark.parametrize(
    ("text", "currency", "words"),
    [("129.999", "usd", "2 decimals"), ("15.5", "jpy", "0 decimals"), ("1.2345", "kwd", "3 decimals"),
     ("12.345", "kwd", "steps of 0.010"), ("1,299.00", "usd", "thousands"),
     ("$5", "usd", "129.00"), ("-1", "usd", "sign"), ("1e3", "jpy", "129"), ("", "usd", "no amount"),
     (".5", "usd", "no amount"), ("٣", "usd", "no amount"), ("1_000", "usd", "no amount")],
)  # fmt: skip
def test_what_is_no_amount_is_said_with_an_example(text, currency, words):
    with pytest.raises(UnreadableAmount, match=words):
        parse_amount(text, currency)


@given(st.integers(0, 10**7), currencies)
def test_what_is_written_out_is_read_back(steps, currency):
    amount = Money(steps * step(currency), currency)
    assert parse_amount(str(amount.major()), currency) == amount


@given(st.integers(0, 10**12), st.integers(1, 10**6), currencies)
def test_rounding_is_to_the_nearest_step_and_halves_go_up(numerator, denominator, currency):
    unit = step(currency)
    rounded = round_half_up(numerator, denominator, currency)
    exact = Decimal(numerator) / Decimal(denominator)
    assert rounded % unit == 0
    assert -unit <= 2 * (exact - rounded) < unit
