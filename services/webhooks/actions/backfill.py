"""Fetching what Stripe could not deliver: one leader walks from the newest such event back, page by page.

What is found takes the way of what is delivered: the same ids, the same states, the same translation. Each event
commits by itself together with its count, each page with its cursor, and each commit is refused once another process
leads. So a crash at any point costs a page read twice and nothing else.
"""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import asyncpg
import orjson

from services.webhooks import domain
from services.webhooks.actions import SERVICE, wanting
from services.webhooks.actions.counting import VERSION_MISMATCHES, type_label
from services.webhooks.actions.reading import BudgetSpent, Reader, spend
from services.webhooks.domain.backfill import Pace, next_interval_s, reach, rest_s
from services.webhooks.domain.fields import name
from services.webhooks.store import backfill as store
from services.webhooks.store.backfill import Found, Progress
from services.webhooks.stripe_api import Page, StripeAway, StripeRefused, StripeUnknown
from shared import metrics, outbox
from shared.bus import Bus
from shared.db import Connection
from shared.events import SecurityEventBodyChanged, WebhookBackfilled
from shared.leader import Candidate

log = logging.getLogger(__name__)

FOUND = metrics.counter(
    "webhooks_backfill_events_total", "Undelivered events that were listed, by type and outcome.", ("type", "outcome")
)
PAGES = metrics.counter("webhooks_backfill_pages_total", "Pages of undelivered events asked for.", ("outcome",))

# A body is kept only up to this (stripe_events.body); Stripe's are far smaller.
LONGEST_BODY = 4 * 1024 * 1024

# When the budget is spent, how long until we look again whether something flowed in.
REST_WITHOUT_BUDGET_S = 60.0


class Deposed(Exception):
    """Another process leads now: what this one was about to write is not written."""


@dataclass(frozen=True, slots=True)
class Backfill:
    """What the job works with. `outage`: so long without a leader that is up, and a sweep begins at once."""

    reader: Reader
    candidate: Candidate
    bus: Bus
    pace: Pace
    outage: timedelta


async def sweep(backfill: Backfill) -> int:
    """One step: notes that we are here, and takes a page if one is due. Answers 1 if more may be there at once."""
    fence = await backfill.candidate.fence()
    if fence is None:
        return 0
    try:
        progress = await _show_up(backfill, fence)
        if progress.due_at > progress.now:
            return 0
        return await _take_page(backfill, fence, progress)
    except Deposed:
        log.warning("another process leads the backfill", extra={"fence": fence})
        backfill.candidate.give_up()
        return 0


async def _show_up(backfill: Backfill, fence: int) -> Progress:
    async with backfill.reader.pool.worker() as conn:
        progress = await store.note_presence(conn, fence, backfill.bus.is_connected, backfill.outage)
    if progress is None:
        raise Deposed
    gap = progress.now - progress.seen_at if progress.seen_at else None
    if gap is not None and gap > backfill.outage and backfill.bus.is_connected:
        log.warning("back after an outage; looking for what was missed", extra={"away_s": round(gap.total_seconds())})
    return progress


async def _take_page(backfill: Backfill, fence: int, progress: Progress) -> int:
    reader = backfill.reader
    since = progress.sweep.since if progress.sweep else await _begin(backfill, fence, progress)
    cursor = progress.sweep.cursor if progress.sweep else None
    try:
        await spend(reader, is_urgent=False)
        page = await reader.stripe.list_undelivered(int(since.timestamp()), list(domain.TRANSLATIONS), cursor)
    except StripeUnknown:
        # The cursor's event is older than what Stripe still lists: from the newest on again.
        await _advance(reader, fence, None)
        return 1
    except BudgetSpent as error:
        await _rest(reader, fence, str(error), (REST_WITHOUT_BUDGET_S, progress.failures))
        return 0
    except (StripeAway, StripeRefused) as error:
        failures = progress.failures + 1
        await _rest(reader, fence, str(error), (rest_s(failures), failures))
        return 0
    PAGES.labels(outcome="taken").inc()
    await _keep(reader, fence, page)
    if page.has_more and page.items:
        await _advance(reader, fence, name(page.items[-1].get("id")))
        return 1
    await _finish(backfill, fence, progress.interval_s)
    return 0


