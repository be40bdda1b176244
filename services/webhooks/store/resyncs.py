"""Objects that somebody wants told again."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID

from shared.db import Connection


@dataclass(frozen=True, slots=True)
class Resync:
    """A wish, and how long ago it was made; `tries` counts this one."""

    id: UUID
    object_id: str
    tries: int
    age: timedelta


async def insert_resync(conn: Connection, resync_id: UUID, object_id: str, actor: str, reason: str) -> None:
    await conn.execute(
        "INSERT INTO resyncs (id, object_id, actor, reason) VALUES ($1, $2, $3, $4)",
        resync_id,
        object_id,
        actor,
        reason,
    )


async def claim_resyncs(conn: Connection, lease_s: float, limit: int) -> list[Resync]:
    """Those that are due, left to us for `lease_s`."""
    rows = await conn.fetch(
        """
        UPDATE resyncs SET due_at = now() + make_interval(secs => $1), tries = tries + 1
        WHERE id IN (SELECT id FROM resyncs WHERE state = 'waiting' AND due_at <= now()
                     ORDER BY due_at, id LIMIT $2 FOR UPDATE SKIP LOCKED)
        RETURNING id, object_id, tries, now() - requested_at AS age
        """,
        lease_s,
        limit,
    )
    return [Resync(**row) for row in rows]


async def update_finished(conn: Connection, resync_id: UUID, state: str, detail: str | None) -> bool:
    """False when another process has finished it meanwhile."""
    status = await conn.execute(
        """
        UPDATE resyncs SET state = $2, detail = left($3, 500), finished_at = now()
        WHERE id = $1 AND state = 'waiting'
        """,
        resync_id,
        state,
        detail,
    )
    return status == "UPDATE 1"


async def update_due(conn: Connection, resync_id: UUID, detail: str, rest_s: float) -> None:
    await conn.execute(
        """
        UPDATE resyncs SET due_at = now() + make_interval(secs => $3), detail = left($2, 500)
        WHERE id = $1 AND state = 'waiting'
        """,
        resync_id,
        detail,
        rest_s,
    )


async def delete_finished(conn: Connection, keep_days: int) -> int:
    """Forgets those that ended more than so many days ago, at most 1000; how many."""
    status = await conn.execute(
        """
        DELETE FROM resyncs WHERE id IN (
            SELECT id FROM resyncs WHERE finished_at < now() - make_interval(days => $1) LIMIT 1000)
        """,
        keep_days,
    )
    return int(status.split()[-1])


async def count_waiting(conn: Connection) -> int:
    count: int = await conn.fetchval("SELECT count(*) FROM resyncs WHERE state = 'waiting'")
    return count


async def select_object(conn: Connection, stripe_event_id: str) -> str | None:
    """What a stored event is about."""
    found: str | None = await conn.fetchval(
        "SELECT object_id FROM stripe_events WHERE stripe_event_id = $1 LIMIT 1", stripe_event_id
    )
    return found
