"""How often things happened lately, from counters that only grow and begin anew with their process."""

from collections import Counter
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta

from shared.metrics import Sample, Snapshot

Key = tuple[str, ...]
Read = Callable[[Snapshot], Counter[Key]]

# Routes that machines ask all the time and that say nothing about shoppers.
UNCOUNTED_ROUTES = frozenset({"/healthz", "/readyz", "/metrics", "/live"})

# Beyond this a count is none: infinity, or not a number (which compares as false).
MOST_COUNTED = 1e15


class Recent:
    """What the processes of all services counted in each of the last minutes. `read` gives a snapshot's totals."""

    def __init__(self, started_at: datetime, window: timedelta, read: Read) -> None:
        self._started_at = started_at
        self._window = window
        self._read = read
        self._last: dict[tuple[str, str], tuple[datetime, Counter[Key]]] = {}
        self._minutes: dict[datetime, Counter[Key]] = {}
        self._counted_at: dict[Key, datetime] = {}

    def note(self, process: tuple[str, str], snapshot: Snapshot, now: datetime) -> None:
        """Counts what a process did since its last snapshot."""
        service, totals = process[0], self._read(snapshot)
        known = self._last.get(process)
        if known is not None:
            before = known[1]
        elif _started(snapshot) >= max(self._started_at, now - self._window).timestamp():
            before = Counter()  # it is younger than we and the window are: all it ever did is news
        else:
            before = totals
        minute = self._minutes.setdefault(now.replace(second=0, microsecond=0), Counter())
        grown = {(service, *key): count - before[key] for key, count in totals.items() if count > before[key]}
        minute.update(grown)
        self._counted_at |= dict.fromkeys(grown, now)
        self._last[process] = (now, totals)
        self._forget(now)

    def of(self, service: str, now: datetime, within: timedelta | None = None) -> dict[Key, int]:
        """A service's counts of the window, or of a part of it; 0 for what its processes did only before."""
        counted = self._sum(now, within)
        known = {key for (owner, _), (_, totals) in self._last.items() if owner == service for key in totals}
        return {key: counted[service, *key] for key in known}

    def happened(self, service: str, key: Key, now: datetime, within: timedelta) -> bool:
        """Whether a service counted any of these so lately."""
        at = self._counted_at.get((service, *key))
        return at is not None and now - at < within

    def all(self, now: datetime) -> Counter[str]:
        """Counts of the window by the last part of their key, whoever counted them."""
        found: Counter[str] = Counter()
        for key, count in self._sum(now, None).items():
            found[key[-1]] += count
        return found

    def _sum(self, now: datetime, within: timedelta | None) -> Counter[Key]:
        self._forget(now)
        oldest = now - (within or self._window)
        return sum((count for minute, count in self._minutes.items() if minute > oldest), Counter())

    def _forget(self, now: datetime) -> None:
        oldest = now - self._window
        self._minutes = {minute: count for minute, count in self._minutes.items() if minute > oldest}
        self._last = {key: entry for key, entry in self._last.items() if entry[0] > oldest}
        self._counted_at = {key: at for key, at in self._counted_at.items() if at > oldest}


def answered(snapshot: Snapshot) -> Counter[Key]:
    """Requests by route ("POST /v1/orders") and status class ("2xx")."""
    totals: Counter[Key] = Counter()
    for labels, count in _counted(snapshot, "http_requests"):
        if labels.get("route") not in UNCOUNTED_ROUTES:
            route = f"{labels.get('method', '')} {labels.get('route', '')}"
            totals[route, labels.get("status_class", "")] += count
    return totals


def asked_of_stripe(snapshot: Snapshot) -> Counter[Key]:
    """Calls to Stripe by their outcome."""
    totals: Counter[Key] = Counter()
    for labels, count in _counted(snapshot, "http_client_requests"):
        if labels.get("peer") == "stripe":
            totals[(labels.get("outcome", ""),)] += count
    return totals


def mailed(snapshot: Snapshot) -> Counter[Key]:
    """Letters to customers, and tries to send them, by what came of them."""
    totals: Counter[Key] = Counter()
    for labels, count in _counted(snapshot, "notifier_letters"):
        totals[(labels.get("outcome", ""),)] += count
    return totals


def samples(snapshot: Snapshot, family: str) -> Iterator[Sample]:
    """All samples of a family."""
    for each in snapshot.families:
        if each.name == family:
            yield from each.samples


def _counted(snapshot: Snapshot, family: str) -> Iterator[tuple[dict[str, str], int]]:
    for sample in samples(snapshot, family):
        if sample.value < MOST_COUNTED and sample.name == f"{family}_total":
            yield sample.labels, int(sample.value)


def _started(snapshot: Snapshot) -> float:
    found = next(samples(snapshot, "process_start_time_seconds"), None)
    return found.value if found else 0.0
