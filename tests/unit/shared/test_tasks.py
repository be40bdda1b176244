"""Ending background tasks on every Python that the product runs on."""

import asyncio
import contextlib

from shared import tasks


async def deaf_once() -> None:
    """As a library's wait_for on Python 3.11 does when the cancel comes in the moment its work is done."""
    with contextlib.suppress(asyncio.CancelledError):
        await asyncio.Event().wait()
    await asyncio.Event().wait()


async def started() -> asyncio.Task[None]:
    task = asyncio.create_task(deaf_once())
    await asyncio.sleep(0)
    return task


async def test_a_task_that_swallowed_a_cancel_goes_on_for_ever():
    task = await started()
    task.cancel()
    await asyncio.wait({task}, timeout=0.05)
    assert not task.done()
    await tasks.end(task)


async def test_a_task_that_swallows_a_cancel_is_cancelled_again(monkeypatch):
    monkeypatch.setattr(tasks, "AGAIN_S", 0.01)
    task = await started()
    await tasks.end(task)
    assert task.cancelled()


async def test_what_is_over_already_is_left_as_it_is():
    async def answer() -> int:
        return 7

    task = asyncio.create_task(answer())
    await task
    await tasks.end(task)
    assert task.result() == 7
