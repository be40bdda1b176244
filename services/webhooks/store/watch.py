"""What is known of Stripe's endpoint for us, and how many events usually come."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import asyncpg

from shared.db import Connection


@dataclass(frozen=True, slots=True)
class Watch:
    """The row. `now` is the database's clock."""

    now: datetime
    heard_at: datetime | None
    silent_since: datetime | None
    is_usual_known: bool
    checked_at: datetime | None
    check_due_at: datetime
    failures: int
    problems: tuple[str, ...]


async def select_watch_for_update(conn: Connection) -> Watch:
    await conn.execute("INSERT INTO endpoint_watch DEFAULT VALUES ON CONFLICT DO NOTHING")
    row = await conn.fetchrow("SELECT *, now() AS now FROM endpoint_watch FOR UPDATE")
    assert row is not None
    return _watch(row)


async def select_watch(conn: Connection) -> Watch | None:
    row = await conn.fetchrow("SELECT *, now() AS now FROM endpoint_watch")
    return None if row is None else _watch(row)


def _watch(row: asyncpg.Record) -> Watch:
    found = {name: value for name, value in row.items() if name != "only_row"}
    return Watch(**{**found, "problems": tuple(row["problems"])})


async def select_heard(conn: Connection, since: datetime) -> datetime | None:
    """When an event was last delivered, of those that came after `since`."""
    heard: datetime | None = await conn.fetchval(
        "SELECT max(received_at) FROM stripe_events WHERE received_at > $1 AND origin = 'delivery'", since
    )
    return heard


async def update_heard(conn: Connection, heard_at: datetime | None) -> None:
    await conn.execute("UPDATE endpoint_watch SET heard_at = $1", heard_at)


async def update_silence(conn: Connection, silent_since: datetime | None, is_usual_known: bool) -> None:
    await conn.execute("UPDATE endpoint_watch SET silent_since = $1, is_usual_known = $2", silent_since, is_usual_known)


async def update_checked(conn: Connection, problems: Sequence[str], rest_s: float) -> None:
    await conn.execute(
        """
        UPDATE endpoint_watch SET problems = $1, checked_at = now(), failures = 0,
            check_due_at = now() + make_interval(secs => $2)
        """,
        list(problems),
        rest_s,
    )


async def update_unchecked(conn: Connection, rest_s: float) -> None:
    """Stripe could not be asked: what was known stays."""
    await conn.execute(
        "UPDATE endpoint_watch SET failures = failures + 1, check_due_at = now() + make_interval(secs => $1)", rest_s
    )


async def count_hours(conn: Connection, since: datetime) -> None:
    """Counts the hours from `since` (the beginning of one) on anew; earlier ones stay as they were counted."""
    await conn.execute(
        """
        INSERT INTO event_hours (hour, events)
        SELECT date_trunc('hour', received_at, 'UTC'), count(*) FROM stripe_events
        WHERE received_at >= $1 AND origin = 'delivery' GROUP BY 1
        ON CONFLICT (hour) DO UPDATE SET events = excluded.events
        """,
        since,
    )


async def select_latest_hour(conn: Connection) -> datetime | None:
    latest: datetime | None = await conn.fetchval("SELECT max(hour) FROM event_hours")
    return latest


async def select_hours(conn: Connection) -> dict[datetime, int]:
    rows = await conn.fetch("SELECT hour, events FROM event_hours")
    return {row["hour"]: row["events"] for row in rows}


async def delete_old_hours(conn: Connection, keep: timedelta) -> None:
    await conn.execute("DELETE FROM event_hours WHERE hour < now() - $1::interval", keep)
