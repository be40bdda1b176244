"""Handled once: a consumer claims an event in the transaction that handles it."""

from uuid import UUID

from shared.db import Connection


async def claim(conn: Connection, consumer: str, event_id: UUID) -> bool:
    """True if this consumer has not handled this event before, and now has, if the transaction commits.

    While another transaction holds the same claim this waits for its end: a copy that arrives at the same instant
    is either refused or takes over from one that failed.
    """
    status = await conn.execute(
        "INSERT INTO inbox (consumer, event_id) VALUES ($1, $2) ON CONFLICT DO NOTHING", consumer, event_id
    )
    return status == "INSERT 0 1"


async def purge(conn: Connection, keep_days: int) -> int:
    """Forgets claims older than `keep_days`, which must be longer than Stripe's 30 days of backfill."""
    status = await conn.execute(
        """
        DELETE FROM inbox WHERE (consumer, event_id) IN (
            SELECT consumer, event_id FROM inbox
            WHERE claimed_at < now() - make_interval(days => $1) LIMIT 1000)
        """,
        keep_days,
    )
    return int(status.split()[-1])
