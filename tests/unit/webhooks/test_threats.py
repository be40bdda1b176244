"""What is counted, what is told, and who is kept out."""

from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webhooks.domain import threats
from services.webhooks.domain.threats import EVERYBODY, RULES, Kind, Policy, Sightings, Tally

POLICY = Policy(ban_after=40, ban=timedelta(minutes=10), window=timedelta(minutes=5))
HERE = "203.0.113.7"


def counts(taken: list[Sightings]) -> dict[tuple[Kind, str], int]:
    return {(each.kind, each.address): each.count for each in taken}


def test_what_is_too_little_to_tell_stays_until_it_is_enough():
    tally = Tally()
    for _ in range(2):
        tally.note(Kind.BAD_SIGNATURE, HERE)
    assert tally.take(0) == []
    tally.note(Kind.BAD_SIGNATURE, HERE)
    assert counts(tally.take(0)) == {(Kind.BAD_SIGNATURE, HERE): 3, (Kind.BAD_SIGNATURE, EVERYBODY): 3}
    assert tally.take(0) == [], "nothing is told twice"
    tally.note(Kind.BAD_SIGNATURE, HERE)
    assert counts(tally.take(0))[Kind.BAD_SIGNATURE, HERE] == 1, "once enough, every further one is"


def test_what_is_signed_is_told_at_once():
    tally = Tally()
    tally.note(Kind.UNKNOWN_SENDER, HERE)
    assert counts(tally.take(0)) == {(Kind.UNKNOWN_SENDER, HERE): 1, (Kind.UNKNOWN_SENDER, EVERYBODY): 1}


def test_a_new_window_begins_from_nothing():
    tally = Tally()
    for window in (0, 300, 600):
        tally.take(window)
        for _ in range(2):
            tally.note(Kind.BAD_SIGNATURE, HERE)
    assert tally.take(600) == []


def test_what_could_not_be_written_is_counted_with_the_next():
    tally = Tally()
    for _ in range(5):
        tally.note(Kind.BAD_SIGNATURE, HERE)
    tally.put_back(tally.take(0))
    tally.note(Kind.BAD_SIGNATURE, HERE)
    assert counts(tally.take(0)) == {(Kind.BAD_SIGNATURE, HERE): 6, (Kind.BAD_SIGNATURE, EVERYBODY): 6}


def test_a_flood_from_many_addresses_takes_no_more_memory_than_allowed_and_hides_nobody():
    tally = Tally(most_addresses=100)
    for number in range(5000):
        tally.note(Kind.SCANNING, f"10.0.{number // 256}.{number % 256}")
        tally.note(Kind.BAD_SIGNATURE, HERE)
    assert len(tally) == 100
    assert tally.forgotten > 4000
    found = counts(tally.take(0))
    assert found[Kind.BAD_SIGNATURE, HERE] == 5000
    assert found[Kind.SCANNING, EVERYBODY] == 5000


@given(st.lists(st.integers(1, 30), min_size=1, max_size=40), st.integers(1, 60))
def test_a_line_is_crossed_by_exactly_one_who_adds_to_a_count(steps, line):
    total, crossings = 0, 0
    for step in steps:
        crossings += threats.crosses(total, total + step, line)
        total += step
    assert crossings == (total >= line)


@pytest.mark.parametrize("kind", Kind)
def test_an_address_is_told_of_once_its_line_is_reached(kind):
    line = RULES[kind].tell_at
    assert not threats.is_told(Sightings(kind, HERE, 1), line - 1)
    assert threats.is_told(Sightings(kind, HERE, 1), line)
    assert not threats.is_told(Sightings(kind, HERE, 1), line + 1)
    assert threats.is_told(Sightings(kind, HERE, line + 5), line + 5)


def test_everybody_together_has_a_line_of_its_own():
    line = RULES[Kind.BAD_SIGNATURE].tell_at_in_all
    assert not threats.is_told(Sightings(Kind.BAD_SIGNATURE, EVERYBODY, 50), line - 1)
    assert threats.is_told(Sightings(Kind.BAD_SIGNATURE, EVERYBODY, 50), line + 9)
    assert RULES[Kind.BAD_SIGNATURE].weight(EVERYBODY) == "critical"
    assert RULES[Kind.BAD_SIGNATURE].weight(HERE) == "warning"


@pytest.mark.parametrize("kind", Kind)
def test_only_what_is_not_signed_gets_an_address_banned(kind):
    is_unsigned = kind in {Kind.BAD_SIGNATURE, Kind.SCANNING, Kind.UNREADABLE}
    assert threats.is_banned(Sightings(kind, HERE, 5), 42, POLICY) is is_unsigned
    assert not threats.is_banned(Sightings(kind, HERE, 5), 39, POLICY)
    assert not threats.is_banned(Sightings(kind, EVERYBODY, 5), 42, POLICY)


def test_each_ban_is_twice_as_long_up_to_a_day():
    lengths = [threats.ban_length(before, POLICY) for before in (0, 1, 2, 7, 8, 1000)]
    assert [each.total_seconds() / 60 for each in lengths] == [10, 20, 40, 1280, 1440, 1440]


@pytest.mark.parametrize(("now", "window"), [(0.0, 0), (299.9, 0), (300.0, 300), (1_790_000_123.4, 1_790_000_100)])
def test_windows_are_the_same_for_all_processes(now, window):
    assert threats.window_of(now, POLICY) == window


@pytest.mark.parametrize("address", [HERE, EVERYBODY, threats.OTHERS])
@pytest.mark.parametrize("kind", Kind)
def test_every_kind_has_a_sentence(kind, address):
    said = threats.sentence(kind, address, 12, POLICY.window)
    assert said.startswith("12 ")
    assert said.endswith(" within 5 minutes")
