"""The monitor's memory: heartbeats, requests of the last minutes, gauges."""

from datetime import timedelta

import pytest

from services.monitor.domain.probes import read_probe
from services.monitor.domain.sightings import WINDOW, Requests, Sightings
from tests.unit.monitor.builders import NOON, a_snapshot, ago

CHECKOUT = ("checkout", "host:1")
OLD, YOUNG = 0.0, NOON.timestamp() + 5


def counted(*totals: int, started_at: float = OLD) -> int:
    requests = Requests(started_at=NOON)
    for total in totals:
        requests.note(CHECKOUT, a_snapshot(total, started_at=started_at), NOON)
    return requests.recent(NOON).get("2xx", 0)


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


@pytest.mark.parametrize("route", ["/readyz", "/healthz", "/metrics", "/live"])
def test_what_machines_ask_all_the_time_is_not_counted(route):
    requests = Requests(started_at=NOON)
    requests.note(CHECKOUT, a_snapshot(50, started_at=YOUNG, route=route), NOON)

    assert requests.recent(NOON) == {}


@pytest.mark.parametrize("value", [float("inf"), float("nan")])
def test_a_count_that_is_none_is_left_out(value):
    requests = Requests(started_at=NOON)
    requests.note(CHECKOUT, a_snapshot(value, started_at=YOUNG), NOON)

    assert requests.recent(NOON) == {}


def test_requests_leave_the_window():
    requests = Requests(started_at=NOON)
    requests.note(CHECKOUT, a_snapshot(50, started_at=YOUNG), NOON)

    assert requests.recent(NOON + timedelta(minutes=10)) == {"2xx": 50}
    assert requests.recent(NOON + WINDOW + timedelta(minutes=1)) == {}


def test_a_snapshot_is_a_heartbeat():
    sightings = Sightings(ago(60), stale_after_s=1e12)
    sightings.hear("checkout", "host:1", a_snapshot(), ago(7))
    sightings.hear("checkout", "host:2", a_snapshot(), ago(2))

    assert sightings.heard == {"checkout": ago(2)}
    assert (sightings.instances("checkout"), sightings.instances("webhooks")) == (2, 0)


def test_a_gauge_of_several_processes_is_the_highest_since_they_share_one_truth():
    sightings = Sightings(ago(60), stale_after_s=1e12)
    sightings.hear("checkout", "host:1", a_snapshot(outbox_pending=4), NOON)
    sightings.hear("checkout", "host:2", a_snapshot(outbox_pending=6), NOON)

    assert sightings.gauge("checkout", "outbox_pending") == 6
    assert sightings.gauge("webhooks", "outbox_pending") is None


def test_the_broker_is_away_since_the_first_time_it_was_seen_away():
    sightings = Sightings(ago(60), stale_after_s=30)
    for at, is_connected in ((50, True), (40, True), (30, False), (20, False)):
        sightings.notice_broker(is_connected, ago(at), timedelta(seconds=15))

    assert (sightings.broker.is_connected, sightings.broker.since) == (False, ago(30))


@pytest.mark.parametrize(("gap_s", "hears_since"), [(10, ago(50)), (16, ago(24))])
def test_after_we_ourselves_were_stopped_we_have_heard_only_since_then(gap_s, hears_since):
    sightings = Sightings(ago(60), stale_after_s=30)
    for at in (50, 40, 40 - gap_s):
        sightings.notice_broker(True, ago(at), timedelta(seconds=15))

    assert sightings.broker.since == hears_since


@pytest.mark.parametrize(
    ("status", "document", "is_ready", "says"),
    [
        (200, {"status": "ready"}, True, "ready"),
        (503, {"errors": [{"field": "broker", "detail": "is not available"}]}, True, "waits for RabbitMQ"),
        (503, {"errors": [{"field": "broker"}, {"field": "database"}]}, False, "it answers 503, without database"),
        (503, {"code": "draining", "errors": []}, False, "it answers 503"),
        (502, None, False, "it answers 502"),
        (503, {"errors": "odd"}, False, "it answers 503"),
        (503, {"errors": [7, {"field": 7}]}, False, "it answers 503"),
    ],
)
def test_a_service_that_only_waits_for_rabbitmq_is_no_news(status, document, is_ready, says):
    probe = read_probe(status, document, NOON)

    assert (probe.is_ready, probe.says) == (is_ready, says)
