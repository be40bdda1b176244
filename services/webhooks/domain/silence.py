"""When no event is itself a sign: an endpoint that says less than it usually does at this time of the week.

From the counts of the last weeks follows how many events should have come since the last one. Silence is noticed only
once that is several: for a small shop at night it takes half a day, for a busy one at noon some minutes.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from statistics import fmean, median

HOUR = timedelta(hours=1)
WEEK = timedelta(weeks=1)

# One week is no pattern.
FEWEST_WEEKS = 2
# Longer than this we don't add up: whoever is silent for two weeks is known to be.
LONGEST = 2 * WEEK


@dataclass(frozen=True, slots=True)
class Floor:
    """Silence shorter than `after` is none, nor one in which fewer than `events` were to be expected.

    If events come independently of each other, none at all where 6 are usual happens by chance once in 400 times.
    """

    after: timedelta
    events: float


@dataclass(frozen=True, slots=True)
class Silence:
    """`is_silent` is None when there is no pattern yet. `expected` is how many events usually come in such a time."""

    is_silent: bool | None
    expected: float = 0.0


def judge(hours: Mapping[datetime, int], heard_at: datetime | None, now: datetime, floor: Floor) -> Silence:
    """`hours`: the beginning of each hour in which events came, and how many; an hour in between had none."""
    past = {hour: count for hour, count in hours.items() if hour + HOUR <= now}
    if heard_at is None or not past:
        return Silence(None)
    first = min(past)
    if now - first < FEWEST_WEEKS * WEEK:
        return Silence(None)
    expected = _expected(past, first, max(heard_at, now - LONGEST), now)
    return Silence(now - heard_at >= floor.after and expected >= floor.events, expected)


def _expected(hours: Mapping[datetime, int], first: datetime, since: datetime, now: datetime) -> float:
    """How many events usually come between two moments."""
    total, hour = 0.0, _hour_of(since)
    while hour < now:
        share = (min(now, hour + HOUR) - max(since, hour)) / HOUR
        total += share * _usual(hours, first, hour)
        hour += HOUR
    return total


def _usual(hours: Mapping[datetime, int], first: datetime, hour: datetime) -> float:
    """The mean of this hour of the week, in the weeks before. One great sale doesn't make every week's hour greater."""
    counts = []
    before = hour - WEEK
    while before >= first:
        counts.append(hours.get(before, 0))
        before -= WEEK
    if not counts:
        return 0.0
    most = 3 * median(counts) + 1
    return fmean(min(count, most) for count in counts)


def _hour_of(moment: datetime) -> datetime:
    return moment.replace(minute=0, second=0, microsecond=0)
