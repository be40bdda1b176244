"""The invariants: `invariants/*.sql`, one sentence and one query each, whose rows are what breaks it.

They are asked over a connection of their own, as the auditor, who may read every schema and change nothing.
"""

from dataclasses import dataclass
from pathlib import Path

import asyncpg

FOLDER = Path(__file__).parents[1] / "invariants"

TIMEOUT_S = 60.0
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


def invariants() -> list[Invariant]:
    """All of them, by name."""
    return [_read(path) for path in sorted(FOLDER.glob("*.sql"))]


async def select_broken(auditor_url: str) -> dict[str, Broken]:
    """The invariants that don't hold, all judged at one instant. Raises what asyncpg raises."""
    conn = await asyncpg.connect(auditor_url, timeout=10, command_timeout=TIMEOUT_S)
    try:
        async with conn.transaction(isolation="repeatable_read", readonly=True):
            found = {}
            for invariant in invariants():
                if rows := await conn.fetch(invariant.query):
                    first = tuple(str(row["what"])[:200] for row in rows[:SHOWN])
                    found[invariant.name] = Broken(invariant.sentence, len(rows), first)
            return found
    finally:
        await conn.close()


def _read(path: Path) -> Invariant:
    text = path.read_text(encoding="utf-8")
    return Invariant(path.stem, text.splitlines()[0].removeprefix("-- ").strip(), text)
