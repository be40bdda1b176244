"""What the monitor does by itself, one batch at a time."""

from collections.abc import Sequence
from datetime import timedelta

from services.monitor import actions
from services.monitor.actions import Channel, Desk
from services.monitor.store import disputes as dispute_store
from services.monitor.store import events as event_store
from services.monitor.store import orders as order_store
from shared import inbox, outbox
from shared.db import Pool

# Longer than Stripe's 30 days of backfill.
KEEP_CLAIMS_DAYS = 35
KEEP_PUBLISHED_DAYS = 7


async def watch_broker(desk: Desk) -> int:
    """Notices that the broker went away or came back, often enough to miss no gap that matters."""
    actions.look(desk)
    return 0


async def watch_database(desk: Desk, channels: Sequence[Channel]) -> int:
    """Notices that PostgreSQL went away or came back, and tells people without it."""
    await actions.watch_database(desk, channels)
    return 0


async def evaluate(desk: Desk) -> int:
    """Judges what is known and opens, updates or resolves incidents."""
    await actions.evaluate(desk)
    return 0


async def check_invariants(desk: Desk) -> int:
    """Asks the database whether what must always be true still is."""
    await actions.check_invariants(desk)
    return 0


async def probe(desk: Desk) -> int:
    """Asks the services directly while the broker can't carry their figures."""
    await actions.probe(desk)
    return 0


async def tell(pool: Pool, channel: Channel) -> int:
    """Sends one message that is due; how many were sent or tried."""
    return await actions.tell(pool, channel)


async def purge(pool: Pool, keep_events: timedelta) -> int:
    """Deletes what is old; more than nothing means that there may be more."""
    async with pool.worker() as conn:
        events = await event_store.delete_old_events(conn, keep_events)
        orders = await order_store.delete_released(conn, timedelta(days=KEEP_CLAIMS_DAYS))
        disputes = await dispute_store.delete_settled(conn, timedelta(days=KEEP_CLAIMS_DAYS))
        claims = await inbox.purge(conn, KEEP_CLAIMS_DAYS)
        published = await outbox.purge(conn, KEEP_PUBLISHED_DAYS)
    return events + orders + disputes + claims + published
