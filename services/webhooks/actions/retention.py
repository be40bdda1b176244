"""Making room ahead for what will come, and forgetting what is handled and old: a step at a time."""

import logging

import asyncpg

from services.webhooks.store import retention
from shared.db import Pool

log = logging.getLogger(__name__)

# When nobody makes weeks any more, events are still stored, in the default partition; a month is time to notice.
WEEKS_AHEAD = 4

# Rows that one transaction forgets: done within a fraction of a second.
BATCH = 1000


async def make_weeks(pool: Pool) -> int:
    """Makes the partitions that are missing; answers 0, since there is nothing more to do for hours."""
    try:
        async with pool.worker() as conn:
            made = await retention.make_weeks(conn, WEEKS_AHEAD)
    except asyncpg.LockNotAvailableError:
        log.info("partitions are in use, made another time")
        return 0
    if made:
        log.info("partitions made", extra={"count": made})
    return 0


async def forget_events(pool: Pool, keep_days: int) -> int:
    """Drops one week, if there is one to be dropped; otherwise deletes a batch of handled events. How much it did."""
    async with pool.worker() as conn:
        week = await retention.select_disposable_week(conn, keep_days)
    if week is None:
        async with pool.worker() as conn:
            return await retention.delete_handled(conn, keep_days, BATCH)
    try:
        async with pool.worker() as conn:
            dropped = await retention.drop_week(conn, week)
    except asyncpg.LockNotAvailableError:
        log.info("partition is in use, dropped another time", extra={"week": week.date().isoformat()})
        return 0
    if dropped:
        log.info("partition dropped", extra={"week": week.date().isoformat()})
    return int(dropped)


async def forget_ids(pool: Pool, keep_days: int) -> int:
    """Deletes a batch of ids that nobody will bring again; how many."""
    async with pool.worker() as conn:
        return await retention.delete_ids(conn, keep_days, BATCH)
