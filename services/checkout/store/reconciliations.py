"""SQL of the runs of reconciliation: one at a time, each with how far it has come."""

from dataclasses import dataclass, fields
from datetime import datetime
from uuid import UUID

import asyncpg

from shared.db import Connection

JOB = "job"  # who wants the runs that nobody wished for


@dataclass(slots=True)
class Run:
    """A comparison with Stripe. What is counted changes as it goes on; `save` writes it down."""

    id: UUID
    since: datetime
    until: datetime
    budget: int
    wanted_by: str = JOB
    stage: str = "events"
    cursor: str | None = None
    reads: int = 0
    turns: int = 0
    failures: int = 0
    started_at: datetime | None = None
    finished_at: datetime | None = None
    events_answered_at: datetime | None = None
    events_listed: int = 0
    events_fetched: int = 0
    objects_looked: int = 0
    objects_found: int = 0
    objects_repaired: int = 0
    objects_raised: int = 0
    balance_looked: int = 0
    balance_found: int = 0
    balance_repaired: int = 0
    balance_raised: int = 0
    interval_s: float = 0.0

    @property
    def found(self) -> int:
        return self.events_fetched + self.objects_found + self.balance_found


@dataclass(frozen=True, slots=True)
class Standing:
    """Where reconciliation stands. `open` is a run that has begun or is wished for; `last` the latest that finished.

    `covered_until` is how far our own runs have come without a gap: what people wish for may begin anywhere.
    """

    now: datetime
    open: Run | None
    may_go_on: bool
    last: Run | None
    covered_until: datetime | None


async def select_standing(conn: Connection) -> Standing:
    opened = await conn.fetchrow(
        """
        SELECT *, resume_at <= now() AS may_go_on FROM reconciliations WHERE finished_at IS NULL
        ORDER BY started_at IS NULL, wanted_at LIMIT 1
        """
    )
    last = await conn.fetchrow(
        "SELECT * FROM reconciliations WHERE finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 1"
    )
    covered_until = await conn.fetchval(
        "SELECT max(until) FROM reconciliations WHERE finished_at IS NOT NULL AND wanted_by = $1", JOB
    )
    now = await conn.fetchval("SELECT now()")
    return Standing(now, _run(opened), bool(opened and opened["may_go_on"]), _run(last), covered_until)


async def select_run(conn: Connection, run_id: UUID) -> Run | None:
    row = await conn.fetchrow("SELECT * FROM reconciliations WHERE id = $1", run_id)
    return _run(row)


async def insert_run(conn: Connection, run: Run, reason: str | None = None) -> None:
    await conn.execute(
        """
        INSERT INTO reconciliations (id, wanted_by, reason, since, until, budget) VALUES ($1, $2, $3, $4, $5, $6)
        """,
        run.id,
        run.wanted_by,
        reason,
        run.since,
        run.until,
        run.budget,
    )


async def update_turn(conn: Connection, run: Run, fence: int) -> bool:
    """Begins a run, or goes on with one. All updates here answer whether we still lead."""
    row = await conn.fetchrow(
        """
        UPDATE reconciliations SET started_at = coalesce(started_at, now()), turns = turns + 1, fence = $2
        WHERE id = $1 AND fence <= $2 AND finished_at IS NULL RETURNING started_at, turns
        """,
        run.id,
        fence,
    )
    if row is not None:
        run.started_at, run.turns = row["started_at"], row["turns"]
    return row is not None


async def update_progress(conn: Connection, run: Run, fence: int) -> bool:
    """Where it is and what it has counted so far; what webhooks answers is written by others."""
    return _is_done(
        await conn.execute(
            """
            UPDATE reconciliations SET stage = $3, cursor = $4, reads = $5, objects_looked = $6, objects_found = $7,
                objects_repaired = $8, objects_raised = $9, balance_looked = $10, balance_found = $11,
                balance_repaired = $12, balance_raised = $13, failures = 0, last_error = NULL
            WHERE id = $1 AND fence = $2 AND finished_at IS NULL
            """,
            run.id,
            fence,
            run.stage,
            run.cursor,
            run.reads,
            run.objects_looked,
            run.objects_found,
            run.objects_repaired,
            run.objects_raised,
            run.balance_looked,
            run.balance_found,
            run.balance_repaired,
            run.balance_raised,
        )
    )


async def update_resting(conn: Connection, run: Run, fence: int, why: str, rest_s: float) -> bool:
    """It goes on later, where it is."""
    return _is_done(
        await conn.execute(
            """
            UPDATE reconciliations SET last_error = left($3, 200), failures = $4, reads = $5,
                resume_at = now() + make_interval(secs => $6)
            WHERE id = $1 AND fence = $2 AND finished_at IS NULL
            """,
            run.id,
            fence,
            why,
            run.failures,
            run.reads,
            rest_s,
        )
    )


async def update_finished(conn: Connection, run: Run, fence: int, interval_s: float) -> bool:
    return _is_done(
        await conn.execute(
            """
            UPDATE reconciliations SET stage = 'done', cursor = NULL, finished_at = now(), interval_s = $3
            WHERE id = $1 AND fence = $2 AND finished_at IS NULL
            """,
            run.id,
            fence,
            interval_s,
        )
    )


async def update_answered(conn: Connection, run_id: UUID, listed: int, fetched: int) -> None:
    """What webhooks found of undelivered events; told twice it counts once."""
    await conn.execute(
        """
        UPDATE reconciliations SET events_answered_at = now(), events_listed = $2, events_fetched = $3
        WHERE id = $1 AND events_answered_at IS NULL
        """,
        run_id,
        listed,
        fetched,
    )


async def delete_old(conn: Connection, keep_days: int) -> int:
    """Our own latest stays, however old: the next run begins where it ended."""
    status = await conn.execute(
        """
        DELETE FROM reconciliations WHERE finished_at < now() - make_interval(days => $1)
            AND finished_at < (SELECT max(finished_at) FROM reconciliations WHERE wanted_by = $2)
        """,
        keep_days,
        JOB,
    )
    return int(status.split()[-1])


def _run(row: asyncpg.Record | None) -> Run | None:
    return None if row is None else Run(**{field.name: row[field.name] for field in fields(Run)})


def _is_done(status: str) -> bool:
    return status == "UPDATE 1"
