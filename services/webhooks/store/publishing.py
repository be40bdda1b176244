"""Stripe's events as the publisher reads and marks them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from shared.db import Connection


@dataclass(frozen=True, slots=True)
class Waiting:
    """A stored event that nobody has been told of yet."""

    stripe_event_id: str
    received_at: datetime
    type: str
    body: bytes
    traceparent: str | None


async def claim_waiting(conn: Connection, limit: int, most_bytes: int) -> list[Waiting]:
    """The oldest events that are due, locked until the transaction ends; what others hold is passed by.

    No more than `limit`, and of those the first whose bodies are `most_bytes` together, but at least one.
    """
    rows = await conn.fetch(
        """
        WITH due AS (
            SELECT stripe_event_id, received_at, type, body, traceparent FROM stripe_events
            WHERE state = 'received' AND due_at <= now()
            ORDER BY received_at LIMIT $1 FOR UPDATE SKIP LOCKED
        ), measured AS (
            SELECT due.*, sum(octet_length(body)) OVER (ORDER BY received_at, stripe_event_id) - octet_length(body) AS
                   bytes_before
            FROM due
        )
        SELECT stripe_event_id, received_at, type, body, traceparent FROM measured WHERE bytes_before < $2
        """,
        limit,
        most_bytes,
    )
    return [_waiting(row) for row in rows]


def _waiting(row: asyncpg.Record) -> Waiting:
    return Waiting(row["stripe_event_id"], row["received_at"], row["type"], row["body"], row["traceparent"])


def _keys(rows: Sequence[Waiting]) -> tuple[list[str], datetime, datetime]:
    """Their ids, and the span of time they are from: without it, every week's index would be looked at."""
    times = [row.received_at for row in rows]
    return [row.stripe_event_id for row in rows], min(times), max(times)


async def update_published(conn: Connection, rows: Sequence[Waiting]) -> None:
    await conn.execute(
        """
        UPDATE stripe_events
        SET state = 'published', published_at = now(), attempts = attempts + 1, error = NULL
        WHERE stripe_event_id = ANY($1::text[]) AND received_at BETWEEN $2 AND $3 AND state = 'received'
        """,
        *_keys(rows),
    )


async def update_ignored(conn: Connection, rows: Sequence[Waiting], reason: str) -> None:
    await conn.execute(
        """
        UPDATE stripe_events SET state = 'ignored', error = $4
        WHERE stripe_event_id = ANY($1::text[]) AND received_at BETWEEN $2 AND $3 AND state = 'received'
        """,
        *_keys(rows),
        reason,
    )


async def update_failed(conn: Connection, row: Waiting, error: str) -> None:
    await conn.execute(
        """
        UPDATE stripe_events SET state = 'failed', attempts = attempts + 1, error = $3
        WHERE stripe_event_id = $1 AND received_at = $2 AND state = 'received'
        """,
        row.stripe_event_id,
        row.received_at,
        error,
    )


async def update_due(conn: Connection, rows: Sequence[Waiting], error: str, rest: timedelta) -> None:
    """Puts events that the broker did not take aside for a while."""
    await conn.execute(
        """
        UPDATE stripe_events SET attempts = attempts + 1, due_at = now() + $5, error = $4
        WHERE stripe_event_id = ANY($1::text[]) AND received_at BETWEEN $2 AND $3 AND state = 'received'
        """,
        *_keys(rows),
        error,
        rest,
    )


@dataclass(frozen=True, slots=True)
class Backlog:
    """What is stored and not yet published."""

    count: int
    oldest_s: float


async def select_backlog(conn: Connection) -> Backlog:
    row = await conn.fetchrow(
        """
        SELECT count(*) AS count,
               coalesce(extract(epoch FROM now() - min(received_at)), 0)::float8 AS oldest_s
        FROM stripe_events WHERE state = 'received'
        """
    )
    assert row is not None
    return Backlog(row["count"], row["oldest_s"])
