"""Taking in what Stripe delivers, and passing it on."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from datetime import timedelta
from typing import Any, TypeVar

import orjson

from services.webhooks import domain, store
from services.webhooks.store import Delivery, Waiting
from shared import events, metrics, outbox, tracing
from shared.bus import Bus, Message
from shared.db import Connection, Pool, is_database_away
from shared.errors import Unavailable
from shared.events import Event, SecurityEvent, SecurityEventBodyChanged, SecurityLivemodeMismatch

log = logging.getLogger(__name__)

T = TypeVar("T")

SERVICE = "webhooks"

EVENTS = metrics.counter(
    "webhooks_events_total", "Verified events, by type and what became of them.", ("type", "outcome")
)
EVENT_AGE = metrics.histogram(
    "webhooks_event_age_seconds",
    "From the time Stripe gives an event to the moment it is stored here.",
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200, 43200, 259200),
)

# Enough for a burst to share one transaction and its confirms, few enough to be done well within a second.
BATCH = 200

# How long an event that the broker would not take rests before it is tried again.
REST_AFTER_REFUSAL = timedelta(seconds=5)

# What we tell Stripe of the wait; it keeps to its own schedule, others in front of us may not.
RETRY_AFTER_S = 5

OTHER_MODE = "the event is of the other mode"
OF_NO_INTEREST = "no other service hears of this"


class NotStored(Unavailable):
    """The event could not be stored in time; whether it was, nobody knows, and a repeat does no harm."""

    code = "event_not_stored"
    title = "The event could not be stored; send it again"


@dataclass(frozen=True, slots=True)
class Request:
    """What is kept of a request beside its body."""

    headers: Mapping[str, str]
    client_address: str | None


def type_label(event_type: str) -> str:
    """Types come from outside, and every label value is memory: those without a meaning here are one."""
    return event_type if event_type in domain.TRANSLATIONS else "other"


async def receive(pool: Pool, body: bytes, request: Request, livemode: bool, timeout_s: float) -> None:
    """Stores a verified event; when this returns, it is durable. Safe to repeat.

    Raises EventMalformed for a body that is no event, NotStored when the database is away or takes longer
    than `timeout_s`.
    """
    event = domain.read(body)
    # The payment's own trace goes on here; the request that brought the news is a trace of Stripe's making.
    request_trace = tracing.current_traceparent()
    with tracing.span("receive stripe event", kind="consumer", parent=event.traceparent, link=request_trace):
        delivery = _delivery(event, body, request, livemode)
        try:
            outcome = await _within(timeout_s, _store(pool, delivery))
        except Exception as error:
            if not is_database_away(error):
                raise
            log.warning("event not stored", extra={"reason": type(error).__name__})
            raise NotStored(retry_after_s=RETRY_AFTER_S) from error
    EVENTS.labels(type=type_label(event.type), outcome=outcome).inc()
    if event.created is not None and outcome == delivery.state:
        EVENT_AGE.observe(max(0.0, time.time() - event.created))


def _delivery(event: domain.StripeEvent, body: bytes, request: Request, livemode: bool) -> Delivery:
    reason = None
    if event.livemode is (not livemode):
        reason = OTHER_MODE
    elif event.type not in domain.TRANSLATIONS:
        reason = OF_NO_INTEREST
    return Delivery(
        event=event,
        body=body,
        headers=request.headers,
        client_address=request.client_address,
        traceparent=tracing.current_traceparent() or event.traceparent,
        state="ignored" if reason else "received",
        error=reason,
    )


async def _store(pool: Pool, delivery: Delivery) -> str:
    async with pool.request() as conn:
        if not await store.insert_delivery(conn, delivery):
            return await _repeated(conn, delivery)
        if delivery.error == OTHER_MODE:
            detail = f"{delivery.event.id} says livemode={delivery.event.livemode}; it is not passed on"
            await _raise_alarm(conn, SecurityLivemodeMismatch, delivery, detail)
            return "other_mode"
    return delivery.state


async def _repeated(conn: Connection, delivery: Delivery) -> str:
    if await store.select_digest(conn, delivery.event.id) == delivery.event.digest:
        return "duplicate"
    detail = f"{delivery.event.id} came again and says something else; what came first stands"
    await _raise_alarm(conn, SecurityEventBodyChanged, delivery, detail)
    return "body_changed"


async def _raise_alarm(conn: Connection, alarm: type[SecurityEvent], delivery: Delivery, detail: str) -> None:
    await outbox.stage(
        conn,
        alarm(severity="critical", service=SERVICE, client_address=delivery.client_address, detail=detail),
    )


async def _within(seconds: float, work: Coroutine[Any, Any, T]) -> T:
    """Waits no longer than that: cancelling a statement would first wait for the server's word."""
    task = asyncio.create_task(work)
    await asyncio.wait({task}, timeout=seconds)
    if not task.done():
        task.add_done_callback(_take_note)
        task.cancel()
        raise TimeoutError
    return task.result()


