"""Keeping Stripe's list of senders: the newest that is believed, in the database, for all processes."""

import logging
from datetime import datetime, timedelta

import aiohttp

from services.webhooks import senders_api
from services.webhooks.actions import SERVICE
from services.webhooks.domain import senders
from services.webhooks.domain.senders import Changes, ListRefused
from services.webhooks.senders_api import ListNotHad
from services.webhooks.store import senders as store
from shared import metrics, outbox
from shared.db import Connection, Pool
from shared.events import SecuritySendersChanged

log = logging.getLogger(__name__)

REFRESHES = metrics.counter(
    "webhooks_sender_refreshes_total", "Times Stripe's list of senders was asked for, by outcome.", ("outcome",)
)
SENDERS = metrics.gauge("webhooks_senders", "Addresses from which events are expected; those leaving included.")
LIST_AGE = metrics.gauge("webhooks_sender_list_age_seconds", "How old the list of senders is.")
FAILING = metrics.gauge(
    "webhooks_sender_list_failing_seconds", "For how long the list of senders could not be refreshed; 0: it can."
)


async def ship(pool: Pool) -> None:
    """Takes the list that came with this version, if none is kept or the one that is kept is older."""
    async with pool.worker() as conn:
        as_of = await store.lock_list(conn)
        if not senders.is_newer(as_of):
            return
        changes = senders.difference(await store.select_senders(conn), senders.SHIPPED)
        await _apply(conn, changes, senders.SHIPPED_AS_OF)
        if as_of is not None and changes:
            await _tell(conn, changes)


async def refresh(pool: Pool, session: aiohttp.ClientSession, url: str, interval: timedelta) -> str | None:
    """Asks for the list if it is time to and no other process does; answers the outcome, None: it was not time.

    Whatever goes wrong, the list stays as it is: the last good one is in the database.
    """
    async with pool.worker() as conn:
        if not await store.claim_refresh(conn, interval):
            return None
    try:
        published = senders.read_list(await senders_api.fetch(session, url))
        outcome = "changed" if await _take(pool, published) else "unchanged"
    except ListNotHad as error:
        outcome, reason = "unreachable", str(error)
    except ListRefused as error:
        outcome, reason = error.reason, str(error)
    REFRESHES.labels(outcome=outcome).inc()
    if outcome not in ("changed", "unchanged"):
        log.warning("list of senders not refreshed", extra={"outcome": outcome, "reason": reason})
        async with pool.worker() as conn:
            await store.update_failing(conn)
    return outcome


async def load(pool: Pool, grace: timedelta) -> frozenset[str]:
    """From where events are expected right now."""
    async with pool.worker() as conn:
        known = await store.select_senders(conn)
        age = await store.select_age(conn)
    found = senders.welcome(known, age.now, grace)
    SENDERS.set(len(found))
    LIST_AGE.set((age.now - (age.as_of or senders.SHIPPED_AS_OF)).total_seconds())
    FAILING.set((age.now - (age.failing_since or age.now)).total_seconds())
    return found


async def _take(pool: Pool, published: frozenset[str]) -> Changes:
    async with pool.worker() as conn:
        await store.lock_list(conn)
        known = await store.select_senders(conn)
        changes = senders.difference(known, published)
        senders.refuse_collapse(known, changes)
        await _apply(conn, changes, None)
        if changes:
            await _tell(conn, changes)
    return changes


async def _apply(conn: Connection, changes: Changes, as_of: datetime | None) -> None:
    await store.upsert_senders(conn, changes.added)
    await store.update_removed(conn, changes.removed)
    await store.update_as_of(conn, as_of)


async def _tell(conn: Connection, changes: Changes) -> None:
    added, removed = sorted(changes.added), sorted(changes.removed)
    log.warning("list of senders changed", extra={"added": added, "removed": removed})
    detail = f"added: {', '.join(added) or 'none'}; removed: {', '.join(removed) or 'none'}"
    await outbox.stage(
        conn,
        SecuritySendersChanged(
            severity="info", service=SERVICE, detail=detail, added=tuple(added), removed=tuple(removed)
        ),
    )
