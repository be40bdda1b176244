"""Telling people that PostgreSQL is away. Incidents and messages are rows, so this alone goes without any.

Each process tells by itself: with several monitors people hear it several times, which beats not at all.
"""

import asyncio
import logging
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from uuid import NAMESPACE_OID, uuid5

from services.monitor.actions.desk import Desk
from services.monitor.actions.telling import Channel
from services.monitor.domain.absence import Absence, News, notice_of, observe
from services.monitor.domain.delivery import Delivered, Refused
from shared.db import is_database_away

log = logging.getLogger(__name__)

# Connecting to a machine that is gone would take a minute.
ANSWERS_WITHIN_S = 5.0


async def watch_database(desk: Desk, channels: Sequence[Channel]) -> None:
    """One look; what is news goes out until each channel has taken it, or has refused it for good."""
    now, patience = datetime.now(UTC), desk.settings.patience()
    absence = desk.sightings.absence = observe(desk.sightings.absence, await _answers(desk), now)
    if absence is None:
        return
    news = absence.news(now, desk.settings.limits().database_away_after, patience.clear_for)
    if news is News.AWAY:
        taken = await _tell(desk, absence, [each for each in channels if each.name not in absence.told])
        desk.sightings.absence = replace(absence, told=absence.told | taken)
    if news is News.BACK:
        left = absence.told - await _tell(desk, absence, [each for each in channels if each.name in absence.told])
        desk.sightings.absence = replace(absence, told=left) if left else None


async def _answers(desk: Desk) -> bool:
    try:
        async with asyncio.timeout(ANSWERS_WITHIN_S):
            return await desk.pool.is_reachable()
    except Exception as error:
        if not is_database_away(error):
            raise
        return False


async def _tell(desk: Desk, absence: Absence, channels: Sequence[Channel]) -> frozenset[str]:
    """Through which of the channels nothing more is to be said."""
    outcomes = await asyncio.gather(*map(partial(_send, desk, absence), channels))
    return frozenset(channel.name for channel, is_taken in zip(channels, outcomes, strict=True) if is_taken)


async def _send(desk: Desk, absence: Absence, channel: Channel) -> bool:
    notice = notice_of(absence)
    # The same for every try, so that a mail which arrived in spite of a lost answer is shown once.
    message_id = str(uuid5(NAMESPACE_OID, f"{desk.settings.instance} {notice.title} {notice.since}"))
    outcome = await channel.sender.send(notice, message_id)
    facts = {"channel": channel.name, "outcome": type(outcome).__name__.lower(), "summary": notice.summary}
    log.warning("told from memory", extra=facts)
    return isinstance(outcome, Delivered | Refused)
