"""The registry of this process, and the constructors that put a metric on it."""

from collections.abc import Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.process_collector import ProcessCollector

REGISTRY = CollectorRegistry(auto_describe=True)
ProcessCollector(registry=REGISTRY)

# From a cache hit to the timeout of a call to Stripe.
SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)


def counter(name: str, doc: str, labels: Sequence[str] = ()) -> Counter:
    """A count that only grows. Its name ends in `_total`."""
    if not name.endswith("_total"):
        raise ValueError(f"counter {name} has to end in _total")
    return Counter(name, doc, labels, registry=REGISTRY)


def gauge(name: str, doc: str, labels: Sequence[str] = ()) -> Gauge:
    """A value that goes up and down."""
    return Gauge(name, doc, labels, registry=REGISTRY)


def histogram(name: str, doc: str, labels: Sequence[str] = (), buckets: Sequence[float] = SECONDS) -> Histogram:
    """A distribution, in base units: the name says which, such as `_seconds`."""
    return Histogram(name, doc, labels, registry=REGISTRY, buckets=buckets)