def _take_note(task: asyncio.Task[Any]) -> None:
    """What an abandoned task ends with is of no use any more, but has to be looked at."""
    if not task.cancelled():
        task.exception()


@dataclass(slots=True)
class _Sorted:
    """A batch, by what is to become of it."""

    messages: dict[str, Message]
    ignored: list[str]
    failed: dict[str, str]


async def publish_batch(pool: Pool, bus: Bus, limit: int = BATCH) -> int:
    """Publishes the oldest events that wait, and marks them; answers how many are settled.

    One transaction, held while the broker confirms: after a crash in between they are published again, under
    the same ids. An event that can't be translated is marked as failed and holds nobody up.
    """
    async with pool.worker() as conn:
        waiting = await store.claim_waiting(conn, limit)
        if not waiting:
            return 0
        batch = _sort(waiting)
        refused = await bus.publish(list(batch.messages.values())) if batch.messages else {}
        reasons = {key: refused[message.id] for key, message in batch.messages.items() if message.id in refused}
        await _mark(conn, batch, reasons)
    _count(waiting, batch, reasons)
    return len(waiting) - len(reasons)


def _sort(waiting: list[Waiting]) -> _Sorted:
    batch = _Sorted({}, [], {})
    for row in waiting:
        try:
            event = domain.translate(orjson.loads(row.body))
        except domain.Untranslatable as error:
            batch.failed[row.stripe_event_id] = str(error)
            continue
        except Exception as error:  # a bug, and of one event alone; its text may repeat what a customer wrote
            batch.failed[row.stripe_event_id] = f"not translated: {type(error).__name__}"
            continue
        if event is None:
            batch.ignored.append(row.stripe_event_id)
        else:
            batch.messages[row.stripe_event_id] = _message(event, row.traceparent)
    return batch


def _message(event: Event, traceparent: str | None) -> Message:
    return Message(event.id, event.type, events.encode(event), traceparent)


async def _mark(conn: Connection, batch: _Sorted, reasons: Mapping[str, str]) -> None:
    if published := [key for key in batch.messages if key not in reasons]:
        await store.update_published(conn, published)
    if batch.ignored:
        await store.update_ignored(conn, batch.ignored, OF_NO_INTEREST)
    for key, error in batch.failed.items():
        await store.update_failed(conn, key, error)
    if reasons:
        await store.update_due(conn, list(reasons), next(iter(reasons.values())), REST_AFTER_REFUSAL)


def _count(waiting: list[Waiting], batch: _Sorted, reasons: Mapping[str, str]) -> None:
    for row in waiting:
        key, outcome = row.stripe_event_id, "published"
        if key in batch.failed:
            outcome = "failed"
            log.error("event not translated", extra={"stripe_event_id": key, "reason": batch.failed[key]})
        elif key in batch.ignored:
            outcome = "ignored"
        elif key in reasons:
            outcome = "refused"
            log.warning("event not taken by the broker", extra={"stripe_event_id": key, "reason": reasons[key]})
        EVENTS.labels(type=type_label(row.type), outcome=outcome).inc()
