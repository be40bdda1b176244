"""Watching Stripe's endpoint for us: whether it speaks as it usually does, and whether Stripe has it set right.

Both are done by the leader of the backfill. A change is an event, and makes a search for undelivered events due.
"""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta

from services.webhooks import domain
from services.webhooks.actions.reading import BudgetSpent, Reader, spend
from services.webhooks.domain import endpoint, silence
from services.webhooks.domain.backfill import rest_s
from services.webhooks.domain.endpoint import Problem
from services.webhooks.domain.silence import HOUR, Floor, Silence
from services.webhooks.store import backfill as backfill_store
from services.webhooks.store import watch as store
from services.webhooks.store.watch import Watch
from services.webhooks.stripe_api import StripeAway, StripeRefused
from shared import outbox
from shared.db import Connection, Pool
from shared.events import (
    Event,
    WebhookEndpointDisabled,
    WebhookEndpointHeard,
    WebhookEndpointMended,
    WebhookEndpointMisconfigured,
    WebhookEndpointSilent,
)
from shared.leader import Candidate

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listening:
    """How silence is judged: by the counts of the last `keep`, above a floor."""

    keep: timedelta
    floor: Floor


async def listen(pool: Pool, candidate: Candidate, listening: Listening) -> int:
    """Counts what came, and says when it is less than usual, or as usual again."""
    if await candidate.fence() is None:
        return 0
    async with pool.worker() as conn:
        watch = await store.select_watch_for_update(conn)
        await _count(conn, watch.now, listening)
        heard_at = await store.select_heard(conn, watch.heard_at or watch.now - listening.keep) or watch.heard_at
        await store.update_heard(conn, heard_at)
        judged = silence.judge(await store.select_hours(conn), heard_at, watch.now, listening.floor)
        await _note_silence(conn, watch, heard_at, judged)
    return 0


async def _count(conn: Connection, now: datetime, listening: Listening) -> None:
    """From the latest hour that was counted on, since that one may not have been over."""
    latest = await store.select_latest_hour(conn)
    beginning = (now - listening.keep).replace(minute=0, second=0, microsecond=0)
    await store.count_hours(conn, max(latest - HOUR, beginning) if latest else beginning)
    await store.delete_old_hours(conn, listening.keep)


async def _note_silence(conn: Connection, watch: Watch, heard_at: datetime | None, judged: Silence) -> None:
    is_known = judged.is_silent is not None
    if judged.is_silent and watch.silent_since is None and heard_at is not None:
        await store.update_silence(conn, heard_at, is_known)
        await _tell(conn, WebhookEndpointSilent(heard_at=heard_at, expected=round(judged.expected, 1)))
        log.error("endpoint is silent", extra={"heard_at": str(heard_at), "expected": round(judged.expected, 1)})
    elif watch.silent_since is not None and heard_at is not None and heard_at > watch.silent_since:
        await store.update_silence(conn, None, is_known)
        await _tell(conn, WebhookEndpointHeard())
        log.warning("endpoint is heard again", extra={"silent_since": str(watch.silent_since)})
    else:
        await store.update_silence(conn, watch.silent_since, is_known)


@dataclass(frozen=True, slots=True)
class Checking:
    """What is asked about, and how often."""

    url: str
    interval_s: float


async def check(reader: Reader, candidate: Candidate, checking: Checking) -> int:
    """Asks Stripe how our endpoint is set, when that is due, and says when it is not right, or is again."""
    if await candidate.fence() is None:
        return 0
    async with reader.pool.worker() as conn:
        watch = await store.select_watch_for_update(conn)
    if watch.check_due_at > watch.now:
        return 0
    try:
        await spend(reader, is_urgent=False)
        endpoints = await reader.stripe.list_endpoints()
    except (BudgetSpent, StripeAway, StripeRefused) as error:
        log.warning("endpoint not checked", extra={"reason": str(error)})
        async with reader.pool.worker() as conn:
            await store.update_unchecked(conn, rest_s(watch.failures + 1))
        return 0
    found = endpoint.problems(endpoints, checking.url, reader.expected.api_version, domain.TRANSLATIONS)
    async with reader.pool.worker() as conn:
        known = (await store.select_watch_for_update(conn)).problems
        await store.update_checked(conn, found, checking.interval_s)
        if set(found) != set(known):
            await _tell(conn, _verdict(found))
            log.error("endpoint is not right" if found else "endpoint is right again", extra={"problems": found})
    return 0


def _verdict(found: tuple[Problem, ...]) -> Event:
    if not found:
        return WebhookEndpointMended()
    problems = tuple(problem.value for problem in found)
    if {Problem.MISSING, Problem.DISABLED} & set(found):
        return WebhookEndpointDisabled(problems=problems)
    return WebhookEndpointMisconfigured(problems=problems)


async def _tell(conn: Connection, event: Event) -> None:
    await outbox.stage(conn, event)
    await backfill_store.update_due(conn)
