"""A registry as bytes: what a process publishes every few seconds, and what the monitor reads back."""

import math
import time
from typing import Annotated, Any, Literal, Protocol

import orjson
from prometheus_client import CollectorRegistry
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from shared.metrics.registry import REGISTRY

FamilyType = Literal["counter", "gauge", "histogram", "summary", "info", "stateset", "gaugehistogram", "unknown"]
MetricName = Annotated[str, Field(pattern=r"^[a-zA-Z_:][a-zA-Z0-9_:]{0,199}$")]
LabelName = Annotated[str, Field(pattern=r"^(_?[a-zA-Z][a-zA-Z0-9_]{0,99}|_)$")]


class SnapshotMalformed(Exception):
    """Bytes that are not a snapshot of ours; the text never repeats them."""


class Sample(BaseModel):
    model_config = ConfigDict(frozen=True)

    name: MetricName
    labels: dict[LabelName, str]
    value: float


class Family(BaseModel):
    """All samples of one metric; of a counter, `name` is without `_total`, as prometheus-client has it."""

    model_config = ConfigDict(frozen=True)

    name: MetricName
    type: FamilyType
    doc: str
    samples: tuple[Sample, ...]


class Snapshot(BaseModel):
    model_config = ConfigDict(frozen=True)

    version: Literal[1] = 1
    taken_at: float  # seconds since the epoch, by the clock of the process it is from
    families: tuple[Family, ...]


class SnapshotBus(Protocol):
    async def publish_snapshot(self, body: bytes, *, service: str, instance: str) -> Any: ...


def snapshot(registry: CollectorRegistry = REGISTRY) -> bytes:
    """Everything on the registry, as JSON."""
    families = [
        {
            "name": metric.name,
            "type": metric.type,
            "doc": metric.documentation,
            "samples": [
                {"name": sample.name, "labels": sample.labels, "value": _number(sample.value)}
                for sample in metric.samples
                if not _is_creation_time(metric.type, sample.name)
            ],
        }
        for metric in registry.collect()
    ]
    return orjson.dumps({"version": 1, "taken_at": time.time(), "families": families})


def parse_snapshot(body: bytes) -> Snapshot:
    try:
        return Snapshot.model_validate_json(body)
    except ValidationError as error:
        first = error.errors(include_input=False, include_url=False, include_context=False)[0]
        raise SnapshotMalformed(f"{error.error_count()} fault(s), the first of type {first['type']}") from None


async def publish_snapshot(bus: SnapshotBus, service: str, instance: str) -> int:
    """Job: one snapshot onto the bus, which is the heartbeat too. Nothing is left to do until the next."""
    await bus.publish_snapshot(snapshot(), service=service, instance=instance)
    return 0


def _is_creation_time(family_type: str, sample_name: str) -> bool:
    # The text format has no place for them: each would show up as a gauge of its own that nobody asked for.
    return sample_name.endswith("_created") and family_type in {"counter", "histogram", "summary"}


def _number(value: float) -> float | str:
    # JSON has no infinity, and orjson would write null for it.
    if math.isfinite(value):
        return value
    return "NaN" if math.isnan(value) else ("Infinity" if value > 0 else "-Infinity")
