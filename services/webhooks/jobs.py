"""What runs beside the requests: publishing what they stored, measuring, tidying."""

import asyncio
import contextlib
import logging
from datetime import timedelta

import aiohttp

from services.webhooks.actions import guarding, publishing, senders
from services.webhooks.actions.guarding import Guard
from services.webhooks.actions.keyring import look as look_at_secrets
from services.webhooks.actions.keyring import note_secrets
from services.webhooks.store.publishing import select_backlog
from shared import metrics, outbox
from shared.bus import Bus
from shared.db import Pool, is_database_away

log = logging.getLogger(__name__)

__all__ = ["look_at_secrets", "measure_backlog", "note_secrets", "publish_received", "purge_outbox"]

BACKLOG = metrics.gauge("webhooks_backlog_events", "Events stored and not yet published.")
BACKLOG_AGE = metrics.gauge(
    "webhooks_backlog_oldest_age_seconds", "How long the oldest event that is not yet published has waited."
)


async def publish_received(pool: Pool, bus: Bus, rung: asyncio.Event, rest_s: float) -> int:
    """Publishes a batch; with nothing to do, waits for a request to ring, or a while for what others left.

    The bell is put back before looking, so a request that commits right after is not overheard. The events
    of a process that died between storing and publishing are found in the same way.
    """
    rung.clear()
    done = await publishing.publish_batch(pool, bus) if bus.is_connected else 0
    if not done:
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(rung.wait(), rest_s)
    return done


async def measure_backlog(pool: Pool) -> int:
    """Sets the gauges of what waits; a job of its own, so that they are right when publishing hangs."""
    async with pool.worker() as conn:
        backlog = await select_backlog(conn)
    BACKLOG.set(backlog.count)
    BACKLOG_AGE.set(backlog.oldest_s)
    return 0


async def purge_outbox(pool: Pool, keep_days: int) -> int:
    """Deletes published events of the outbox once nobody asks for them any more."""
    async with pool.worker() as conn:
        return await outbox.purge(conn, keep_days)


async def share(pool: Pool, guard: Guard) -> int:
    """Tells all processes what was suspicious here, and judges what they have seen together."""
    await guarding.share(pool, guard)
    return 0  # what comes meanwhile waits for the next turn: one transaction a second, however much there is


async def share_last(pool: Pool, guard: Guard) -> None:
    """The same when the process stops. Without a database it is lost: counts, never events of Stripe's."""
    try:
        await guarding.share(pool, guard)
    except Exception as error:
        if not is_database_away(error):
            raise
        log.warning("last sightings lost", extra={"reason": type(error).__name__})


async def learn(pool: Pool, guard: Guard) -> int:
    """Reads who is kept out, and from where Stripe's events are expected."""
    guard.welcome = await senders.load(pool, timedelta(seconds=guard.settings.sender_grace_s))
    await guarding.learn(pool, guard)
    return 0


async def refresh_senders(pool: Pool, session: aiohttp.ClientSession, url: str, interval: timedelta) -> int:
    """Asks Stripe for its list when it is time to."""
    await senders.refresh(pool, session, url, interval)
    return 0


async def forget_threats(pool: Pool) -> int:
    """Deletes counts and bans that are long over."""
    return await guarding.forget(pool)
