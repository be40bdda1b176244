"""Which lists of senders are believed, and what they change."""

from datetime import UTC, datetime, timedelta
from typing import Any

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.standins.stripe.config import SENDERS
from services.webhooks.domain import senders
from services.webhooks.domain.senders import SHIPPED, Known, ListRefused, difference, read_list, refuse_collapse

NOW = datetime(2026, 11, 25, tzinfo=UTC)
FIVE = ["3.18.12.63", "3.69.109.8", "3.120.168.93", "2600:1f18::1", "13.235.14.237"]


def test_the_list_we_ship_has_the_fifteen_addresses_and_a_date():
    assert len(SHIPPED) == 15
    assert frozenset(SENDERS) == SHIPPED
    assert senders.SHIPPED_AS_OF.year == 2026


def test_a_list_as_stripe_publishes_it_is_read():
    assert read_list(orjson.dumps({"WEBHOOKS": FIVE, "API": ["nonsense"]})) == frozenset(FIVE)


LISTS: dict[str, tuple[Any, str]] = {
    "nothing": (b"", "malformed"),
    "a page": (b"<html>We are down for maintenance</html>", "malformed"),
    "another shape": (FIVE, "malformed"),
    "another name": ({"API": FIVE}, "malformed"),
    "a number": (7, "malformed"),
    "null": (None, "malformed"),
    "a text": ({"WEBHOOKS": "3.18.12.63"}, "malformed"),
    "an object": ({"WEBHOOKS": {"a": 1}}, "malformed"),
    "numbers": ({"WEBHOOKS": [1, 2, 3, 4, 5]}, "malformed"),
    "names": ({"WEBHOOKS": [*FIVE, "hooks.stripe.com"]}, "malformed"),
    "a network": ({"WEBHOOKS": [*FIVE, "0.0.0.0/0"]}, "malformed"),
    "too long": (b" " * 70_000, "malformed"),
    "no address": ({"WEBHOOKS": []}, "implausible"),
    "four": ({"WEBHOOKS": FIVE[:4]}, "implausible"),
    "a crowd": ({"WEBHOOKS": [f"3.18.12.{n}" for n in range(76)]}, "implausible"),
    "loopback": ({"WEBHOOKS": [*FIVE, "127.0.0.1"]}, "implausible"),
    "private": ({"WEBHOOKS": [*FIVE, "10.1.2.3"]}, "implausible"),
    "link-local": ({"WEBHOOKS": [*FIVE, "169.254.169.254"]}, "implausible"),
    "carrier's": ({"WEBHOOKS": [*FIVE, "100.64.0.1"]}, "implausible"),
    "everybody": ({"WEBHOOKS": [*FIVE, "0.0.0.0"]}, "implausible"),
    "multicast": ({"WEBHOOKS": [*FIVE, "224.0.1.1"]}, "implausible"),
    "IPv6 of our own": ({"WEBHOOKS": [*FIVE, "fd00::1"]}, "implausible"),
}


@pytest.mark.parametrize("case", LISTS)
def test_what_is_no_list_of_stripes_is_refused(case):
    published, reason = LISTS[case]
    with pytest.raises(ListRefused) as refused:
        read_list(published if isinstance(published, bytes) else orjson.dumps(published))
    assert refused.value.reason == reason


@given(st.binary(max_size=300))
def test_nothing_but_a_refusal_comes_of_garbage(body):
    with pytest.raises(ListRefused):
        read_list(body)


def known(*addresses: str, gone: tuple[str, ...] = ()) -> list[Known]:
    return [*map(Known, addresses), *(Known(each, NOW - timedelta(days=6)) for each in gone)]


def test_a_list_adds_and_removes_and_one_that_left_may_come_back():
    changes = difference(known("a", "b", gone=("c", "d")), frozenset({"b", "c", "e"}))
    assert (changes.added, changes.removed) == ({"c", "e"}, {"a"})
    assert not difference(known("a", gone=("c",)), frozenset({"a"}))


@pytest.mark.parametrize(("left", "is_believed"), [(8, True), (7, False), (0, False)])
def test_a_list_that_loses_more_than_half_at_once_is_not_believed(left, is_believed):
    before = known(*map(str, range(15)), gone=("x", "y"))
    changes = difference(before, frozenset(map(str, range(left))))
    if is_believed:
        refuse_collapse(before, changes)
    else:
        with pytest.raises(ListRefused, match="of 15 addresses"):
            refuse_collapse(before, changes)


def test_who_left_the_list_is_welcome_for_a_while():
    rows = known("a", gone=("b",))
    assert senders.welcome(rows, NOW, timedelta(days=7)) == {"a", "b"}
    assert senders.welcome(rows, NOW, timedelta(days=6)) == {"a"}


def test_the_list_never_shrinks_to_nothing():
    assert senders.welcome([], NOW, timedelta(0)) == SHIPPED
    assert senders.welcome(known(gone=("b",)), NOW, timedelta(0)) == SHIPPED


@pytest.mark.parametrize(
    ("as_of", "expected"),
    [(None, True), (senders.SHIPPED_AS_OF, False), (datetime(2026, 1, 1, tzinfo=UTC), True), (NOW, False)],
)
def test_what_we_ship_counts_where_it_is_newer(as_of, expected):
    assert senders.is_newer(as_of) is expected
