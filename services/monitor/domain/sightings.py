"""What this process has seen since it started, kept in memory: it is about now, and the next snapshot renews it."""

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import datetime, timedelta

from services.monitor.domain.facts import Broker, Probe
from shared.metrics import Sample, Snapshot, SnapshotCollector

WINDOW = timedelta(minutes=15)

# Routes that machines ask all the time and that say nothing about shoppers.
UNCOUNTED_ROUTES = frozenset({"/healthz", "/readyz", "/metrics", "/live"})

# Beyond this a count is none: infinity, or not a number (which compares as false).
MOST_COUNTED = 1e15


class Requests:
    """How many requests all services answered in each of the last minutes, from counters that only grow."""

    def __init__(self, started_at: datetime) -> None:
        self._started_at = started_at
        self._last: dict[tuple[str, str], tuple[datetime, Counter[str]]] = {}
        self._minutes: dict[datetime, Counter[str]] = {}

    def note(self, process: tuple[str, str], snapshot: Snapshot, now: datetime) -> None:
        """Counts what a process answered since its last snapshot."""
        totals = _answered(snapshot)
        known = self._last.get(process)
        if known is not None:
            before = known[1]
        elif _started(snapshot) >= self._started_at.timestamp():
            before = Counter()  # it is younger than we are: all it ever answered is news
        else:
            before = totals
        minute = self._minutes.setdefault(now.replace(second=0, microsecond=0), Counter())
        minute.update({key: count - before[key] for key, count in totals.items() if count > before[key]})
        self._last[process] = (now, totals)
        self._forget(now)

    def recent(self, now: datetime) -> Mapping[str, int]:
        """Answers of the window by status class ("2xx")."""
        self._forget(now)
        return sum(self._minutes.values(), Counter())

    def _forget(self, now: datetime) -> None:
        oldest = now - WINDOW
        self._minutes = {minute: count for minute, count in self._minutes.items() if minute > oldest}
        self._last = {key: entry for key, entry in self._last.items() if entry[0] > oldest}


class Sightings:
    """The memory of one monitor."""

    def __init__(self, started_at: datetime, stale_after_s: float) -> None:
        self.started_at = started_at
        self.figures = SnapshotCollector(stale_after_s=stale_after_s)
        self.heard: dict[str, datetime] = {}
        self.broken: Mapping[str, str] | None = None  # invariants that don't hold; None: not known
        self.requests = Requests(started_at)
        self.broker = Broker(is_connected=False, since=started_at)
        self._looked_at = started_at
        self.readiness: dict[str, Probe] = {}
        self.dead_letters: Mapping[str, int] | None = None

    def hear(self, service: str, instance: str, snapshot: Snapshot, now: datetime) -> None:
        """Takes a snapshot in, which is the sender's heartbeat too."""
        self.figures.put(service, instance, snapshot)
        self.heard[service] = now
        self.requests.note((service, instance), snapshot, now)

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
            for sample in _samples(received.snapshot, name)
        ]
        return max(found, default=None)

    def labels_at_one(self, service: str, name: str, label: str) -> tuple[str, ...]:
        """The values of a label for which any process of a service has its gauge at 1, in order of the alphabet."""
        found = {
            sample.labels.get(label, "")
            for (owner, _), received in self.figures.processes().items()
            if owner == service
            for sample in _samples(received.snapshot, name)
            if sample.value == 1
        }
        return tuple(sorted(found))

    def gauges(self, service: str, name: str, label: str) -> dict[str, float]:
        """A service's gauges of that name by one of their labels, the lowest of each among its processes."""
        found: dict[str, float] = {}
        for (owner, _), received in self.figures.processes().items():
            for sample in _samples(received.snapshot, name) if owner == service else ():
                key = sample.labels.get(label, "")
                found[key] = min(sample.value, found.get(key, sample.value))
        return found


def _samples(snapshot: Snapshot, family: str) -> Iterator[Sample]:
    for each in snapshot.families:
        if each.name == family:
            yield from each.samples


def _answered(snapshot: Snapshot) -> Counter[str]:
    totals: Counter[str] = Counter()
    for family in snapshot.families:
        if family.name == "http_requests":
            for sample in family.samples:
                if sample.labels.get("route") not in UNCOUNTED_ROUTES and sample.value < MOST_COUNTED:
                    totals[sample.labels.get("status_class", "")] += int(sample.value)
    return totals


def _started(snapshot: Snapshot) -> float:
    for family in snapshot.families:
        if family.name == "process_start_time_seconds" and family.samples:
            return family.samples[0].value
    return 0.0
