"""When to look for undelivered events, and how far back."""

from dataclasses import dataclass
from datetime import datetime, timedelta

# Stripe lists no further back: docs.stripe.com/webhooks/process-undelivered-events. A minute less, for the clocks.
REACH = timedelta(days=30) - timedelta(minutes=1)

SHORTEST_REST_S, LONGEST_REST_S = 2.0, 300.0
WIDENS_BY = 1.5


@dataclass(frozen=True, slots=True)
class Pace:
    """`interval` after a sweep that found something, widening to `idle`. Each sweep begins `overlap` before the last:
    for events that were listed late, and for clocks that differ."""

    interval: timedelta
    idle: timedelta
    overlap: timedelta


@dataclass(frozen=True, slots=True)
class Reach:
    """From when a sweep looks. `is_too_late`: what was created before can't be listed any more."""

    since: datetime
    is_too_late: bool


def reach(swept_until: datetime | None, now: datetime, pace: Pace) -> Reach:
    """A first sweep takes all that Stripe still lists."""
    earliest = now - REACH
    if swept_until is None:
        return Reach(earliest, False)
    wanted = swept_until - pace.overlap
    return Reach(max(wanted, earliest), swept_until < earliest)


def next_interval_s(previous_s: float, stored: int, pace: Pace) -> float:
    """The pause until the next sweep: short while there is something to find, wider the longer there is nothing."""
    shortest = pace.interval.total_seconds()
    if stored:
        return shortest
    return min(max(previous_s * WIDENS_BY, shortest), max(pace.idle.total_seconds(), shortest))


def rest_s(failures: int) -> float:
    """How long to leave Stripe alone after so many failures in a row: 2 s, 4 s, … 5 minutes."""
    return min(SHORTEST_REST_S * 2.0 ** min(failures - 1, 30), LONGEST_REST_S)
