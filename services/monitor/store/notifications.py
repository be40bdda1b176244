"""Messages waiting to be sent, and the pace of the channels they go through."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.monitor.domain.incidents import Transition
from services.monitor.domain.messages import Notice
from services.monitor.domain.rules import Alert, Severity
from shared.db import Connection
from shared.ids import uuid7


@dataclass(frozen=True)
class Claimed:
    """A message that is ours to send until its lease ends; `attempts` tells our claim from a later one."""

    id: UUID
    attempts: int
    created_at: datetime
    notice: Notice


async def insert_notifications(
    conn: Connection, incident_id: UUID, transition: Transition, alert: Alert, channels: Sequence[str]
) -> None:
    """One row per channel; they commit with the change they tell of."""
    await conn.executemany(
        """
        INSERT INTO notifications (id, incident_id, transition, channel, severity, summary)
        VALUES ($1, $2, $3, $4, $5, $6)
        """,
        [
            (uuid7(), incident_id, transition.value, channel, alert.severity.value, alert.summary)
            for channel in channels
        ],
    )


async def is_anything_due(conn: Connection, channel: str) -> bool:
    """A cheap look before anything is claimed: nearly always there is nothing."""
    found = await conn.fetchval(
        """
        SELECT EXISTS (SELECT FROM notifications
                       WHERE channel = $1 AND finished_at IS NULL AND due_at <= clock_timestamp()
                         AND (leased_until IS NULL OR leased_until < clock_timestamp()))
        """,
        channel,
    )
    return bool(found)


async def claim_channel(conn: Connection, channel: str, pace: timedelta) -> bool:
    """Whether the channel may be used now; then it is ours until the transaction ends, and rests for `pace`."""
    await conn.execute("INSERT INTO channels (channel) VALUES ($1) ON CONFLICT DO NOTHING", channel)
    status = await conn.execute(
        """
        UPDATE channels SET next_at = clock_timestamp() + $2::interval, slowed_why = NULL
        WHERE channel = (SELECT channel FROM channels WHERE channel = $1 AND next_at <= clock_timestamp()
                         FOR UPDATE SKIP LOCKED)
        """,
        channel,
        pace,
    )
    return status == "UPDATE 1"


async def claim_notification(conn: Connection, channel: str, lease: timedelta) -> Claimed | None:
    """The oldest message that is due, or whose sender died. What happened first is told first."""
    row = await conn.fetchrow(
        """
        UPDATE notifications n SET
            state = 'sending', attempts = n.attempts + 1, leased_until = clock_timestamp() + $2::interval
        FROM incidents i
        WHERE i.id = n.incident_id AND n.id = (
            SELECT w.id FROM notifications w
            WHERE w.channel = $1 AND w.finished_at IS NULL AND w.due_at <= clock_timestamp()
              AND (w.leased_until IS NULL OR w.leased_until < clock_timestamp())
              AND NOT EXISTS (SELECT FROM notifications earlier
                              WHERE earlier.incident_id = w.incident_id AND earlier.channel = $1
                                AND earlier.finished_at IS NULL
                                AND (earlier.created_at, earlier.id) < (w.created_at, w.id))
            ORDER BY w.created_at, w.id LIMIT 1 FOR UPDATE SKIP LOCKED)
        RETURNING n.id, n.attempts, n.created_at, n.transition, n.severity, n.summary,
                  i.rule, i.subject, i.opened_at, i.resolved_at
        """,
        channel,
        lease,
    )
    if row is None:
        return None
    transition = Transition(row["transition"])
    notice = Notice(
        transition=transition,
        rule=row["rule"],
        subject=row["subject"],
        severity=Severity(row["severity"]),
        summary=row["summary"],
        opened_at=row["opened_at"],
        resolved_at=row["resolved_at"] if transition is Transition.RESOLVED else None,
    )
    return Claimed(row["id"], row["attempts"], row["created_at"], notice)


async def update_finished(conn: Connection, claimed: Claimed, state: str, error: str | None) -> None:
    """Delivered or failed. A claim that was lost to another sender changes nothing."""
    await conn.execute(
        """
        UPDATE notifications SET state = $3, finished_at = clock_timestamp(), leased_until = NULL, last_error = $4
        WHERE id = $1 AND attempts = $2 AND state = 'sending'
        """,
        claimed.id,
        claimed.attempts,
        state,
        error,
    )


async def update_postponed(conn: Connection, claimed: Claimed, wait: timedelta, error: str) -> None:
    await conn.execute(
        """
        UPDATE notifications SET state = 'pending', due_at = clock_timestamp() + $3::interval,
                                 leased_until = NULL, last_error = $4
        WHERE id = $1 AND attempts = $2 AND state = 'sending'
        """,
        claimed.id,
        claimed.attempts,
        wait,
        error,
    )


async def update_channel_slowed(conn: Connection, channel: str, wait: timedelta, why: str) -> None:
    """Nothing goes through the channel before the receiver allows it, by any monitor."""
    await conn.execute(
        """
        UPDATE channels SET next_at = greatest(next_at, clock_timestamp() + $2::interval), slowed_why = $3
        WHERE channel = $1
        """,
        channel,
        wait,
        why,
    )


async def count_waiting(conn: Connection) -> dict[str, int]:
    """Messages by channel that have not been delivered yet."""
    rows = await conn.fetch(
        "SELECT channel, count(*) AS waiting FROM notifications WHERE finished_at IS NULL GROUP BY channel"
    )
    return {row["channel"]: row["waiting"] for row in rows}
