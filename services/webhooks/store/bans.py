"""Suspicious requests as they are counted, and the addresses that are kept out."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.webhooks.domain.threats import Sightings
from shared.db import Connection

# What a process holds in memory of bans; the latest to end come first.
MOST_BANS = 50_000
PURGE_BATCH = 5000


@dataclass(frozen=True, slots=True)
class Ban:
    """An address, or a /64 of IPv6, that is kept out."""

    address: str
    kind: str
    sightings: int
    banned_at: datetime
    until: datetime
    bans: int


async def add_sightings(conn: Connection, window: int, seen: Sequence[Sightings]) -> list[int]:
    """Adds to what all processes saw in the window; answers the totals, in the order of `seen`.

    Each total is another number for each process that adds to it, so that a line is crossed by exactly one.
    """
    # In the order of the key, or two processes that write the same rows could wait for each other.
    order = sorted(range(len(seen)), key=lambda index: (seen[index].kind, seen[index].address))
    rows = await conn.fetch(
        """
        INSERT INTO threats (window_at, kind, address, sightings)
        SELECT $1, kind, address, sightings
        FROM unnest($2::text[], $3::text[], $4::integer[]) AS given (kind, address, sightings)
        ON CONFLICT (window_at, kind, address) DO UPDATE SET sightings = threats.sightings + excluded.sightings
        RETURNING kind, address, sightings
        """,
        datetime.fromtimestamp(window, UTC),
        [seen[index].kind.value for index in order],
        [seen[index].address for index in order],
        [seen[index].count for index in order],
    )
    totals = {(row["kind"], row["address"]): row["sightings"] for row in rows}
    return [totals[each.kind.value, each.address] for each in seen]


async def count_told(conn: Connection, window: int, kind: str) -> int:
    """How many events of a kind the window has had."""
    told: int = await conn.fetchval(
        "SELECT count(*) FROM threats WHERE window_at = $1 AND kind = $2 AND is_told",
        datetime.fromtimestamp(window, UTC),
        kind,
    )
    return told


async def mark_told(conn: Connection, window: int, kind: str, address: str) -> bool:
    """False if it was told before."""
    status = await conn.execute(
        """
        INSERT INTO threats (window_at, kind, address, sightings, is_told) VALUES ($1, $2, $3, 0, true)
        ON CONFLICT (window_at, kind, address) DO UPDATE SET is_told = true WHERE NOT threats.is_told
        """,
        datetime.fromtimestamp(window, UTC),
        kind,
        address,
    )
    return status == "INSERT 0 1"


async def count_bans(conn: Connection, address: str) -> int:
    """How often the address has been banned before; the row is locked, if there is one."""
    bans: int | None = await conn.fetchval("SELECT bans FROM bans WHERE address = $1 FOR UPDATE", address)
    return bans or 0


async def upsert_ban(conn: Connection, seen: Sightings, length: timedelta) -> None:
    """Keeps the address out from now on. A ban that runs already is never shortened."""
    await conn.execute(
        """
        INSERT INTO bans (address, kind, sightings, until) VALUES ($1, $2, $3, now() + $4::interval)
        ON CONFLICT (address) DO UPDATE SET kind = excluded.kind, sightings = excluded.sightings, banned_at = now(),
            until = greatest(bans.until, excluded.until), bans = bans.bans + 1, lifted_at = NULL
        """,
        seen.address,
        seen.kind.value,
        seen.count,
        length,
    )


async def select_bans(conn: Connection) -> dict[str, float]:
    """Who is kept out right now, and for how many seconds more."""
    rows = await conn.fetch(
        """
        SELECT address, extract(epoch FROM least(until, now() + interval '1 day') - now())::float8 AS seconds FROM bans
        WHERE until > now() AND lifted_at IS NULL ORDER BY until DESC LIMIT $1
        """,
        MOST_BANS,
    )
    return {row["address"]: row["seconds"] for row in rows}


async def list_bans(conn: Connection, limit: int) -> list[Ban]:
    """The same for people, the longest first."""
    rows = await conn.fetch(
        """
        SELECT address, kind, sightings, banned_at, until, bans FROM bans
        WHERE until > now() AND lifted_at IS NULL ORDER BY until DESC, address LIMIT $1
        """,
        limit,
    )
    return [Ban(**row) for row in rows]


async def lift_ban(conn: Connection, address: str) -> bool:
    """False if the address is not kept out."""
    status = await conn.execute(
        "UPDATE bans SET lifted_at = now() WHERE address = $1 AND until > now() AND lifted_at IS NULL", address
    )
    return status == "UPDATE 1"


async def delete_old(conn: Connection, keep_threats: timedelta, keep_bans: timedelta) -> int:
    """Forgets what is long over; answers how many rows."""
    deleted = 0
    for statement, keep in (
        (
            """
            DELETE FROM threats WHERE (window_at, kind, address) IN (
                SELECT window_at, kind, address FROM threats WHERE window_at < now() - $1::interval LIMIT $2)
            """,
            keep_threats,
        ),
        (
            """
            DELETE FROM bans WHERE address IN (
                SELECT address FROM bans WHERE until < now() - $1::interval LIMIT $2)
            """,
            keep_bans,
        ),
    ):
        status = await conn.execute(statement, keep, PURGE_BATCH)
        deleted += int(status.split()[-1])
    return deleted
