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
