"""How far the search for undelivered events has come, and the events that it found."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from services.webhooks.domain import StripeEvent
from shared.db import Connection


@dataclass(frozen=True, slots=True)
class Sweep:
    """A walk from the newest undelivered event back to `since`; `cursor` is how far it has come."""

    since: datetime
    cursor: str | None


@dataclass(frozen=True, slots=True)
class Progress:
    """The row. `sweep` is None between two sweeps; `now` is the database's clock."""

    now: datetime
    due_at: datetime
    interval_s: float
    failures: int
    swept_until: datetime | None
    sweep: Sweep | None
    seen_at: datetime | None


async def note_presence(conn: Connection, fence: int, is_up: bool, outage: timedelta) -> Progress | None:
    """Says that the leader is here. After a gap of `outage` since it was last up, a sweep is due at once.

    None when a later leader has been here: we are none any more. `Progress.seen_at` is when one was up before.
    """
    await conn.execute("INSERT INTO backfill DEFAULT VALUES ON CONFLICT DO NOTHING")
    before = await conn.fetchrow("SELECT * FROM backfill WHERE fence <= $1 FOR UPDATE", fence)
    if before is None:
        return None
    row = await conn.fetchrow(
        """
        UPDATE backfill SET fence = $1,
            seen_at = CASE WHEN $2 THEN now() ELSE seen_at END,
            due_at = CASE WHEN $2 AND seen_at < now() - $3::interval THEN now() ELSE due_at END,
            is_due_again = is_due_again
                OR coalesce(sweep_from IS NOT NULL AND $2 AND seen_at < now() - $3::interval, false)
        RETURNING *, now() AS now
        """,
        fence,
        is_up,
        outage,
    )
    assert row is not None
    return _progress(row, before["seen_at"])


def _progress(row: asyncpg.Record, seen_at: datetime | None) -> Progress:
    sweep = None if row["sweep_from"] is None else Sweep(row["sweep_from"], row["cursor"])
    return Progress(row["now"], row["due_at"], row["interval_s"], row["failures"], row["swept_until"], sweep, seen_at)


async def update_begun(conn: Connection, fence: int, since: datetime) -> bool:
    """Begins a sweep; all updates here answer whether we still lead."""
    return _is_done(
        await conn.execute(
            """
            UPDATE backfill SET sweep_from = $2, sweep_began = now(), cursor = NULL, is_due_again = false,
                found = 0, stored = 0, oldest = NULL, newest = NULL
            WHERE fence = $1
            """,
            fence,
            since,
        )
    )


async def update_counted(conn: Connection, fence: int, created: datetime | None, is_new: bool) -> bool:
    """Counts an event that was found; `created` only of those that were new here."""
    return _is_done(
        await conn.execute(
            """
            UPDATE backfill SET found = found + 1, stored = stored + $2::int,
                oldest = least(oldest, $3), newest = greatest(newest, $3)
            WHERE fence = $1
            """,
            fence,
            int(is_new),
            created,
        )
    )


async def update_cursor(conn: Connection, fence: int, cursor: str | None) -> bool:
    return _is_done(
        await conn.execute(
            "UPDATE backfill SET cursor = $2, failures = 0, last_error = NULL WHERE fence = $1", fence, cursor
        )
    )


async def update_resting(conn: Connection, fence: int, why: str, rest_s: float, failures: int) -> bool:
    """The same page again, later; `failures` in a row, this one included."""
    return _is_done(
        await conn.execute(
            """
            UPDATE backfill SET failures = $4, last_error = left($2, 200),
                due_at = now() + make_interval(secs => $3)
            WHERE fence = $1
            """,
            fence,
            why,
            rest_s,
            failures,
        )
    )


@dataclass(frozen=True, slots=True)
class Caught:
    """What a whole sweep brought."""

    since: datetime
    found: int
    stored: int
    oldest: datetime | None
    newest: datetime | None


