"""Taking in what Stripe delivers: 2xx means stored."""

import asyncio
import logging
import time
from collections.abc import Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

from services.webhooks import domain
from services.webhooks.actions import SERVICE
from services.webhooks.actions.counting import EVENTS, type_label
from services.webhooks.store import deliveries
from services.webhooks.store.deliveries import Delivery
from shared import metrics, outbox, tracing
from shared.db import Connection, Pool, is_database_away
from shared.errors import Unavailable
from shared.events import SecurityEvent, SecurityEventBodyChanged, SecurityLivemodeMismatch

log = logging.getLogger(__name__)

T = TypeVar("T")

EVENT_AGE = metrics.histogram(
    "webhooks_event_age_seconds",
    "From the time Stripe gives an event to the moment it is stored here.",
    buckets=(0.5, 1, 2, 5, 10, 30, 60, 300, 1800, 7200, 43200, 259200),
)

# What we tell Stripe of the wait; it keeps to its own schedule, others in front of us may not.
RETRY_AFTER_S = 5

OTHER_MODE = domain.OTHER_MODE
OF_NO_INTEREST = domain.OF_NO_INTEREST


class NotStored(Unavailable):
    """The event could not be stored in time; whether it was, nobody knows, and a repeat does no harm."""

    code = "event_not_stored"
    title = "The event could not be stored; send it again"


@dataclass(frozen=True, slots=True)
class Request:
    """What is kept of a request beside its body."""

    headers: Mapping[str, str]
    client_address: str | None


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
        if not await deliveries.insert_delivery(conn, delivery):
            return await _repeated(conn, delivery)
        if delivery.error == OTHER_MODE:
            detail = f"{delivery.event.id} says livemode={delivery.event.livemode}; it is not passed on"
            await _raise_alarm(conn, SecurityLivemodeMismatch, delivery, detail)
            return "other_mode"
    return delivery.state


async def _repeated(conn: Connection, delivery: Delivery) -> str:
    if await deliveries.select_digest(conn, delivery.event.id) in {delivery.event.digest, None}:
        return "duplicate"  # None: it was fetched in another rendering, which can't be compared
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
