"""What is counted of snapshots, and for how long."""

from datetime import timedelta

import pytest

from services.monitor.domain.counts import Recent, answered, asked_of_stripe, mailed
from shared.metrics import Family, Sample, Snapshot
from tests.unit.monitor.builders import NOON, a_snapshot

CHECKOUT = ("checkout", "host:1")
OLD, YOUNG = 0.0, NOON.timestamp() + 5
WINDOW = timedelta(minutes=15)


def requests() -> Recent:
    return Recent(NOON, WINDOW, answered)


def counted(*totals: int, started_at: float = OLD) -> int:
    recent = requests()
    for total in totals:
        recent.note(CHECKOUT, a_snapshot(total, started_at=started_at), NOON)
    return recent.all(NOON)["2xx"]


@pytest.mark.parametrize(
    ("totals", "started_at", "expected"),
    [
        ((1000,), OLD, 0),
        ((1000, 1007), OLD, 7),
        ((1000, 1007, 1007), OLD, 7),
        ((3,), YOUNG, 3),
        ((3, 10), YOUNG, 10),
    ],
    ids=["what was before us", "grown", "unchanged", "younger than we", "younger and grown"],
)
def test_requests_are_counted_from_when_we_began_to_look(totals, started_at, expected):
    assert counted(*totals, started_at=started_at) == expected


def test_a_count_that_went_back_adds_nothing():
    assert counted(1000, 5) == 0


def test_what_was_counted_long_ago_is_no_news_after_a_silence():
    recent, later = requests(), NOON + timedelta(days=2)
    recent.note(CHECKOUT, a_snapshot(5000, started_at=YOUNG), NOON)
    assert recent.all(later) == {}  # the broker was away for longer than the window

    recent.note(CHECKOUT, a_snapshot(5003, started_at=YOUNG), later)
    assert recent.all(later) == {}
    recent.note(CHECKOUT, a_snapshot(5005, started_at=YOUNG), later)
    assert recent.all(later) == {"2xx": 2}


@pytest.mark.parametrize("route", ["/readyz", "/healthz", "/metrics", "/live"])
def test_what_machines_ask_all_the_time_is_not_counted(route):
    recent = requests()
    recent.note(CHECKOUT, a_snapshot(50, started_at=YOUNG, route=route), NOON)

    assert recent.all(NOON) == {}


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_count_that_is_none_is_left_out(value):
    recent = requests()
    recent.note(CHECKOUT, a_snapshot(value, started_at=YOUNG), NOON)

    assert recent.all(NOON) == {}


def test_counts_leave_the_window():
    recent = requests()
    recent.note(CHECKOUT, a_snapshot(50, started_at=YOUNG), NOON)
    order = ("POST /v1/orders", "2xx")

    assert recent.all(NOON + timedelta(minutes=10)) == {"2xx": 50}
    assert recent.of("checkout", NOON + timedelta(minutes=10)) == {order: 50}
    assert recent.of("checkout", NOON + timedelta(minutes=10), timedelta(minutes=5)) == {order: 0}
    assert recent.all(NOON + WINDOW + timedelta(minutes=1)) == {}
    assert recent.of("checkout", NOON + WINDOW + timedelta(minutes=1)) == {}


def test_what_happened_lately_is_known_to_the_second():
    recent, order, tick = requests(), ("POST /v1/orders", "2xx"), timedelta(seconds=30)
    recent.note(CHECKOUT, a_snapshot(50, started_at=YOUNG), NOON)
    recent.note(CHECKOUT, a_snapshot(50, started_at=YOUNG), NOON + tick)

    assert recent.happened("checkout", order, NOON + timedelta(seconds=29), tick)
    assert not recent.happened("checkout", order, NOON + tick, tick)
    assert not recent.happened("webhooks", order, NOON, tick)


def test_each_service_has_its_own_and_its_processes_are_added_up():
    recent = requests()
    for process in (CHECKOUT, ("checkout", "host:2"), ("webhooks", "host:3")):
        recent.note(process, a_snapshot(4, started_at=YOUNG), NOON)

    assert recent.of("checkout", NOON) == {("POST /v1/orders", "2xx"): 8}
    assert recent.of("notifier", NOON) == {}
    assert recent.all(NOON) == {"2xx": 12}


def a_counter(name: str, *samples: tuple[dict[str, str], float]) -> Snapshot:
    found = tuple(Sample(name=f"{name}_total", labels=labels, value=value) for labels, value in samples)
    return Snapshot(taken_at=0, families=(Family(name=name, type="counter", doc="", samples=found),))


def test_calls_to_stripe_are_told_from_others():
    snapshot = a_counter(
        "http_client_requests",
        ({"peer": "stripe", "method": "GET", "outcome": "denied"}, 2),
        ({"peer": "stripe", "method": "POST", "outcome": "denied"}, 3),
        ({"peer": "slack", "method": "POST", "outcome": "2xx"}, 7),
    )

    assert asked_of_stripe(snapshot) == {("denied",): 5}


def test_letters_are_counted_by_outcome_whatever_their_kind():
    snapshot = a_counter(
        "notifier_letters",
        ({"kind": "order_confirmation", "outcome": "deferred"}, 2),
        ({"kind": "order_shipped", "outcome": "deferred"}, 3),
    )

    assert mailed(snapshot) == {("deferred",): 5}
