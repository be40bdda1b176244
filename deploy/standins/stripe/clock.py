"""The stand-in's time, which a test may put forward, and the steps the stand-in takes by itself later on."""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

DAY_S = 86_400


@dataclass(slots=True, eq=False)
class _Step:
    due: float
    run: Callable[[], object]
    handle: asyncio.TimerHandle | None = None


class Clock:
    def __init__(self) -> None:
        self._ahead_s = 0.0
        self._waiting: set[_Step] = set()

    def time(self) -> float:
        return time.time() + self._ahead_s

    def now(self) -> int:
        return int(self.time())

    def later(self, delay_s: float, run: Callable[[], object]) -> None:
        step = _Step(self.time() + delay_s, run)
        self._waiting.add(step)
        self._wind(step)

    def advance(self, seconds: float) -> int:
        """What falls due on the way happens in order, each at its own time; how many steps were taken."""
        target, taken = self.time() + seconds, 0
        while due := [step for step in self._waiting if step.due <= target]:
            step = min(due, key=lambda one: one.due)
            self._ahead_s += max(0.0, step.due - self.time())
            self._take(step)
            taken += 1
        self._ahead_s += max(0.0, target - self.time())
        for step in self._waiting:
            self._wind(step)
        return taken

    @property
    def ahead_s(self) -> float:
        return self._ahead_s

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def forget(self) -> None:
        for step in self._waiting:
            if step.handle is not None:
                step.handle.cancel()
        self._waiting.clear()

    def set_right(self) -> None:
        self.forget()
        self._ahead_s = 0.0

    def _wind(self, step: _Step) -> None:
        if step.handle is not None:
            step.handle.cancel()
        delay_s = max(0.0, step.due - self.time())
        step.handle = asyncio.get_running_loop().call_later(delay_s, self._take, step)

    def _take(self, step: _Step) -> None:
        if step in self._waiting:
            self._waiting.discard(step)
            if step.handle is not None:
                step.handle.cancel()
            step.run()
