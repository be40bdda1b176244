"""Many processes' snapshots as one page of metrics, for the monitor's `/metrics`.

The scrape needs `honor_labels: true`: `instance` and `service` say where a sample is from, not whom
Prometheus asked. The monitor exposes only this collector, never its own registry beside it: its own snapshot
arrives like the others'.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from prometheus_client import Metric
from prometheus_client.registry import Collector

from shared.metrics.snapshot import Family, Sample, Snapshot

# A process publishes every 5 s by default: after six missed ones its figures say nothing about now.
STALE_AFTER_S = 30.0
RECEIVED = "snapshot_received_timestamp_seconds"


@dataclass(frozen=True)
class Received:
    """A snapshot and when it came, by our own clock: senders' clocks may differ."""

    snapshot: Snapshot
    at: float


class SnapshotCollector(Collector):
    """Keeps the newest snapshot of each process, and forgets those of processes that stopped sending."""

    def __init__(self, stale_after_s: float = STALE_AFTER_S, clock: Callable[[], float] = time.time) -> None:
        self._stale_after_s = stale_after_s
        self._clock = clock
        self._newest: dict[tuple[str, str], Received] = {}

    def put(self, service: str, instance: str, snapshot: Snapshot) -> None:
        self._forget_stale()
        self._newest[service, instance] = Received(snapshot, self._clock())

    def drop(self, service: str, instance: str) -> None:
        self._newest.pop((service, instance), None)

    def processes(self) -> dict[tuple[str, str], Received]:
        """What is known of every process that still sends, by (service, instance)."""
        self._forget_stale()
        return dict(self._newest)

    def describe(self) -> Iterable[Metric]:
        return []  # what is here depends on what arrives; this also keeps registration from collecting

    def collect(self) -> Iterator[Metric]:
        merged: dict[str, Metric] = {RECEIVED: Metric(RECEIVED, "When the process's newest figures came.", "gauge")}
        for (service, instance), received in sorted(self.processes().items()):
            origin = {"service": service, "instance": instance}
            merged[RECEIVED].add_sample(RECEIVED, origin, received.at)
            for family in received.snapshot.families:
                _merge(merged, family, origin)
        yield from merged.values()

    def _forget_stale(self) -> None:
        oldest = self._clock() - self._stale_after_s
        self._newest = {key: received for key, received in self._newest.items() if received.at >= oldest}


def _merge(merged: dict[str, Metric], family: Family, origin: dict[str, str]) -> None:
    metric = merged.setdefault(family.name, Metric(family.name, family.doc, family.type))
    if metric.type != family.type:
        return  # two releases disagree about it for the length of a deployment; one name can't have two types
    for sample in family.samples:
        metric.add_sample(sample.name, _labels(sample, origin), sample.value)


def _labels(sample: Sample, origin: dict[str, str]) -> dict[str, str]:
    # A process's own label of that name keeps its value under Prometheus's name for such a clash.
    own = {f"exported_{name}" if name in origin else name: value for name, value in sample.labels.items()}
    return {**own, **origin}
