"""One change at a time per object: who waits too long is answered with a lock timeout."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from deploy.standins.stripe import errors


class Locks:
    #
    def __init__(self, wait_s: float) -> None:
        self.wait_s = wait_s
        self._held: dict[str, asyncio.Event] = {}

    @asynccontextmanager
    async def holding(self, name: str | None) -> AsyncIterator[None]:
        if name is None:
            yield
            return
        await self._wait(name)
        free = self._held[name] = asyncio.Event()
        try:
            yield
        finally:
            del self._held[name]
            free.set()

    def hold(self, name: str) -> bool:
        """By hand, until `let_go`."""
        if name in self._held:
            return False
        self._held[name] = asyncio.Event()
        return True

    def let_go(self, name: str) -> None:
        event = self._held.pop(name, None)
        if event is not None:
            event.set()

    async def _wait(self, name: str) -> None:
        if name not in self._held:
            return
        try:
            async with asyncio.timeout(self.wait_s):
                while name in self._held:
                    await self._held[name].wait()
        except TimeoutError:
            raise errors.lock_timeout() from None
