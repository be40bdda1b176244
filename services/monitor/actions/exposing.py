"""The one page of metrics that Prometheus scrapes: every process of every service, the monitor's own among them."""

from datetime import UTC, datetime

from prometheus_client import CollectorRegistry, generate_latest

from services.monitor.actions.desk import Desk
from services.monitor.actions.figures import SNAPSHOT_AGE
from shared.metrics import parse_snapshot, snapshot


def expose(desk: Desk) -> bytes:
    """The newest figures in Prometheus's text format, each with the service and instance it is from.

    Our own are taken fresh: they are here even when no broker carries them. They replace those that came by broker,
    so nothing is counted twice.
    """
    sightings, settings = desk.sightings, desk.settings
    now = datetime.now(UTC)
    for service, at in sightings.heard.items():
        SNAPSHOT_AGE.labels(source=service).set((now - at).total_seconds())
    sightings.figures.put("monitor", settings.instance, parse_snapshot(snapshot()))
    registry = CollectorRegistry()
    registry.register(sightings.figures)
    return generate_latest(registry)
