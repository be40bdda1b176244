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
from services.webhooks.domain.endpoint import Problem
from services.webhooks.store import backfill, reads, resyncs, watch
from services.webhooks.store.publishing import select_backlog
from shared import inbox, metrics, outbox
from shared.bus import Bus
from shared.db import Pool, is_database_away

log = logging.getLogger(__name__)

__all__ = ["look_at_secrets", "measure_backlog", "note_secrets", "publish_received", "purge"]

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


# Longer than the 30 days that Stripe keeps events for.
KEEP_CLAIMS_DAYS = 45


async def purge(pool: Pool, keep_outbox_days: int, keep_resyncs_days: int) -> int:
    """Deletes events published, claims of events handled, and resyncs ended so long ago that nobody asks for them."""
    async with pool.worker() as conn:
        return (
            await outbox.purge(conn, keep_outbox_days)
            + await inbox.purge(conn, KEEP_CLAIMS_DAYS)
            + await resyncs.delete_finished(conn, keep_resyncs_days)
        )


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


CAN_ASK = metrics.gauge("webhooks_can_ask_stripe", "1 if there is a key: without it, no backfill and no resyncs.")
BACKFILL_FINISHED = metrics.gauge(
    "webhooks_backfill_last_finished_timestamp_seconds", "When undelivered events were last searched to the end."
)
BACKFILL_FAILURES = metrics.gauge("webhooks_backfill_failures", "How often in a row Stripe could not be asked.")
READS_LEFT = metrics.gauge("webhooks_stripe_reads_left", "What is left of the budget of reads.")
RESYNCS_WAITING = metrics.gauge("webhooks_resyncs_waiting", "Objects that are still to be told again.")
SILENT = metrics.gauge("webhooks_endpoint_silent_seconds", "How long the endpoint has been silent; 0: it is not.")
USUAL_KNOWN = metrics.gauge("webhooks_endpoint_usual_known", "1 if enough weeks were seen to notice silence.")
PROBLEMS = metrics.gauge("webhooks_endpoint_problem", "1 for what is wrong with the endpoint at Stripe.", ("problem",))


async def measure_asking(pool: Pool, reads_per_day: int) -> int:
    """Sets the gauges of backfill, resyncs and endpoint, in every process alike: all read the same rows."""
    async with pool.worker() as conn:
        progress, watched = await backfill.select_figures(conn), await watch.select_watch(conn)
        READS_LEFT.set(await reads.select_left(conn, reads_per_day))
        RESYNCS_WAITING.set(await resyncs.count_waiting(conn))
    if progress is not None:
        BACKFILL_FAILURES.set(progress.failures)
        BACKFILL_FINISHED.set(progress.finished_at.timestamp() if progress.finished_at else 0)
    if watched is not None:
        silent = watched.now - watched.silent_since if watched.silent_since else None
        SILENT.set(silent.total_seconds() if silent else 0)
        USUAL_KNOWN.set(watched.is_usual_known)
        for problem in Problem:
            PROBLEMS.labels(problem=problem.value).set(problem.value in watched.problems)
    return 0
