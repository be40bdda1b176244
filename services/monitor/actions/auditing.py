"""Asking the database whether what must always be true still is."""

import logging

import asyncpg

from services.monitor.actions.desk import Desk
from services.monitor.store import invariants as store

log = logging.getLogger(__name__)


async def check_invariants(desk: Desk) -> int:
    """One round; answers how many are broken. What could not be asked is unknown, and neither opens nor resolves."""
    url = desk.settings.auditor_url
    if url is None:
        return 0
    try:
        broken = await store.select_broken(url.get_secret_value())
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        log.warning("invariants could not be checked", extra={"reason": type(error).__name__})
        desk.sightings.broken = None
        return 0
    desk.sightings.broken = {
        name: f"{found.sentence} {found.rows} times not: {'; '.join(found.first)}" for name, found in broken.items()
    }
    return len(broken)