async def select_caught(conn: Connection, fence: int) -> Caught | None:
    """What the sweep under way has brought so far."""
    row = await conn.fetchrow(
        """
        SELECT sweep_from AS since, found, stored, oldest, newest FROM backfill
        WHERE fence = $1 AND sweep_from IS NOT NULL FOR UPDATE
        """,
        fence,
    )
    return None if row is None else Caught(**row)


async def update_finished(conn: Connection, fence: int, interval_s: float) -> bool:
    return _is_done(
        await conn.execute(
            """
            UPDATE backfill SET swept_until = sweep_began, finished_at = now(), sweep_from = NULL, sweep_began = NULL,
                cursor = NULL, failures = 0, last_error = NULL, interval_s = $2,
                due_at = CASE WHEN is_due_again THEN now() ELSE now() + make_interval(secs => $2) END
            WHERE fence = $1
            """,
            fence,
            interval_s,
        )
    )


async def update_due(conn: Connection) -> None:
    """A sweep shall begin at once, or follow the one under way."""
    await conn.execute("UPDATE backfill SET due_at = least(due_at, now()), is_due_again = sweep_from IS NOT NULL")


async def insert_wanted(conn: Connection, run_id: UUID) -> None:
    """Who asks for a sweep. What nobody could answer for a day is forgotten."""
    await conn.execute("DELETE FROM wanted_sweeps WHERE wanted_at < now() - interval '1 day'")
    await conn.execute("INSERT INTO wanted_sweeps (run_id) VALUES ($1) ON CONFLICT DO NOTHING", run_id)


async def delete_wanted(conn: Connection) -> list[UUID]:
    """Those whom the sweep under way answers; it may have missed what came before it began only."""
    rows = await conn.fetch("DELETE FROM wanted_sweeps USING backfill WHERE wanted_at <= sweep_began RETURNING run_id")
    return [row["run_id"] for row in rows]


async def select_is_present(conn: Connection, within: timedelta) -> bool:
    """Whether a leader was up so lately."""
    return bool(await conn.fetchval("SELECT seen_at > now() - $1::interval FROM backfill", within))


@dataclass(frozen=True, slots=True)
class Figures:
    """What is measured of it."""

    finished_at: datetime | None
    failures: int


async def select_figures(conn: Connection) -> Figures | None:
    row = await conn.fetchrow("SELECT finished_at, failures FROM backfill")
    return None if row is None else Figures(**row)


async def select_known(conn: Connection, ids: Sequence[str]) -> dict[str, bytes | None]:
    """Those of the events that are here already, with what they said."""
    rows = await conn.fetch("SELECT id, content_digest FROM stripe_event_ids WHERE id = ANY($1::text[])", list(ids))
    return {row["id"]: row["content_digest"] for row in rows}


@dataclass(frozen=True, slots=True)
class Found:
    """An event as Stripe listed it."""

    event: StripeEvent
    body: bytes
    state: str
    error: str | None
    version_mismatch: bool

    @property
    def digest(self) -> bytes | None:
        """What the event says; None in another version: our endpoint would be told it in other words."""
        return None if self.version_mismatch else self.event.digest


async def insert_found(conn: Connection, found: Found) -> bool:
    """False if the event is here. While a request is storing the same one, this waits for its outcome."""
    event = found.event
    status = await conn.execute(
        """
        WITH claimed AS (
            INSERT INTO stripe_event_ids (id, content_digest) VALUES ($1, $2)
            ON CONFLICT (id) DO NOTHING RETURNING id
        )
        INSERT INTO stripe_events (stripe_event_id, type, object_id, api_version, livemode, body, traceparent,
                                   state, error, order_id, version_mismatch, origin)
        SELECT id, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 'backfill' FROM claimed
        """,
        event.id,
        found.digest,
        event.type,
        event.object_id,
        event.api_version,
        event.livemode,
        found.body,
        event.traceparent,
        found.state,
        found.error,
        event.order_id,
        found.version_mismatch,
    )
    return status == "INSERT 0 1"


def _is_done(status: str) -> bool:
    return status == "UPDATE 1"
