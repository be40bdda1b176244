"""What is counted against whom, and what of it is stored."""

from datetime import timedelta
from uuid import UUID

import pytest

from services.checkout.domain.card_testing import Guard, Kind, Limit, counted, mailbox, origin, passed

HOUR = timedelta(hours=1)
LIMITS = {kind: Limit(8, HOUR) for kind in Kind}
CUSTOMER = UUID(int=7)
GUARD = Guard("a key", LIMITS, {Kind.EMAIL: Limit(15, HOUR)})


@pytest.mark.parametrize(
    ("email", "box"),
    [
        ("Ada@Example.com", "ada@example.com"),
        ("ada+1@example.com", "ada@example.com"),
        ("ada+x+y@example.com", "ada@example.com"),
        ("+@example.com", "+@example.com"),
        ("a+b@c@example.com", "a@example.com"),
    ],
)
def test_addresses_that_end_in_one_mailbox_are_one(email, box):
    assert mailbox(email) == box


def test_nothing_that_is_kept_or_printed_names_anybody_and_another_key_gives_other_hashes():
    who = origin(GUARD, "ada@example.com", CUSTOMER, "203.0.113.7")
    keys = counted(GUARD, "0190-order", "card", who)
    assert set(keys) == set(Kind)
    assert len(set(keys.values())) == 6
    for secret in ("ada", "203.0.113.7", "a key"):
        assert secret.encode() not in b"".join(keys.values())
        assert secret not in repr((GUARD, who))
    assert origin(Guard("another", LIMITS, {}), "ada@example.com", None, None).email != who.email


def test_an_address_that_says_nothing_is_counted_against_nobody():
    assert set(counted(GUARD, "0190-order", None, origin(GUARD, "ada@example.com", None, None))) == {
        Kind.ORDER, Kind.SHOP, Kind.EMAIL
    }  # fmt: skip
    assert set(counted(GUARD, "0190-order", None, None)) == {Kind.ORDER, Kind.SHOP}


@pytest.mark.parametrize(("count", "is_too_many"), [(0, False), (7, False), (8, True), (9, True)])
@pytest.mark.parametrize("kind", list(Kind))
def test_a_limit_is_passed_when_it_is_reached(kind, count, is_too_many):
    assert passed(GUARD, {kind: count}) == ((kind,) if is_too_many else ())
