"""Which attempts to send were made, on disk and outside the database, each written before its mail is sent.

A database put back to an earlier point has forgotten what was sent after it. An attempt whose number stands here, or a
higher one, was made in that forgotten time. A file of SQLite's: safe against crashes and for several processes of one
machine, and only what is asked for is in memory.
"""

import asyncio
import contextlib
import fcntl
import os
import sqlite3
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from services.notifier.domain import Letter

BUSY_S = 5.0
MAGIC = b"SQLite format 3\0"

# `synchronous`: an attempt is on the disk itself when `admits` returns.
OPEN = """
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE IF NOT EXISTS attempts (message_id TEXT PRIMARY KEY, number INTEGER NOT NULL, day TEXT NOT NULL);
    CREATE INDEX IF NOT EXISTS attempts_day ON attempts (day);
"""
NOTE = """
    INSERT INTO attempts (message_id, number, day) VALUES (?, ?, ?)
    ON CONFLICT (message_id) DO UPDATE SET number = excluded.number, day = excluded.day
        WHERE attempts.number < excluded.number
    RETURNING number
"""
NOTE_ALL = "INSERT INTO attempts (message_id, number, day) VALUES (?, ?, ?)"
FORGET = "DELETE FROM attempts WHERE day < ? RETURNING number"
# Shows at the start that the file can be written to.
PROBE = "INSERT OR REPLACE INTO attempts (message_id, number, day) VALUES ('start', 0, ?) RETURNING number"


class JournalUnwritable(Exception):
    """The journal can't be read or written: its disk is full or gone, or its path is wrong. Nothing was noted."""


class Journal:
    """Made by `open_journal`. Without a file, all is admitted."""

    def __init__(self, file: sqlite3.Connection | None, keep: timedelta) -> None:
        self._file = file
        self._keep = keep
        self._lock = asyncio.Lock()

    async def admits(self, letter: Letter) -> bool:
        """Whether this attempt may be made; if so, it is on disk when this returns. Raises JournalUnwritable."""
        if self._file is None:
            return True
        return bool(await self._run(NOTE, letter.message_id, letter.attempts, _today()))

    async def forget(self) -> int:
        """Drops what is older than anything that may still be sent; answers how many. Raises JournalUnwritable."""
        if self._file is None:
            return 0
        return len(await self._run(FORGET, _today(-self._keep)))

    async def _run(self, statement: str, *values: str | int) -> list[tuple[int]]:
        assert self._file is not None
        async with self._lock:
            return await asyncio.to_thread(_run, self._file, statement, *values)


@contextlib.contextmanager
def open_journal(path: Path | None, keep: timedelta) -> Iterator[Journal]:
    """The journal in that file, made if it isn't there. Raises JournalUnwritable unless it can be written to."""
    if path is None:
        yield Journal(None, keep)
        return
    with contextlib.closing(_open(path)) as file:
        yield Journal(file, keep)


def _open(path: Path) -> sqlite3.Connection:
    try:
        with _alone_in(path.parent):
            _take_over(path)
            return _connect(path)
    except (OSError, sqlite3.Error, JournalUnwritable) as error:
        raise JournalUnwritable(f"the journal {path} can't be written: {error}") from error


@contextlib.contextmanager
def _alone_in(folder: Path) -> Iterator[None]:
    """One process after the other: of two that start at once, neither may take the other's half-made file for done."""
    held = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        fcntl.flock(held, fcntl.LOCK_EX)
        yield
    finally:
        os.close(held)


def _connect(path: Path) -> sqlite3.Connection:
    path.touch(mode=0o600)
    file = sqlite3.connect(path, timeout=BUSY_S, isolation_level=None, check_same_thread=False)
    try:
        file.executescript(OPEN)
        _run(file, PROBE, _today())
    except BaseException:
        file.close()
        raise
    return file


def _take_over(path: Path) -> None:
    """Reads the first version's journal, a line of text for each attempt, into a file of this one's kind."""
    if not path.exists() or _first_bytes(path) in (b"", MAGIC):
        return
    attempts = Counter(path.read_text("ascii", "replace").split())
    if not all(message_id.startswith("<") for message_id in attempts):
        raise JournalUnwritable("it is another kind of file")
    fresh = path.with_name(f"{path.name}.new")
    fresh.unlink(missing_ok=True)
    with contextlib.closing(_connect(fresh)) as file:
        file.execute("BEGIN")
        file.executemany(NOTE_ALL, ((message_id, number, _today()) for message_id, number in attempts.items()))
        file.execute("COMMIT")
    fresh.replace(path)


def _first_bytes(path: Path) -> bytes:
    with path.open("rb") as file:
        return file.read(len(MAGIC))


def _run(file: sqlite3.Connection, statement: str, *values: str | int) -> list[tuple[int]]:
    """Committed when it returns: each statement is a transaction of its own, and read to its end."""
    try:
        return file.execute(statement, values).fetchall()
    except sqlite3.Error as error:
        raise JournalUnwritable(str(error)) from error


def _today(shifted: timedelta = timedelta()) -> str:
    return (datetime.now(UTC) + shifted).date().isoformat()
