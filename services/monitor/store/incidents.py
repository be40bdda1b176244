"""Incidents. Every change compares before it sets, so that several monitors agree without a lock."""

from collections.abc import Sequence
from dataclasses import fields
from datetime import datetime, timedelta
from uuid import UUID

import asyncpg

from services.monitor.domain.incidents import Incident
from services.monitor.domain.rules import Alert, Severity
from shared.db import Connection

COLUMNS = ", ".join(field.name for field in fields(Incident))


async def select_current_incidents(conn: Connection, resolved_within: timedelta) -> list[Incident]:
    """Those that are open and those resolved lately; the open ones last, each kind with the oldest first."""
    rows = await conn.fetch(
        f"""
        SELECT {COLUMNS} FROM incidents WHERE resolved_at IS NULL OR resolved_at > now() - $1::interval
        ORDER BY resolved_at NULLS LAST, opened_at
        """,  # noqa: S608 (constant)
        resolved_within,
    )
    return [_incident(row) for row in rows]


async def select_recent_incidents(conn: Connection, limit: int) -> list[Incident]:
    """The open ones first, each kind with the newest first."""
    rows = await conn.fetch(
        f"SELECT {COLUMNS} FROM incidents ORDER BY resolved_at IS NOT NULL, opened_at DESC LIMIT $1",  # noqa: S608
        limit,
    )
    return [_incident(row) for row in rows]


async def select_clock(conn: Connection) -> datetime:
    """The database's time: the one clock that all monitors share."""
    now = await conn.fetchval("SELECT clock_timestamp()")
    assert isinstance(now, datetime)
    return now


async def insert_incident(conn: Connection, incident_id: UUID, alert: Alert, now: datetime) -> bool:
    """False if another monitor has this one open already. Waits for one that is opening it right now."""
    status = await conn.execute(
        """
        INSERT INTO incidents (id, rule, subject, dedup_key, severity, summary, value, opened_at, updated_at,
                               last_seen_at, told_at, told_severity, told_value, previous_incident_id)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $8, $8, $5, $7,
                (SELECT id FROM incidents WHERE dedup_key = $4 ORDER BY opened_at DESC LIMIT 1))
        ON CONFLICT DO NOTHING
        """,
        incident_id,
        alert.rule,
        alert.subject,
        alert.dedup_key,
        alert.severity.value,
        alert.summary,
        alert.value,
        now,
    )
    return status == "INSERT 0 1"


async def update_reopened(conn: Connection, incident: Incident, alert: Alert, now: datetime) -> bool:
    """False if another monitor reopened it, or opened the next."""
    status = await conn.execute(
        """
        UPDATE incidents SET
            resolved_at = NULL, clear_since = NULL, reopened_at = $3, updated_at = $3, last_seen_at = $3, told_at = $3,
            occurrences = occurrences + 1, severity = $4, told_severity = $4, summary = $5, value = $6, told_value = $6
        WHERE id = $1 AND resolved_at = $2
          AND NOT EXISTS (SELECT FROM incidents next WHERE next.dedup_key = $7 AND next.resolved_at IS NULL)
        """,
        incident.id,
        incident.resolved_at,
        now,
        alert.severity.value,
        alert.summary,
        alert.value,
        alert.dedup_key,
    )
    return status == "UPDATE 1"


async def update_seen(conn: Connection, incident_id: UUID, alert: Alert, now: datetime) -> None:
    await conn.execute(
        """
        UPDATE incidents SET
            last_seen_at = $2, occurrences = occurrences + 1, clear_since = NULL,
            severity = $3, summary = $4, value = $5,
            updated_at = CASE WHEN (severity, summary, value) IS DISTINCT FROM ($3, $4, $5::bigint)
                              THEN $2 ELSE updated_at END
        WHERE id = $1 AND resolved_at IS NULL
        """,
        incident_id,
        now,
        alert.severity.value,
        alert.summary,
        alert.value,
    )


async def update_told(conn: Connection, incident: Incident, alert: Alert, now: datetime) -> bool:
    """Takes the right to tell of a change; False if another monitor took it."""
    status = await conn.execute(
        """
        UPDATE incidents SET told_at = $3, told_severity = $4, told_value = $5
        WHERE id = $1 AND told_at = $2 AND resolved_at IS NULL
        """,
        incident.id,
        incident.told_at,
        now,
        alert.severity.value,
        alert.value,
    )
    return status == "UPDATE 1"


async def update_clear(conn: Connection, incident_id: UUID, now: datetime) -> None:
    await conn.execute(
        "UPDATE incidents SET clear_since = $2 WHERE id = $1 AND clear_since IS NULL AND resolved_at IS NULL",
        incident_id,
        now,
    )


async def update_resolved(conn: Connection, incident: Incident, now: datetime) -> bool:
    """False if another monitor resolved it, or sees it wrong after all."""
    status = await conn.execute(
        """
        UPDATE incidents SET resolved_at = $3, updated_at = $3
        WHERE id = $1 AND clear_since = $2 AND resolved_at IS NULL
        """,
        incident.id,
        incident.clear_since,
        now,
    )
    return status == "UPDATE 1"


async def count_open(conn: Connection) -> dict[Severity, int]:
    rows: Sequence[asyncpg.Record] = await conn.fetch(
        "SELECT severity, count(*) AS open FROM incidents WHERE resolved_at IS NULL GROUP BY severity"
    )
    counted = {row["severity"]: row["open"] for row in rows}
    return {severity: counted.get(severity.value, 0) for severity in Severity}


def _incident(row: asyncpg.Record) -> Incident:
    values = dict(row)
    values["severity"] = Severity(values["severity"])
    values["told_severity"] = Severity(values["told_severity"])
    return Incident(**values)
