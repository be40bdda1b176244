"""Taking in what Stripe delivers: 2xx means stored."""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Protocol

from services.webhooks import domain
from services.webhooks.actions.counting import VERSION_MISMATCHES, counted_as
from services.webhooks.actions.group_commit import NotStorable
from services.webhooks.store.deliveries import Delivery
from shared import metrics, tracing

EVENT_AGE = metrics.histogram(
    "webhooks_event_age_seconds",
    "From the time Stripe gives an event to the moment it is stored here.",
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200, 43200, 259200),
)


@dataclass(frozen=True, slots=True)
class Request:
    """What is kept of a request beside its body; `signed_at` is the signature's time in Unix seconds."""

    headers: Mapping[str, str]
    client_address: str | None
    signed_at: int | None = None


class Store(Protocol):
    """Where events are made durable: `group_commit.GroupCommit`."""

    async def store(self, delivery: Delivery) -> str: ...


async def receive(store: Store, body: bytes, request: Request, expected: domain.Expected) -> str:
    """Stores a verified event and answers what it was (see `storing.store`); when this returns, it is durable.

    Safe to repeat. Raises EventMalformed for a body that is no event, and what `GroupCommit.store` raises.
    """
    event = domain.read(body)
    # The payment's own trace goes on here; the request that brought the news is a trace of Stripe's making.
    request_trace = tracing.current_traceparent()
    with tracing.span("receive stripe event", kind="consumer", parent=event.traceparent, link=request_trace):
        delivery = _delivery(event, body, request, expected)
        try:
            outcome = await store.store(delivery)
        except NotStorable:
            counted_as(event.type, "not_storable").inc()
            raise
    _count(delivery, outcome)
    return outcome


def _delivery(event: domain.StripeEvent, body: bytes, request: Request, expected: domain.Expected) -> Delivery:
    reason = domain.why_ignored(event, expected.livemode)
    return Delivery(
        event=event,
        body=body,
        headers=request.headers,
        client_address=request.client_address,
        signed_at=request.signed_at,
        traceparent=tracing.current_traceparent() or event.traceparent,
        state="ignored" if reason else "received",
        error=reason,
        version_mismatch=expected.is_other_version(event),
    )


def _count(delivery: Delivery, outcome: str) -> None:
    event = delivery.event
    counted_as(event.type, outcome).inc()
    if outcome not in (delivery.state, "other_mode"):
        return  # it was there before
    if event.created is not None and outcome == delivery.state:
        EVENT_AGE.observe(max(0.0, time.time() - event.created))
    if delivery.version_mismatch:
        VERSION_MISMATCHES.inc()
