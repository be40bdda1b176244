"""Stripe's events as the publisher reads and marks them."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta

import asyncpg

from shared.db import Connection


@dataclass(frozen=True, slots=True)
class Waiting:
    """A stored event that nobody has been told of yet."""

    stripe_event_id: str
    type: str
    body: bytes
    traceparent: str | None


async def claim_waiting(conn: Connection, limit: int) -> list[Waiting]:
    """The oldest events that are due, locked until the transaction ends; what others hold is passed by."""
    rows = await conn.fetch(
        """
        SELECT stripe_event_id, type, body, traceparent FROM stripe_events
        WHERE state = 'received' AND due_at <= now()
        ORDER BY received_at LIMIT $1 FOR UPDATE SKIP LOCKED
        """,
        limit,
    )
    return [_waiting(row) for row in rows]


def _waiting(row: asyncpg.Record) -> Waiting:
    return Waiting(row["stripe_event_id"], row["type"], row["body"], row["traceparent"])


async def update_published(conn: Connection, ids: Sequence[str]) -> None:
    await conn.execute(
        """
        UPDATE stripe_events
        SET state = 'published', published_at = now(), attempts = attempts + 1, error = NULL
        WHERE stripe_event_id = ANY($1::text[]) AND state = 'received'
        """,
        list(ids),
    )


async def update_ignored(conn: Connection, ids: Sequence[str], reason: str) -> None:
    await conn.execute(
        """
        UPDATE stripe_events SET state = 'ignored', error = $2
        WHERE stripe_event_id = ANY($1::text[]) AND state = 'received'
        """,
        list(ids),
        reason,
    )


async def update_failed(conn: Connection, stripe_event_id: str, error: str) -> None:
    await conn.execute(
        """
        UPDATE stripe_events SET state = 'failed', attempts = attempts + 1, error = $2
        WHERE stripe_event_id = $1 AND state = 'received'
        """,
        stripe_event_id,
        error,
    )


async def update_due(conn: Connection, ids: Sequence[str], error: str, rest: timedelta) -> None:
    """Puts events that the broker did not take aside for a while."""
    await conn.execute(
        """
        UPDATE stripe_events SET attempts = attempts + 1, due_at = now() + $3, error = $2
        WHERE stripe_event_id = ANY($1::text[]) AND state = 'received'
        """,
        list(ids),
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
