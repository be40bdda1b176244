"""Telling the others again what Stripe says of an object now: somebody asks, a job fetches and announces.

What is told is a hint like any other: checkout's state machine decides what follows from it.
"""

import logging
from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import Any
from uuid import UUID

from services.webhooks import domain
from services.webhooks.actions.reading import BudgetSpent, Reader, spend
from services.webhooks.domain.backfill import rest_s
from services.webhooks.store import backfill, resyncs
from services.webhooks.store.resyncs import Resync
from services.webhooks.stripe_api import StripeAway, StripeRefused, StripeUnknown
from shared import metrics, outbox
from shared.audit import audit
from shared.db import Connection
from shared.errors import Invalid
from shared.ids import uuid7

log = logging.getLogger(__name__)

RESYNCS = metrics.counter("webhooks_resyncs_total", "Objects told again on demand, by what came of it.", ("outcome",))

BATCH = 5
LEASE_S = 60.0

# The leader of the backfill shows up every few seconds.
PRESENT_WITHIN = timedelta(minutes=5)

LONGEST_ACTOR, LONGEST_REASON = 200, 2000

# How long an order's PaymentIntent is searched for: Stripe's search lags by a minute, in outages by an hour. With the
# rests between them, that is a score of reads.
SEARCHED_FOR = timedelta(hours=1)


class NotFoundYet(Exception):
    """The search found nothing, and may still do."""

    def __init__(self) -> None:
        super().__init__("no PaymentIntent is found yet")


async def request(conn: Connection, object_id: str, actor: str, reason: str) -> UUID:
    """Asks for an object to be told again, in the caller's transaction; the id of the wish.

    `object_id` is a PaymentIntent's, that of an event about one, or an order's. Raises NotResyncable for anything
    else, Invalid for a blank reason. Works in a worker's and in a request's transaction.
    """
    object_id, actor, reason = domain.resyncable(object_id), actor[:LONGEST_ACTOR], reason.strip()[:LONGEST_REASON]
    if not reason:
        raise Invalid("say why", field="reason")
    resync_id = uuid7()
    await resyncs.insert_resync(conn, resync_id, object_id, actor, reason)
    await audit(
        conn,
        actor=actor,
        action="resync",
        subject=f"stripe {object_id}",
        reason=reason,
        details={"resync_id": str(resync_id)},
    )
    return resync_id


async def is_served(conn: Connection) -> bool:
    """Whether a process that carries resyncs out has lately been up: one with a key for Stripe."""
    return await backfill.select_is_present(conn, PRESENT_WITHIN)


async def resync_due(reader: Reader) -> int:
    """Fetches and announces what is due; answers how many were claimed."""
    async with reader.pool.worker() as conn:
        due = await resyncs.claim_resyncs(conn, LEASE_S, BATCH)
    for wanted in due:
        try:
            await _resync(reader, wanted)
        except (StripeAway, BudgetSpent, NotFoundYet) as error:
            await _later(reader, wanted, str(error))
        except StripeUnknown:
            await _finish(reader, wanted, "unknown_object", "Stripe knows no such object in this account and mode")
        except StripeRefused as error:
            await _finish(reader, wanted, "refused", error.detail)
    return len(due)


async def _resync(reader: Reader, wanted: Resync) -> None:
    intents = await _intents(reader, wanted)
    if not intents:
        await _finish(reader, wanted, "unknown_object", "no PaymentIntent belongs to it")
        return
    async with reader.pool.worker() as conn:
        now = await conn.fetchval("SELECT now()")
        retold = domain.retell(intents, wanted.id, reader.expected.livemode, now)
        if await _record(conn, wanted, retold.state, retold.detail):
            for event in retold.events:
                await outbox.stage(conn, event)


async def _intents(reader: Reader, wanted: Resync) -> Sequence[Mapping[str, Any]]:
    object_id = wanted.object_id
    if object_id.startswith("evt_"):
        object_id = await _subject(reader, object_id)
        if not object_id.startswith("pi_"):
            return ()
    await spend(reader, is_urgent=True)
    if object_id.startswith("pi_"):
        return (await reader.stripe.retrieve_intent(object_id),)
    found = await reader.stripe.find_intents(object_id)
    if not found and wanted.age < SEARCHED_FOR:
        raise NotFoundYet
    return found


async def _subject(reader: Reader, event_id: str) -> str:
    """What an event is about: as it is stored here, or as Stripe has it."""
    async with reader.pool.worker() as conn:
        stored = await resyncs.select_object(conn, event_id)
    if stored is not None:
        return stored
    await spend(reader, is_urgent=True)
    return domain.subject_id(await reader.stripe.retrieve_event(event_id)) or ""


async def _later(reader: Reader, wanted: Resync, why: str) -> None:
    RESYNCS.labels(outcome="later").inc()
    log.warning("resync left for later", extra={"object_id": wanted.object_id, "tries": wanted.tries, "reason": why})
    async with reader.pool.worker() as conn:
        await resyncs.update_due(conn, wanted.id, why, rest_s(wanted.tries))


async def _finish(reader: Reader, wanted: Resync, state: str, detail: str) -> None:
    async with reader.pool.worker() as conn:
        await _record(conn, wanted, state, detail)


async def _record(conn: Connection, wanted: Resync, state: str, detail: str) -> bool:
    if not await resyncs.update_finished(conn, wanted.id, state, detail):
        return False
    RESYNCS.labels(outcome=state).inc()
    log.info("resync done", extra={"object_id": wanted.object_id, "outcome": state, "detail": detail})
    return True
