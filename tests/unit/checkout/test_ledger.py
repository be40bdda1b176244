"""Every booking sums to zero in every currency, whatever Stripe tells."""

from collections import Counter
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.checkout import domain
from services.checkout.domain import Account, BalanceTransaction

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def told(type_: str = "charge", amount: int = 1000, fee: int = 59, **changes) -> BalanceTransaction:
    given = {
        "id": "txn_1",
        "currency": "usd",
        "net_minor": amount - fee,
        "source": "ch_1",
        "created_at": NOW,
        **changes,
    }
    return BalanceTransaction(type=type_, amount_minor=amount, fee_minor=fee, **{**given, **changes})


def sums(booking) -> set[int]:
    found: Counter[str] = Counter()
    for entry in booking.entries:
        found[entry.currency] += entry.amount_minor
    return set(found.values())


@pytest.mark.parametrize(
    ("type_", "source", "is_ours", "account"),
    [
        ("charge", "ch_1", True, Account.STRIPE_PENDING),
        ("charge", "ch_1", False, Account.OTHER),
        ("refund", "re_1", True, Account.STRIPE_PENDING),
        ("refund_failure", "re_1", True, Account.STRIPE_PENDING),
        ("adjustment", "du_1", True, Account.DISPUTES),
        ("adjustment", "dp_1", False, Account.DISPUTES),
        ("adjustment", None, True, Account.OTHER),
        ("payout", "po_1", False, Account.PAYOUTS),
        ("stripe_fee", None, False, Account.FEES),
        ("something_new", None, False, Account.OTHER),
    ],
)
def test_each_type_has_its_account(type_, source, is_ours, account):
    booking = domain.balance_booked(told(type_, source=source), is_ours=is_ours)
    assert (booking.entries[-1].account, booking.entries[-1].amount_minor) == (account, -1000)


def test_a_payment_in_another_currency_goes_through_exchange():
    booking = domain.balance_booked(told(amount=1080, fee=60, source_currency="eur", source_minor=1000))
    assert {(e.account, e.currency, e.amount_minor) for e in booking.entries} == {
        (Account.STRIPE_BALANCE, "usd", 1020),
        (Account.FEES, "usd", 60),
        (Account.EXCHANGE, "usd", -1080),
        (Account.EXCHANGE, "eur", 1000),
        (Account.STRIPE_PENDING, "eur", -1000),
    }


@given(
    st.sampled_from(["charge", "refund", "payout", "adjustment", "x"]),
    st.integers(-(10**9), 10**9).filter(bool),
    st.integers(-500, 500),
    st.sampled_from([(None, None), ("usd", 7), ("eur", 7)]),
    st.booleans(),
)
def test_every_booking_sums_to_zero(type_, amount, fee, source, is_ours):
    currency, minor = source
    booking = domain.balance_booked(
        told(type_, amount, fee, source_currency=currency, source_minor=minor), is_ours=is_ours
    )
    assert sums(booking) == {0}
    assert all(entry.amount_minor for entry in booking.entries)
