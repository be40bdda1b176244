"""Which process holds which signing secrets, and when each was last used. Names only; never a secret."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from shared.db import Connection


@dataclass(frozen=True, slots=True)
class Held:
    """What one process holds; `problem` says why it doesn't hold what its file says."""

    instance: str
    names: list[str]
    untils: list[datetime | None]
    taken_at: datetime
    problem: str | None


async def upsert_keyring(conn: Connection, held: Held) -> None:
    """Writes down what a process holds, and forgets processes that have not been seen for a day."""
    await conn.execute(
        """
        INSERT INTO keyrings (instance, names, untils, taken_at, problem)
        VALUES ($1, $2, $3, $4, $5)
        ON CONFLICT (instance) DO UPDATE
        SET names = $2, untils = $3, taken_at = $4, problem = $5, seen_at = clock_timestamp()
        """,
        held.instance,
        held.names,
        held.untils,
        held.taken_at,
        held.problem,
    )
    await conn.execute("DELETE FROM keyrings WHERE seen_at < clock_timestamp() - interval '1 day'")


async def add_uses(conn: Connection, counts: Mapping[str, int], last: Mapping[str, datetime]) -> None:
    """Adds to what each secret verified. In the order of names, so that two processes never wait for each other."""
    for name in sorted(counts):
        await conn.execute(
            """
            INSERT INTO secret_uses (name, requests, last_used_at) VALUES ($1, $2, $3)
            ON CONFLICT (name) DO UPDATE SET requests = secret_uses.requests + $2,
                last_used_at = greatest(secret_uses.last_used_at, $3)
            """,
            name,
            counts[name],
            last[name],
        )


async def select_last_uses(conn: Connection) -> dict[str, datetime]:
    rows = await conn.fetch("SELECT name, last_used_at FROM secret_uses")
    return {row["name"]: row["last_used_at"] for row in rows}


async def claim_warning(conn: Connection, name: str, until: datetime) -> bool:
    """True for the first that warns of this secret's expiring at that moment."""
    status = await conn.execute(
        "UPDATE secret_uses SET warned_until = $2 WHERE name = $1 AND warned_until IS DISTINCT FROM $2", name, until
    )
    return status == "UPDATE 1"


async def select_keyrings(conn: Connection, seen_within_s: float) -> list[Held]:
    """What the processes hold that were seen lately."""
    rows = await conn.fetch(
        """
        SELECT instance, names, untils, taken_at, problem FROM keyrings
        WHERE seen_at > clock_timestamp() - make_interval(secs => $1) ORDER BY instance
        """,
        seen_within_s,
    )
    return [Held(**row) for row in rows]


async def select_uses(conn: Connection) -> dict[str, tuple[int, datetime]]:
    """How many requests each secret ever verified, and when the last."""
    rows = await conn.fetch("SELECT name, requests, last_used_at FROM secret_uses")
    return {row["name"]: (row["requests"], row["last_used_at"]) for row in rows}
