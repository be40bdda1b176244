"""Figures of a process: what all services count, and how the counts travel to the monitor.

A process knows only itself, so none of its metrics has a `service` or `instance` label: the monitor adds both
when it exposes the snapshots it received (`SnapshotCollector`).
"""

from shared.metrics.collector import SnapshotCollector
from shared.metrics.families import (
    BUS_CONNECTED,
    BUS_CONSUME_SECONDS,
    BUS_CONSUMED,
    BUS_LAST_MESSAGE,
    BUS_PUBLISHED,
    HTTP_CLIENT_REQUESTS,
    HTTP_CLIENT_SECONDS,
    HTTP_IN_PROGRESS,
    HTTP_REFUSED,
    HTTP_REQUESTS,
    HTTP_SECONDS,
    JOB_LAST_SUCCESS,
    JOB_RUNS,
    LOOP_LAG,
    OUTBOX_OLDEST_AGE,
    OUTBOX_PENDING,
    measure_loop_lag,
)
from shared.metrics.registry import REGISTRY, counter, gauge, histogram
from shared.metrics.snapshot import (
    Family,
    Sample,
    Snapshot,
    SnapshotMalformed,
    parse_snapshot,
    publish_snapshot,
    snapshot,
)

__all__ = [
    "BUS_CONNECTED",
    "BUS_CONSUMED",
    "BUS_CONSUME_SECONDS",
    "BUS_LAST_MESSAGE",
    "BUS_PUBLISHED",
    "HTTP_CLIENT_REQUESTS",
    "HTTP_CLIENT_SECONDS",
    "HTTP_IN_PROGRESS",
    "HTTP_REFUSED",
    "HTTP_REQUESTS",
    "HTTP_SECONDS",
    "JOB_LAST_SUCCESS",
    "JOB_RUNS",
    "LOOP_LAG",
    "OUTBOX_OLDEST_AGE",
    "OUTBOX_PENDING",
    "REGISTRY",
    "Family",
    "Sample",
    "Snapshot",
    "SnapshotCollector",
    "SnapshotMalformed",
    "counter",
    "gauge",
    "histogram",
    "measure_loop_lag",
    "parse_snapshot",
    "publish_snapshot",
    "snapshot",
]
