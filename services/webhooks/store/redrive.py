"""Stored events that are to be passed on once more."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from services.webhooks.domain import OTHER_MODE
from shared.db import Connection

STATES = ("failed", "published", "ignored")


@dataclass(frozen=True, slots=True)
class Selection:
    """Which events; None stands for any. `until` is exclusive."""

    states: tuple[str, ...] = ("failed",)
    event_id: str | None = None
    type: str | None = None
    since: datetime | None = None
    until: datetime | None = None


@dataclass(frozen=True, slots=True)
class Preview:
    """What a selection holds."""

    count: int
    by_type: Mapping[str, int]
    first: datetime | None
    last: datetime | None


@dataclass(frozen=True, slots=True)
class Place:
    """How far a redrive has come."""

    received_at: datetime
    event_id: str


@dataclass(frozen=True, slots=True)
class Moved:
    """One batch: how many events, and the last of them."""

    count: int
    last: Place | None


# What is of the other mode is never passed on, whoever asks.
_SELECTED = """
    state = ANY($1::text[]) AND ($2::text IS NULL OR stripe_event_id = $2) AND ($3::text IS NULL OR type = $3)
    AND ($4::timestamptz IS NULL OR received_at >= $4) AND ($5::timestamptz IS NULL OR received_at < $5)
    AND error IS DISTINCT FROM $6::text
"""


def _arguments(selection: Selection) -> tuple[object, ...]:
    chosen = (list(selection.states), selection.event_id, selection.type, selection.since, selection.until)
    return (*chosen, OTHER_MODE)


async def select_clock(conn: Connection) -> datetime:
    now: datetime = await conn.fetchval("SELECT clock_timestamp()")
    return now


async def select_preview(conn: Connection, selection: Selection) -> Preview:
    rows = await conn.fetch(
        f"""
        SELECT type, count(*) AS events, min(received_at) AS first, max(received_at) AS last
        FROM stripe_events WHERE {_SELECTED} GROUP BY type ORDER BY 2 DESC, 1
        """,  # noqa: S608 (a constant)
        *_arguments(selection),
    )
    by_type = {row["type"]: row["events"] for row in rows}
    first = min((row["first"] for row in rows), default=None)
    last = max((row["last"] for row in rows), default=None)
    return Preview(sum(by_type.values()), by_type, first, last)


async def update_received(conn: Connection, selection: Selection, after: Place | None, limit: int) -> Moved:
    """Puts the next so many back to `received`, the oldest first."""
    start = after or Place(datetime.fromisoformat("0001-01-01T00:00:00+00:00"), "")
    rows = await conn.fetch(
        f"""
        WITH chosen AS (
            SELECT stripe_event_id, received_at FROM stripe_events
            WHERE {_SELECTED} AND (received_at, stripe_event_id) > ($7::timestamptz, $8::text)
            ORDER BY received_at, stripe_event_id LIMIT $9 FOR UPDATE
        )
        UPDATE stripe_events e SET state = 'received', error = NULL, published_at = NULL, due_at = '-infinity'
        FROM chosen c WHERE e.stripe_event_id = c.stripe_event_id AND e.received_at = c.received_at
        RETURNING e.stripe_event_id, e.received_at
        """,  # noqa: S608 (a constant)
        *_arguments(selection),
        start.received_at,
        start.event_id,
        limit,
    )
    places = [Place(row["received_at"], row["stripe_event_id"]) for row in rows]
    return Moved(len(places), max(places, key=lambda place: (place.received_at, place.event_id), default=None))
