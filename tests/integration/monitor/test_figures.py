"""What Prometheus scrapes: everybody's figures, told apart, in its own format."""

import os
import time

import pytest
from prometheus_client import CollectorRegistry, Counter, Gauge
from prometheus_client.parser import text_string_to_metric_families

from services.monitor import actions
from shared.metrics import parse_snapshot, snapshot
from tests import promtool
from tests.integration.monitor.conftest import wait_until


def scraped(desk) -> dict[str, list]:
    """Samples by name, as Prometheus would read them."""
    found: dict[str, list] = {}
    for family in text_string_to_metric_families(actions.expose(desk).decode()):
        for sample in family.samples:
            found.setdefault(sample.name, []).append(sample)
    return found


def a_service(**labels: str) -> CollectorRegistry:
    registry = CollectorRegistry()
    Counter("orders_total", "Orders.", list(labels), registry=registry).labels(*labels.values()).inc(3)
    Gauge("outbox_pending", "Events waiting.", registry=registry).set(4)
    return registry


def hear(desk, service: str, instance: str, registry: CollectorRegistry) -> None:
    actions.hear(desk.sightings, snapshot(registry), {"service": service, "instance": instance})


def origins(samples: list) -> set[tuple[str, str]]:
    return {(sample.labels["service"], sample.labels["instance"]) for sample in samples}


async def test_every_process_is_exposed_with_its_service_and_instance(desk):
    hear(desk, "checkout", "host:1", a_service(kind="retail"))
    hear(desk, "checkout", "host:2", a_service(kind="retail"))
    hear(desk, "webhooks", "host:1", a_service(kind="retail"))

    assert origins(scraped(desk)["orders_total"]) == {
        ("checkout", "host:1"),
        ("checkout", "host:2"),
        ("webhooks", "host:1"),
    }


async def test_a_label_of_that_name_is_kept_under_another(desk):
    hear(desk, "checkout", "host:1", a_service(service="mine", instance="own"))

    (sample,) = scraped(desk)["orders_total"]
    assert sample.labels == {
        "service": "checkout",
        "instance": "host:1",
        "exported_service": "mine",
        "exported_instance": "own",
    }


async def test_odd_values_of_labels_are_escaped(desk):
    hear(desk, "checkout", "host:1", a_service(kind='a"b\\c\nd é'))

    assert scraped(desk)["orders_total"][0].labels["kind"] == 'a"b\\c\nd é'


async def test_figures_of_a_process_that_stopped_sending_are_dropped(make_desk):
    desk, began = make_desk(stale_after_s=0.2), time.monotonic()
    hear(desk, "checkout", "host:1", a_service(kind="retail"))
    assert "orders_total" in scraped(desk) or time.monotonic() - began > 0.2

    await wait_until(lambda: "orders_total" not in scraped(desk))


async def test_our_own_figures_are_there_without_a_broker_and_once(desk):
    await actions.evaluate(desk)
    own = parse_snapshot(snapshot())
    desk.sightings.hear("monitor", desk.settings.instance, own, desk.sightings.heard["monitor"])

    found = scraped(desk)
    assert origins(found["monitor_incidents_open"]) == {("monitor", "host:1")}
    assert [sample.labels["severity"] for sample in found["monitor_incidents_open"]] == ["warning", "critical"]
    assert {"monitor.on_event", "checkout.on_mail"} <= {each.labels["queue"] for each in found["monitor_dead_letters"]}
    assert {each.labels["source"] for each in found["monitor_snapshot_age_seconds"]} >= {"checkout", "notifier"}


@pytest.mark.parametrize(
    ("body", "headers"),
    [
        (b"not json", {"service": "checkout", "instance": "host:1"}),
        (b"{}", {"service": "checkout", "instance": "host:1"}),
        (None, {}),
        (None, {"service": "check out", "instance": "host:1"}),
        (None, {"service": "checkout", "instance": "x" * 201}),
    ],
)
async def test_a_snapshot_that_can_not_be_read_is_refused_and_harms_nobody(desk, body, headers):
    hear(desk, "webhooks", "host:1", a_service(kind="retail"))
    actions.hear(desk.sightings, body if body is not None else snapshot(a_service(kind="retail")), headers)

    assert origins(scraped(desk)["orders_total"]) == {("webhooks", "host:1")}


async def test_more_processes_than_any_shop_has_do_not_fill_the_memory(desk):
    for number in range(600):
        hear(desk, "checkout", f"host:{number}", a_service(kind="retail"))

    assert len(desk.sightings.figures.processes()) == 500


async def test_promtool_finds_nothing_to_complain_about(desk, tmp_path):
    tool = promtool.find(tmp_path)
    for service in ("checkout", "webhooks", "notifier"):
        actions.hear(desk.sightings, snapshot(), {"service": service, "instance": "host:1"})
    await actions.evaluate(desk)

    assert promtool.check(tool, actions.expose(desk)) == ""


async def test_promtool_is_really_asked(tmp_path):
    assert "help" in promtool.check(promtool.find(tmp_path), b"# TYPE x_total gauge\nx_total 1\n").lower()


def test_in_ci_a_missing_promtool_fails(tmp_path, monkeypatch):
    monkeypatch.setattr(promtool, "KEPT", tmp_path / "nowhere")
    monkeypatch.setattr(os, "geteuid", lambda: 1000)
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setenv("CI", "true")

    with pytest.raises(pytest.fail.Exception):
        promtool.find(tmp_path)
