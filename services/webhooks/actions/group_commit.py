"""Group commit: requests that arrive while the last commit is under way are stored by the next one, together.

A request waits in a queue that is bounded in rows and bytes; beyond it, requests are turned away at once. A writer with
a connection of its own takes whatever has gathered, stores it in one statement and answers each. When the database is
away, what waits goes on waiting, each request no longer than its time; a request that gave up may or may not be stored.
"""

import asyncio
import contextlib
import logging
from collections import deque
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from typing import TypeAlias

from services.webhooks.actions import storing
from services.webhooks.store.deliveries import Delivery
from shared import metrics, tasks
from shared.db import Connection, is_database_away, is_in_the_way
from shared.errors import AppError, Unavailable

log = logging.getLogger(__name__)

BATCH_ROWS = metrics.histogram(
    "webhooks_batch_rows", "Events stored by one commit.", buckets=(1, 2, 4, 8, 16, 32, 64, 128, 256)
)
SHED = metrics.counter("webhooks_shed_total", "Verified events turned away, since too many waited to be stored.")

# What a delivery takes beside its body, roughly.
ROW_BYTES = 2048
LONGEST_PAUSE_S = 0.5

# What we tell Stripe of the wait; it keeps to its own schedule, others in front of us may not.
RETRY_AFTER_S = 5

Session: TypeAlias = Callable[[], AbstractAsyncContextManager[Connection]]


class NotStored(Unavailable):
    """The event could not be stored in time; whether it was, nobody knows, and a repeat does no harm."""

    code = "event_not_stored"
    title = "The event could not be stored; send it again"


class Overloaded(Unavailable):
    """Too many wait to be stored; this one was not."""

    code = "overloaded"
    title = "Too many events wait to be stored; send it again"


class NotStorable(AppError):
    """The database refuses this one event, and would again. Ours to mend: Stripe goes on sending it until it passes."""

    code = "event_not_storable"
    title = "This event can't be stored; we have to look into it"


@dataclass(frozen=True, slots=True)
class Limits:
    """Of what waits, and of what is stored at once."""

    waiting_rows: int
    waiting_bytes: int
    batch_rows: int
    batch_bytes: int
    timeout_s: float


@dataclass(slots=True, eq=False)
class _Waiting:
    delivery: Delivery
    settled: "asyncio.Future[str]" = field(default_factory=lambda: asyncio.get_running_loop().create_future())
    may_be_stored: bool = False  # a commit was tried, and how it ended isn't known of each row

    @property
    def size(self) -> int:
        return len(self.delivery.body) + ROW_BYTES

    def give_up(self) -> None:
        if not self.settled.done():
            self.settled.set_exception(NotStored(retry_after_s=RETRY_AFTER_S))


