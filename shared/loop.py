"""Runs a job for as long as a service lives: one batch after another, with a pause when there is nothing to do.

A bare background task dies silently on its first error; this one logs it, counts it and goes on.
"""

import asyncio
import contextlib
import logging
import time
from collections.abc import AsyncIterator, Awaitable, Callable

from shared import metrics, tasks

log = logging.getLogger(__name__)

Job = Callable[[], Awaitable[int]]

# A job that keeps failing backs off to this, so that an outage doesn't fill the log.
LONGEST_REST_S = 5.0


async def forever(name: str, job: Job, rest_s: float, stop: asyncio.Event) -> None:
    """Calls `job` until `stop` is set. It answers how much it did; more than nothing means: again at once."""
    failures = 0
    while not stop.is_set():
        try:
            with tasks.only_our_cancels():
                done = await job()
        except Exception:
            failures += 1
            metrics.JOB_RUNS.labels(job=name, outcome="failed").inc()
            log.exception("job failed", extra={"job": name, "failures_in_a_row": failures})
            # Bounded exponent: after a thousand failures in a row, an hour or so, 2**n is more than a float can hold.
            await _rest(stop, min(rest_s * 2 ** min(failures, 30), max(rest_s, LONGEST_REST_S)))
            continue
        failures = 0
        metrics.JOB_RUNS.labels(job=name, outcome="ok").inc()
        metrics.JOB_LAST_SUCCESS.labels(job=name).set_to_current_time()
        if not done:
            await _rest(stop, rest_s)


async def _rest(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(asyncio.TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)


class Stop:
    """Tells the jobs of a service to stop, all at once: those that hang take their time together, not in turn."""

    def __init__(self, drain_s: float) -> None:
        self.told = asyncio.Event()
        self._drain_s = drain_s
        self._over_at = 0.0

    def tell(self) -> float:
        """Tells them; answers for how many seconds they may go on: `drain_s`, counted from the first time."""
        now = time.monotonic()
        if not self.told.is_set():
            self.told.set()
            self._over_at = now + self._drain_s
        return max(0.0, self._over_at - now)


@contextlib.asynccontextmanager
async def running(name: str, job: Job, rest_s: float, stop: Stop) -> AsyncIterator[None]:
    """Runs `job` in the background while the block lasts, or until `stop` tells.

    On leaving, all of `stop` are told. The batch in progress may finish within its time; what takes longer is
    cancelled. Jobs claim with leases or transactions, so even then nothing is lost.
    """
    task = asyncio.create_task(forever(name, job, rest_s, stop.told), name=f"job {name}")
    try:
        yield
    finally:
        await asyncio.wait({task}, timeout=stop.tell())
        await tasks.end(task)
