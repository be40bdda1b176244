"""A registry, its snapshot, and many snapshots on one page."""

import math
from pathlib import Path

import orjson
import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.parser import text_string_to_metric_families

from shared import metrics
from shared.metrics import SnapshotCollector, SnapshotMalformed, parse_snapshot, publish_snapshot, snapshot
from tests import promtool


class Clock:
    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def a_registry(paid: int = 1) -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("orders_paid_total", "Orders paid.", ["currency"], registry=registry).labels("usd").inc(paid)
    Histogram("wait_seconds", "Waiting.", buckets=(0.1, 1.0), registry=registry).observe(0.5)
    Gauge("age_seconds", "Age.", registry=registry).set(math.inf)
    return registry


def page_of(collector: SnapshotCollector) -> str:
    registry = CollectorRegistry()
    registry.register(collector)
    return generate_latest(registry).decode()


def test_a_snapshot_reads_back_as_what_was_on_the_registry() -> None:
    families = {family.name: family for family in parse_snapshot(snapshot(a_registry())).families}
    assert families["orders_paid"].type == "counter"
    assert [(s.name, s.labels, s.value) for s in families["orders_paid"].samples] == [
        ("orders_paid_total", {"currency": "usd"}, 1.0)
    ]
    assert [s.labels.get("le") for s in families["wait_seconds"].samples] == ["0.1", "1.0", "+Inf", None, None]
    assert families["age_seconds"].samples[0].value == math.inf


def test_creation_times_are_left_out() -> None:
    assert b"_created" not in snapshot(a_registry())


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"nonsense",
        b"[]",
        b"{}",
        b'{"version": 2, "taken_at": 1, "families": []}',
        b'{"version": 1, "taken_at": 1, "families": [{"name": "a b", "type": "gauge", "doc": "", "samples": []}]}',
        b'{"version": 1, "taken_at": 1, "families": [{"name": "a", "type": "odd", "doc": "", "samples": []}]}',
        b'{"version": 1, "taken_at": 1, "families": [{"name": "a", "type": "gauge", "doc": "",'
        b' "samples": [{"name": "a", "labels": {"__x": "1"}, "value": 1}]}]}',
    ],
)
def test_bytes_that_are_no_snapshot_are_refused_without_being_repeated(body: bytes) -> None:
    with pytest.raises(SnapshotMalformed) as refusal:
        parse_snapshot(body)
    assert "nonsense" not in str(refusal.value)


def test_each_process_keeps_its_own_samples_under_service_and_instance() -> None:
    collector = SnapshotCollector(clock=Clock())
    collector.put("checkout", "box:1", parse_snapshot(snapshot(a_registry(1))))
    collector.put("checkout", "box:2", parse_snapshot(snapshot(a_registry(2))))
    found = {
        (sample.labels["instance"], sample.value)
        for family in text_string_to_metric_families(page_of(collector))
        for sample in family.samples
        if sample.name == "orders_paid_total"
    }
    assert found == {("box:1", 1.0), ("box:2", 2.0)}


def test_a_newer_snapshot_takes_the_place_of_the_older() -> None:
    collector = SnapshotCollector(clock=Clock())
    collector.put("checkout", "box:1", parse_snapshot(snapshot(a_registry(1))))
    collector.put("checkout", "box:1", parse_snapshot(snapshot(a_registry(5))))
    assert page_of(collector).count("orders_paid_total{") == 1


def test_a_process_that_fell_silent_disappears() -> None:
    clock = Clock()
    collector = SnapshotCollector(stale_after_s=30, clock=clock)
    collector.put("checkout", "box:1", parse_snapshot(snapshot(a_registry())))
    clock.now += 31
    assert "box:1" not in page_of(collector)
    assert collector.processes() == {}


def test_a_dropped_process_disappears_at_once() -> None:
    collector = SnapshotCollector(clock=Clock())
    collector.put("checkout", "box:1", parse_snapshot(snapshot(a_registry())))
    collector.drop("checkout", "box:1")
    assert collector.processes() == {}


def test_a_label_that_clashes_keeps_its_value_under_another_name() -> None:
    registry = CollectorRegistry()
    Gauge("up", "Up.", ["service"], registry=registry).labels("other").set(1)
    collector = SnapshotCollector(clock=Clock())
    collector.put("monitor", "box:1", parse_snapshot(snapshot(registry)))
    assert 'up{exported_service="other",instance="box:1",service="monitor"} 1.0' in page_of(collector)


def test_two_releases_that_disagree_about_a_type_do_not_break_the_page() -> None:
    counts, gauges = CollectorRegistry(), CollectorRegistry()
    Counter("orders", "Orders.", registry=counts).inc()
    Gauge("orders", "Orders.", registry=gauges).set(7)
    collector = SnapshotCollector(clock=Clock())
    collector.put("checkout", "box:1", parse_snapshot(snapshot(counts)))
    collector.put("checkout", "box:2", parse_snapshot(snapshot(gauges)))
    assert list(text_string_to_metric_families(page_of(collector)))
    assert " 7.0" not in page_of(collector)


async def test_publishing_gives_the_bus_one_snapshot_and_rests() -> None:
    sent: list[tuple[bytes, str, str]] = []

    class Bus:
        async def publish_snapshot(self, body: bytes, *, service: str, instance: str) -> None:
            sent.append((body, service, instance))

    assert await publish_snapshot(Bus(), "checkout", "box:1") == 0
    assert [(service, instance) for _, service, instance in sent] == [("checkout", "box:1")]
    assert orjson.loads(sent[0][0])["version"] == 1


async def test_loop_lag_is_measured() -> None:
    def count() -> float:
        return metrics.REGISTRY.get_sample_value("event_loop_lag_seconds_count") or 0.0

    before = count()
    assert await metrics.measure_loop_lag() == 0
    assert count() == before + 1


@pytest.mark.parametrize(("name", "is_fine"), [("x_seen_total", True), ("x_seen", False)])
def test_a_counter_is_called_a_total(name: str, is_fine: bool) -> None:
    if is_fine:
        metrics.REGISTRY.unregister(metrics.counter(name, "Seen."))
    else:
        with pytest.raises(ValueError, match="_total"):
            metrics.counter(name, "Seen.")


def test_promtool_has_nothing_to_say_about_the_shared_metrics(tmp_path: Path) -> None:
    collector = SnapshotCollector(clock=Clock())
    collector.put("checkout", "box:1", parse_snapshot(snapshot()))
    collector.put("webhooks", "box:2", parse_snapshot(snapshot()))
    assert promtool.check(promtool.find(tmp_path), page_of(collector).encode()) == ""
