"""Telling people: lease a message, send it, then mark it. A crash in between sends it again, never not at all."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Protocol

from services.monitor.actions.figures import NOTIFICATIONS
from services.monitor.domain.delivery import (
    GIVE_UP_AFTER,
    Delivered,
    Outcome,
    Postponed,
    Refused,
    Slowed,
    backoff_s,
)
from services.monitor.domain.messages import Notice
from services.monitor.store import notifications as store
from services.monitor.store.notifications import Claimed
from shared.db import Pool

log = logging.getLogger(__name__)


class Sender(Protocol):
    async def send(self, notice: Notice, message_id: str) -> Outcome: ...


@dataclass(frozen=True)
class Channel:
    """A way to reach people, with its pace, which all monitors share."""

    name: str
    sender: Sender
    pace: timedelta
    lease: timedelta


async def tell(pool: Pool, channel: Channel) -> int:
    """Sends one message that is due; 0 if there is none, or the channel has to rest."""
    claimed = await _claim(pool, channel)
    if claimed is None:
        return 0
    outcome = await channel.sender.send(claimed.notice, str(claimed.id))
    await _mark(pool, channel, claimed, _in_time(claimed, outcome))
    return 1


async def _claim(pool: Pool, channel: Channel) -> Claimed | None:
    async with pool.worker() as conn:
        if not await store.is_anything_due(conn, channel.name):
            return None
        if not await store.claim_channel(conn, channel.name, channel.pace):
            return None
        return await store.claim_notification(conn, channel.name, channel.lease)


def _in_time(claimed: Claimed, outcome: Outcome) -> Outcome:
    """Old news that still can't be delivered is given up."""
    is_old = datetime.now(UTC) - claimed.created_at > GIVE_UP_AFTER
    return Refused(f"given up: {outcome.reason}") if is_old and isinstance(outcome, Postponed) else outcome


async def _mark(pool: Pool, channel: Channel, claimed: Claimed, outcome: Outcome) -> None:
    facts = {"channel": channel.name, "notification_id": str(claimed.id), "attempts": claimed.attempts}
    async with pool.worker() as conn:
        match outcome:
            case Delivered():
                await store.update_finished(conn, claimed, "delivered", None)
                log.info("told", extra=facts)
            case Slowed(wait_s):
                why = f"asked to wait {wait_s:.0f} s"
                await store.update_channel_slowed(conn, channel.name, timedelta(seconds=wait_s), why)
                await store.update_postponed(conn, claimed, timedelta(seconds=wait_s), why)
                log.warning("channel slowed", extra={**facts, "retry_after_s": wait_s})
            case Postponed(reason):
                wait = timedelta(seconds=backoff_s(claimed.attempts))
                await store.update_postponed(conn, claimed, wait, reason)
                log.warning("not told yet", extra={**facts, "reason": reason})
            case Refused(reason):
                await store.update_finished(conn, claimed, "failed", reason)
                log.error("could not tell", extra={**facts, "reason": reason})
    NOTIFICATIONS.labels(channel=channel.name, outcome=type(outcome).__name__.lower()).inc()
