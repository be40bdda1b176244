"""One of many: of several processes, the one that does what only one may do.

The leader holds a session lock of PostgreSQL on a connection of its own, so that a busy pool can't keep it from being
noticed, and the server gives the lock to another process when the leader dies. A process that was paused may still
believe that it leads: therefore every leader gets a number, higher than all before, and what it writes is guarded by
it (`WHERE fence <= $1`, or `= $1`).
"""

import contextlib
from collections.abc import AsyncIterator

import asyncpg

# A host that vanished without a word is noticed by the server within about half a minute.
KEEPALIVE = {"tcp_keepalives_idle": "10", "tcp_keepalives_interval": "5", "tcp_keepalives_count": "4"}
ANSWER_WITHIN_S = 10.0


class Candidate:
    """A process that would lead; `fence()` says whether it does."""

    def __init__(self, url: str, *, service: str, role_prefix: str, task: str) -> None:
        self._url = url
        self._service = service
        self._role = f"{role_prefix}_{service}_worker"
        self._task = task
        self._conn: asyncpg.Connection[asyncpg.Record] | None = None
        self._fence: int | None = None

    async def fence(self) -> int | None:
        """Our number while we lead, None while another process does; takes the lead when nobody has it.

        Raises OSError or asyncpg errors when the database can't be asked: then nobody knows, and we don't lead.
        """
        try:
            conn = await self._connected()
            if self._fence is not None:
                await conn.fetchval("SELECT true")
            elif await conn.fetchval("SELECT pg_try_advisory_lock(hashtextextended($1, 0))", self._name):
                self._fence = await self._number(conn)
        except BaseException:
            self.give_up()
            raise
        return self._fence

    def give_up(self) -> None:
        """Lets another process lead: the lock ends with the connection."""
        if self._conn is not None:
            self._conn.terminate()
        self._conn = self._fence = None

    @property
    def _name(self) -> str:
        return f"kct leader {self._service} {self._task}"

    async def _connected(self) -> "asyncpg.Connection[asyncpg.Record]":
        if self._conn is None or self._conn.is_closed():
            self._fence = None
            settings = {"application_name": self._name, "search_path": self._service, **KEEPALIVE}
            self._conn = await asyncpg.connect(
                self._url, timeout=ANSWER_WITHIN_S, command_timeout=ANSWER_WITHIN_S, server_settings=settings
            )
        return self._conn

    async def _number(self, conn: "asyncpg.Connection[asyncpg.Record]") -> int:
        async with conn.transaction():
            await conn.execute(f"SET LOCAL ROLE {self._role}")
            number: int = await conn.fetchval(
                """
                INSERT INTO leaders (name, fence) VALUES ($1, 1)
                ON CONFLICT (name) DO UPDATE SET fence = leaders.fence + 1, since = clock_timestamp() RETURNING fence
                """,
                self._task,
            )
        return number


@contextlib.asynccontextmanager
async def standing(url: str, *, service: str, role_prefix: str, task: str) -> AsyncIterator[Candidate]:
    """A candidate for as long as the block lasts. The service's schema has a table `leaders` (name, fence, since)."""
    candidate = Candidate(url, service=service, role_prefix=role_prefix, task=task)
    try:
        yield candidate
    finally:
        candidate.give_up()