class GroupCommit:
    """The queue and its writers. Open it with `running`."""

    def __init__(self, session: Session, expected_version: str, limits: Limits) -> None:
        self._session = session
        self._expected_version = expected_version
        self._limits = limits
        self._queue: deque[_Waiting] = deque()
        self._rows = self._bytes = 0
        self._news = asyncio.Event()
        self._connected = asyncio.Event()
        self._is_closing = False

    async def store(self, delivery: Delivery) -> str:
        """Answers the outcome (see `storing.store`) once the event is durable.

        Raises Overloaded at once, NotStored after `timeout_s`, NotStorable when the database refuses this event.
        """
        waiting = _Waiting(delivery)
        size = waiting.size
        if self._rows >= self._limits.waiting_rows or self._bytes + size > self._limits.waiting_bytes:
            SHED.inc()
            raise Overloaded(retry_after_s=RETRY_AFTER_S)
        self._rows, self._bytes = self._rows + 1, self._bytes + size
        end = asyncio.get_running_loop().call_later(self._limits.timeout_s, waiting.give_up)
        try:
            self._put(waiting)
            return await waiting.settled
        finally:
            end.cancel()
            self._rows, self._bytes = self._rows - 1, self._bytes - size

    def _put(self, waiting: _Waiting) -> None:
        while self._queue and self._queue[0].settled.done():
            self._queue.popleft()  # gave up; while the database is away nobody else would take it out
        self._queue.append(waiting)
        self._news.set()

    def _gathered(self) -> list[_Waiting]:
        """The oldest that still wait, as many as one statement may take."""
        batch: list[_Waiting] = []
        size = 0
        while self._queue and len(batch) < self._limits.batch_rows:
            if self._queue[0].settled.done():
                self._queue.popleft()
                continue
            size += self._queue[0].size
            if batch and size > self._limits.batch_bytes:
                break
            batch.append(self._queue.popleft())
        return batch

    # Writing

    async def write(self) -> None:
        """A writer: stores what gathers, until the queue is closed and empty. Connects again whenever it has to."""
        pause = 0.02
        while not self._is_over():
            try:
                async with self._session() as conn:
                    self._connected.set()
                    await self._write_on(conn)
                    pause = 0.02
            except Exception as error:
                if is_database_away(error) or is_in_the_way(error):
                    log.warning("events not stored yet", extra={"reason": type(error).__name__})
                else:
                    log.exception("events not stored yet")
                await asyncio.sleep(pause)
                pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _write_on(self, conn: Connection) -> None:
        while not self._is_over():
            batch = self._gathered()
            if not batch:
                self._news.clear()
                await self._news.wait()
                continue
            try:
                await self._settle(conn, batch)
            except BaseException:
                self._queue.extendleft(each for each in reversed(batch) if not each.settled.done())
                raise

    async def _settle(self, conn: Connection, batch: Sequence[_Waiting]) -> None:
        """Stores and answers; a row that the database refuses is found by halves and fails alone."""
        try:
            outcomes = await self._commit(conn, batch)
        except Exception as error:
            for each in batch:
                each.may_be_stored = True
            if is_database_away(error) or is_in_the_way(error):
                raise
            if len(batch) == 1:
                _refuse(batch[0], error)
                return
            middle = len(batch) // 2
            await self._settle(conn, batch[:middle])
            await self._settle(conn, batch[middle:])
            return
        BATCH_ROWS.observe(len(batch))
        for each, outcome in zip(batch, outcomes, strict=True):
            if not each.settled.done():
                each.settled.set_result(_as_first(each, outcome))

    async def _commit(self, conn: Connection, batch: Sequence[_Waiting]) -> list[str]:
        """A statement that takes too long is ended with its connection: to cancel it would wait for the server."""
        end = asyncio.get_running_loop().call_later(self._limits.timeout_s, conn.terminate)
        try:
            return await storing.store(conn, [each.delivery for each in batch], self._expected_version)
        finally:
            end.cancel()

    # Ending

    def _is_over(self) -> bool:
        return self._is_closing and not self._queue

    async def wait_connected(self) -> None:
        """Until a writer has its connection, or a request's time is over: the first request need not wait for it."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._connected.wait(), self._limits.timeout_s)

    def close(self) -> None:
        """Lets the writers end once nothing waits."""
        self._is_closing = True
        self._news.set()


def _as_first(waiting: _Waiting, outcome: str) -> str:
    """A commit whose answer was lost may have been made: then what looks like a replay is our own second try."""
    return waiting.delivery.state if outcome == "replayed" and waiting.may_be_stored else outcome


def _refuse(waiting: _Waiting, error: Exception) -> None:
    # The error's text may repeat what a customer wrote.
    facts = {"stripe_event_id": waiting.delivery.event.id, "reason": type(error).__name__}
    log.error("event not storable", extra={**facts, "sqlstate": getattr(error, "sqlstate", None)})
    if not waiting.settled.done():
        waiting.settled.set_exception(NotStorable())


@contextlib.asynccontextmanager
async def running(commits: GroupCommit, writers: int, drain_s: float) -> AsyncIterator[GroupCommit]:
    """Runs so many writers while the block lasts; then what waits is stored and answered, within `drain_s`."""
    writing = [asyncio.create_task(commits.write(), name=f"writer {number}") for number in range(writers)]
    try:
        await commits.wait_connected()
        yield commits
    finally:
        commits.close()
        await asyncio.wait(writing, timeout=drain_s)
        await tasks.end(*writing)
