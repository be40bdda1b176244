"""Passing on what is stored, with confirms, and marking it."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta

import orjson

from services.webhooks import domain
from services.webhooks.actions.counting import counted_as
from services.webhooks.store import publishing
from services.webhooks.store.publishing import Waiting
from shared import events
from shared.bus import Bus
from shared.db import Connection, Pool
from shared.events import Event
from shared.publishing import Message
from shared.turns import in_turns

log = logging.getLogger(__name__)

# Enough for a burst to share one transaction and its confirms, few enough to be done well within a second; and no more
# bodies in memory at once than this, however large they are.
BATCH = 400
BATCH_BYTES = 8 * 1024 * 1024

# How long an event that the broker would not take rests before it is tried again.
REST_AFTER_REFUSAL = timedelta(seconds=5)


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
        waiting = await publishing.claim_waiting(conn, limit, BATCH_BYTES)
        if not waiting:
            return 0
        batch = await _sort(waiting)
        refused = await bus.publish(list(batch.messages.values())) if batch.messages else {}
        reasons = {key: refused[message.id] for key, message in batch.messages.items() if message.id in refused}
        await _mark(conn, {row.stripe_event_id: row for row in waiting}, batch, reasons)
    _count(waiting, batch, reasons)
    return len(waiting) - len(reasons)


async def _sort(waiting: list[Waiting]) -> _Sorted:
    batch = _Sorted({}, [], {})
    async for row in in_turns(waiting):
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


async def _mark(conn: Connection, rows: Mapping[str, Waiting], batch: _Sorted, reasons: Mapping[str, str]) -> None:
    if published := [rows[key] for key in batch.messages if key not in reasons]:
        await publishing.update_published(conn, published)
    if batch.ignored:
        await publishing.update_ignored(conn, [rows[key] for key in batch.ignored], domain.OF_NO_INTEREST)
    for key, error in batch.failed.items():
        await publishing.update_failed(conn, rows[key], error)
    if reasons:
        refused = [rows[key] for key in reasons]
        await publishing.update_due(conn, refused, next(iter(reasons.values())), REST_AFTER_REFUSAL)


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
        counted_as(row.type, outcome).inc()
