"""One transaction, one fact: an event is a row, written in the transaction that makes it true, and relayed after it.

The relay takes a batch with SKIP LOCKED, publishes it with confirms, and marks it in one transaction: the one place
where a transaction is held across the network. A crash in between publishes twice; consumers deduplicate by id.
"""

import logging
from uuid import UUID

from shared import events, metrics, tracing
from shared.bus import Bus
from shared.db import Connection, Pool
from shared.events import Event
from shared.publishing import Message

log = logging.getLogger(__name__)

BATCH = 200

# How long an event that the broker would not take rests before it is tried again.
REST_AFTER_REFUSAL = "5 seconds"


async def stage(conn: Connection, event: Event) -> None:
    """Announces a fact, if and when the caller's transaction commits."""
    await conn.execute(
        "INSERT INTO outbox (id, type, body, traceparent) VALUES ($1, $2, $3, $4)",
        event.id,
        event.type,
        events.encode(event),
        tracing.current_traceparent(),
    )


async def stage_once(conn: Connection, event: Event) -> None:
    """The same, for an event whose id says what it is about: while that id is kept, it is announced no second time."""
    await conn.execute(
        "INSERT INTO outbox (id, type, body, traceparent) VALUES ($1, $2, $3, $4) ON CONFLICT DO NOTHING",
        event.id,
        event.type,
        events.encode(event),
        tracing.current_traceparent(),
    )


async def relay(pool: Pool, bus: Bus) -> int:
    """Publishes one batch of what was staged; answers how many events got through."""
    if not bus.is_connected:
        return 0
    async with pool.worker() as conn:
        rows = await conn.fetch(
            """
            SELECT id, type, body, traceparent FROM outbox
            WHERE published_at IS NULL AND due_at <= now()
            ORDER BY staged_at LIMIT $1 FOR UPDATE SKIP LOCKED
            """,
            BATCH,
        )
        if not rows:
            return 0
        refused = await bus.publish([Message(row["id"], row["type"], row["body"], row["traceparent"]) for row in rows])
        published = [row["id"] for row in rows if row["id"] not in refused]
        await conn.execute("UPDATE outbox SET published_at = now() WHERE id = ANY($1::uuid[])", published)
        if refused:
            await _rest(conn, refused)
        return len(published)


async def _rest(conn: Connection, refused: dict[UUID, str]) -> None:
    log.warning(
        "events not taken by the broker",
        extra={"count": len(refused), "reason": next(iter(refused.values()))},
    )
    await conn.execute(
        f"""
        UPDATE outbox SET attempts = attempts + 1, due_at = now() + interval '{REST_AFTER_REFUSAL}'
        WHERE id = ANY($1::uuid[])
        """,  # noqa: S608 (a constant)
        list(refused),
    )


async def measure(pool: Pool) -> int:
    """Sets the gauges of what waits to be published; a job of its own, so that it is fresh when the relay hangs."""
    async with pool.worker() as conn:
        row = await conn.fetchrow(
            """
            SELECT count(*) AS pending, coalesce(extract(epoch FROM now() - min(staged_at)), 0)::float8 AS oldest_s
            FROM outbox WHERE published_at IS NULL
            """
        )
    assert row is not None
    metrics.OUTBOX_PENDING.set(row["pending"])
    metrics.OUTBOX_OLDEST_AGE.set(row["oldest_s"])
    return 0


async def purge(conn: Connection, keep_days: int) -> int:
    """Deletes up to 1,000 events that were published more than `keep_days` ago."""
    status = await conn.execute(
        """
        DELETE FROM outbox WHERE id IN (
            SELECT id FROM outbox WHERE published_at < now() - make_interval(days => $1) LIMIT 1000)
        """,
        keep_days,
    )
    return int(status.split()[-1])
