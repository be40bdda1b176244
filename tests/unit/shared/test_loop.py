"""A job runs for as long as its service, whatever it meets."""

import asyncio

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

    await asyncio.wait_for(loop.forever("given up", job, 0.001, stop), 5)
    assert runs == 3
