"""The stand-in's time, and the steps it takes by itself later on."""

import asyncio
import time
from collections.abc import Callable


class Clock:
    def __init__(self) -> None:
        self._waiting: set[asyncio.TimerHandle] = set()

    def now(self) -> int:
        return int(time.time())

    def later(self, delay_s: float, step: Callable[[], object]) -> None:
        def run() -> None:
            self._waiting.discard(handle)
            step()

        handle = asyncio.get_running_loop().call_later(delay_s, run)
        self._waiting.add(handle)

    def forget(self) -> None:
        for handle in self._waiting:
            handle.cancel()
        self._waiting.clear()
