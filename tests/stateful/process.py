"""A process that can be stopped between two of its transactions: to go on later, or to die there.

A crash in the middle of a transaction leaves what a crash just before it leaves, so these are all the places where
a crash can matter. What others do meanwhile happens between transactions only: no two are ever open at once, so that
a lock that is missing inside one is not found here. The races of `tests/integration` are for that.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

from shared.db import Connection, Pool

Action = Callable[[Pool], Awaitable[Any]]


class GatedPool(Pool):
    """The service's connections, with a gate before and behind every transaction."""

    def __init__(self, pool: Pool) -> None:
        super().__init__(pool._connections, pool._role)
        self.is_parked = asyncio.Event()
        self._may_go = asyncio.Event()
        self._gates_open: int | None = 0

    def open(self, gates: int | None) -> None:
        """Lets through so many gates; None opens all."""
        self._gates_open = gates
        self.is_parked.clear()
        self._may_go.set()

    @contextlib.asynccontextmanager
    async def worker(self) -> AsyncIterator[Connection]:
        await self._pass()
        async with super().worker() as conn:
            yield conn
        await self._pass()

    @contextlib.asynccontextmanager
    async def request(self, **context: object) -> AsyncIterator[Connection]:
        await self._pass()
        async with super().request(**context) as conn:
            yield conn
        await self._pass()

    async def _pass(self) -> None:
        while self._gates_open == 0:
            self._may_go.clear()
            self.is_parked.set()
            await self._may_go.wait()
        if self._gates_open is not None:
            self._gates_open -= 1


class Process:
    """One action under way. `then` is told how it ended, if it did not die."""

    def __init__(self, name: str, pool: Pool, action: Action) -> None:
        self.name = name
        self._pool = GatedPool(pool)
        self._task = asyncio.ensure_future(action(self._pool))

    async def go_on(self, gates: int | None) -> bool:
        """True when it has come to its end; else it stands at a gate."""
        self._pool.open(gates)
        parked = asyncio.ensure_future(self._pool.is_parked.wait())
        await asyncio.wait({self._task, parked}, return_when=asyncio.FIRST_COMPLETED)
        parked.cancel()
        return self._task.done()

    def outcome(self) -> Any:
        """What it answered; raises what it raised."""
        return self._task.result()

    async def die(self) -> None:
        self._task.cancel()
        await asyncio.wait({self._task})