async def _begin(backfill: Backfill, fence: int, progress: Progress) -> datetime:
    found = reach(progress.swept_until, progress.now, backfill.pace)
    if found.is_too_late:
        log.error("events are older than Stripe lists", extra={"lost_until": found.since.isoformat()})
    async with backfill.reader.pool.worker() as conn:
        _still(await store.update_begun(conn, fence, found.since))
    return found.since


async def _keep(reader: Reader, fence: int, page: Page) -> None:
    """Stores what is new of a page, the oldest first."""
    ids = [named for item in page.items if (named := name(item.get("id")))]
    async with reader.pool.worker() as conn:
        known = await store.select_known(conn, ids)
    for item in reversed(page.items):
        try:
            outcome = await _keep_one(reader, fence, item, known)
        except (domain.EventMalformed, orjson.JSONEncodeError, asyncpg.DataError, asyncpg.CheckViolationError) as error:
            # One that can't be kept must not hold up all others.
            outcome = "unreadable"
            log.error("found event not kept", extra={"id": name(item.get("id")), "reason": type(error).__name__})
        FOUND.labels(type=type_label(str(item.get("type"))), outcome=outcome).inc()


async def _keep_one(reader: Reader, fence: int, item: Mapping[str, Any], known: Mapping[str, bytes | None]) -> str:
    body = orjson.dumps(item)
    found = _found(domain.read(body), body, reader.expected)
    event = found.event
    async with reader.pool.worker() as conn:
        if event.id in known:
            _still(await store.update_counted(conn, fence, None, is_new=False))
            return await _compare(conn, found, known[event.id])
        is_new = await store.insert_found(conn, found)
        created = None if event.created is None else datetime.fromtimestamp(event.created, UTC)
        _still(await store.update_counted(conn, fence, created if is_new else None, is_new))
        if is_new and found.version_mismatch:
            await _tell_of_version(conn, event, reader.expected)
    return found.state if is_new else "duplicate"


def _found(event: domain.StripeEvent, body: bytes, expected: domain.Expected) -> Found:
    if len(body) > LONGEST_BODY:
        raise domain.EventMalformed("the body is too long")
    reason = domain.why_ignored(event, expected.livemode)
    return Found(event, body, "ignored" if reason else "received", reason, expected.is_other_version(event))


async def _tell_of_version(conn: Connection, event: domain.StripeEvent, expected: domain.Expected) -> None:
    VERSION_MISMATCHES.inc()
    await outbox.stage_once(conn, domain.version_news(event, expected.api_version, datetime.now(UTC)))


async def _compare(conn: Connection, found: Found, said_before: bytes | None) -> str:
    if said_before is None or found.digest in {said_before, None}:
        return "duplicate"
    detail = f"{found.event.id} was found at Stripe and says something else than what is stored; what came first stands"
    await outbox.stage(conn, SecurityEventBodyChanged(severity="critical", service=SERVICE, detail=detail))
    return "body_changed"


async def _advance(reader: Reader, fence: int, cursor: str | None) -> None:
    async with reader.pool.worker() as conn:
        _still(await store.update_cursor(conn, fence, cursor))


async def _rest(reader: Reader, fence: int, why: str, pause: tuple[float, int]) -> None:
    """`pause` in seconds, after so many failures in a row."""
    seconds, failures = pause
    PAGES.labels(outcome="left").inc()
    log.warning("backfill rests", extra={"reason": why, "seconds": seconds})
    async with reader.pool.worker() as conn:
        _still(await store.update_resting(conn, fence, why, seconds, failures))


async def _finish(backfill: Backfill, fence: int, interval_s: float) -> None:
    async with backfill.reader.pool.worker() as conn:
        caught = await store.select_caught(conn, fence)
        if caught is None:
            raise Deposed
        await wanting.answer(conn, caught.found, caught.stored)
        _still(await store.update_finished(conn, fence, next_interval_s(interval_s, caught.stored, backfill.pace)))
        if caught.stored and caught.oldest and caught.newest:
            event = WebhookBackfilled(events=caught.stored, oldest=caught.oldest, newest=caught.newest)
            await outbox.stage(conn, event)
    if caught.stored:
        extra = {"events": caught.stored, "from": str(caught.oldest), "to": str(caught.newest), "listed": caught.found}
        log.warning("caught up with events that were not delivered", extra=extra)
    else:
        log.info("no undelivered events are missing", extra={"listed": caught.found, "since": str(caught.since)})


def _still(is_leader: bool) -> None:
    if not is_leader:
        raise Deposed
