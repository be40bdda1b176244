"""Asking the database whether what must always be true still is."""

import logging

import asyncpg

from services.monitor.actions.desk import Desk
from services.monitor.domain.rules.invariants import ALL
from services.monitor.store import invariants as store

log = logging.getLogger(__name__)


async def check_invariants(desk: Desk) -> int:
    """One round; answers how many are broken. What could not be asked is unknown, and neither opens nor resolves."""
    url, sightings = desk.settings.auditor_url, desk.sightings
    if url is None:
        return 0
    try:
        answers = await store.ask_all(url.get_secret_value())
    except (OSError, TimeoutError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
        log.warning("invariants could not be checked", extra={"reason": type(error).__name__})
        sightings.broken = None
        sightings.unasked = {**(sightings.unasked or {}), ALL: (sightings.unasked or {}).get(ALL, 0) + 1}
        return 0
    for name, reason in answers.unanswered.items():
        log.warning("invariant could not be checked", extra={"invariant": name, "reason": reason})
    sightings.unasked = {name: (sightings.unasked or {}).get(name, 0) + 1 for name in answers.unanswered}
    sightings.broken = {
        name: f"{found.sentence} {found.rows} times not: {'; '.join(found.first)}"
        for name, found in answers.broken.items()
    }
    return len(answers.broken)
