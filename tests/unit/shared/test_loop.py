"""A job runs for as long as its service, whatever it meets."""

import asyncio
import contextlib
import time

from shared import loop


async def test_a_job_that_fails_for_hours_is_still_tried(monkeypatch):
    monkeypatch.setattr(loop, "LONGEST_REST_S", 0.0)
    stop, failures = asyncio.Event(), 0

    async def fail() -> int:
        nonlocal failures
        failures += 1
        if failures == 1_200:
            stop.set()
        raise ValueError

    await asyncio.wait_for(loop.forever("fails", fail, 0.0, stop), 60)
    assert failures == 1_200


async def test_a_job_whose_wait_is_given_up_below_it_runs_again():
    stop, runs = asyncio.Event(), 0

    async def job() -> int:
        nonlocal runs
        runs += 1
        if runs == 3:
            stop.set()
            return 0
        waiting = asyncio.get_running_loop().create_future()
        waiting.cancel()
        await waiting
        return 0

    await asyncio.wait_for(loop.forever("given up", job, 0.001, stop), 60)
    assert runs == 3


async def test_jobs_that_hang_take_their_time_together():
    stop, ended = loop.Stop(1.0), []

    async def hang() -> int:
        try:
            return await asyncio.sleep(60, 1)
        finally:
            ended.append(time.monotonic())

    async with contextlib.AsyncExitStack() as stack:
        for number in range(5):
            await stack.enter_async_context(loop.running(f"hangs {number}", hang, 0.0, stop))
        await asyncio.sleep(0)
        began = time.monotonic()
    assert len(ended) == 5
    assert max(ended) - began < 4.5  # in turn it would be at least five seconds


async def test_a_job_that_is_opened_first_is_told_with_the_last():
    stop, told = loop.Stop(5), []

    async def watch() -> int:
        await stop.told.wait()
        told.append("watching")
        return 0

    async with contextlib.AsyncExitStack() as stack:
        await stack.enter_async_context(loop.running("watches", watch, 0.0, stop))
        stack.callback(lambda: told.append("what it works with"))
        await stack.enter_async_context(loop.running("watches, too", watch, 0.0, stop))
        await asyncio.sleep(0)
    assert told == ["watching", "watching", "what it works with"]
