"""The monitor's memory: heartbeats, gauges, whether it can hear."""

from datetime import timedelta

import pytest

from services.monitor.domain.probes import read_probe
from services.monitor.domain.sightings import Sightings
from tests.unit.monitor.builders import NOON, a_snapshot, ago


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
