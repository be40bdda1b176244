"""The invariants: `invariants/*.sql`, one sentence and one query each, whose rows are what breaks it.

They are asked over a connection of their own, as the auditor, who may read every schema and change nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import asyncpg

FOLDER = Path(__file__).parents[1] / "invariants"

TIMEOUT_S = 60
MARGIN_S = 10  # for a server that does not even break off
SHOWN = 3


@dataclass(frozen=True)
class Invariant:
    """`name` is the file's, `sentence` its first line."""

    name: str
    sentence: str
    query: str


@dataclass(frozen=True)
class Broken:
    """What breaks an invariant: how many rows, and the first of them."""

    sentence: str
    rows: int
    first: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """The invariants that don't hold, and why some could not be asked, by name; all others hold."""

    broken: Mapping[str, Broken] = field(default_factory=dict)
    unanswered: Mapping[str, str] = field(default_factory=dict)


def invariants() -> list[Invariant]:
    """All of them, by name."""
    return [_read(path) for path in sorted(FOLDER.glob("*.sql"))]


async def ask_all(auditor_url: str) -> Answers:
    """What each invariant says, all of one instant. One that can't be asked keeps no other from being asked.

    Raises what asyncpg raises when none can be asked.
    """
    conn = await asyncpg.connect(auditor_url, timeout=10, command_timeout=TIMEOUT_S + MARGIN_S)
    broken, unanswered = {}, {}
    try:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            await conn.execute(f"SET LOCAL statement_timeout = '{TIMEOUT_S}s'")
            for invariant in invariants():
                try:
                    found = await _ask(conn, invariant)
                except asyncpg.PostgresError as error:
                    unanswered[invariant.name] = type(error).__name__
                    continue
                if found:
                    broken[invariant.name] = found
    finally:
        await conn.close()
    return Answers(broken, unanswered)


async def _ask(conn: "asyncpg.Connection[asyncpg.Record]", invariant: Invariant) -> Broken | None:
    """What breaks it; counted there, so that a million rows stay where they are."""
    async with conn.transaction():  # a savepoint: its failure ends nothing else
        rows = await conn.fetch(
            f"SELECT left(what, 200) AS what, count(*) OVER () AS rows FROM (\n{invariant.query}\n) AS broken LIMIT $1",  # noqa: S608 (our own files)
            SHOWN,
        )
    return Broken(invariant.sentence, rows[0]["rows"], tuple(row["what"] for row in rows)) if rows else None


def _read(path: Path) -> Invariant:
    text = path.read_text(encoding="utf-8")
    return Invariant(path.stem, text.splitlines()[0].removeprefix("-- ").strip(), text)
