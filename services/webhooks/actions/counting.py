"""What is counted of events, whoever does something with them."""

import functools

from prometheus_client import Counter

from services.webhooks import domain
from shared import metrics

EVENTS = metrics.counter(
    "webhooks_events_total", "Verified events, by type and what became of them.", ("type", "outcome")
)
VERSION_MISMATCHES = metrics.counter(
    "webhooks_version_mismatch_total", "Events stored that are of another API version than the expected one."
)


def type_label(event_type: str) -> str:
    """Types come from outside, and every label value is memory: those without a meaning here are one."""
    return event_type if event_type in domain.TRANSLATIONS else "other"


def counted_as(event_type: str, outcome: str) -> Counter:
    return _counter(type_label(event_type), outcome)


@functools.lru_cache(maxsize=1024)
def _counter(label: str, outcome: str) -> Counter:
    """To find a labelled counter takes the library longer than to count with it."""
    return EVENTS.labels(label, outcome)
