"""What this process has seen since it started, kept in memory: it is about now, and the next snapshot renews it."""

from collections.abc import Mapping
from datetime import datetime, timedelta

from services.monitor.domain.absence import Absence
from services.monitor.domain.counts import Recent, answered, asked_of_stripe, mailed, samples
from services.monitor.domain.facts import Broker, Probe
from shared.metrics import Snapshot, SnapshotCollector

# Of what the page shows.
WINDOW = timedelta(minutes=15)


class Sightings:
    """The memory of one monitor."""

    def __init__(self, started_at: datetime, stale_after_s: float) -> None:
        self.started_at = started_at
        self.figures = SnapshotCollector(stale_after_s=stale_after_s)
        self.heard: dict[str, datetime] = {}
        self.broken: Mapping[str, str] | None = None  # invariants that don't hold; None: not known
        self.unasked: Mapping[str, int] | None = None  # for how many rounds an invariant could not be asked
        self.requests = Recent(started_at, WINDOW, answered)
        self.calls = Recent(started_at, WINDOW, asked_of_stripe)
        self.letters = Recent(started_at, timedelta(hours=1), mailed)
        self.broker = Broker(is_connected=False, since=started_at)
        self._looked_at = started_at
        self.absence: Absence | None = None  # of PostgreSQL
        self.readiness: dict[str, Probe] = {}
        self.dead_letters: Mapping[str, int] | None = None

    def hear(self, service: str, instance: str, snapshot: Snapshot, now: datetime) -> None:
        """Takes a snapshot in, which is the sender's heartbeat too."""
        self.figures.put(service, instance, snapshot)
        self.heard[service] = now
        for counts in (self.requests, self.calls, self.letters):
            counts.note((service, instance), snapshot, now)

    def notice_broker(self, is_connected: bool, now: datetime, longest_gap: timedelta) -> None:
        """Looked at every moment. When we ourselves were stopped for a while (a paused machine, a starved process),
        what was sent meanwhile still waits to be read: then we have been able to hear only since now."""
        was_stopped = now - self._looked_at > longest_gap
        self._looked_at = now
        if is_connected != self.broker.is_connected or (is_connected and was_stopped):
            self.broker = Broker(is_connected, now)

    def instances(self, service: str) -> int:
        return sum(1 for name, _ in self.figures.processes() if name == service)

    def gauge(self, service: str, name: str) -> float | None:
        """The highest of a service's gauges of that name: its processes share one database and one truth."""
        found = [
            sample.value
            for (owner, _), received in self.figures.processes().items()
            if owner == service
            for sample in samples(received.snapshot, name)
        ]
        return max(found, default=None)

    def labels_at_one(self, service: str, name: str, label: str) -> tuple[str, ...]:
        """The values of a label for which any process of a service has its gauge at 1, in order of the alphabet."""
        found = {
            sample.labels.get(label, "")
            for (owner, _), received in self.figures.processes().items()
            if owner == service
            for sample in samples(received.snapshot, name)
            if sample.value == 1
        }
        return tuple(sorted(found))

    def gauges(self, service: str, name: str, label: str) -> dict[str, float]:
        """A service's gauges of that name by one of their labels, the lowest of each among its processes."""
        found: dict[str, float] = {}
        for (owner, _), received in self.figures.processes().items():
            for sample in samples(received.snapshot, name) if owner == service else ():
                key = sample.labels.get(label, "")
                found[key] = min(sample.value, found.get(key, sample.value))
        return found
