"""Ending background tasks on every Python that the product runs on."""

import asyncio
import contextlib

import pytest

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


async def given_up() -> None:
    """As a library leaves what waits on a connection that it closes."""
    waiting = asyncio.get_running_loop().create_future()
    waiting.cancel()
    await waiting


async def test_a_cancel_that_nobody_asked_for_is_an_error_like_others():
    with pytest.raises(tasks.Abandoned), tasks.only_our_cancels():
        await given_up()


async def test_our_own_cancel_stays_one():
    async def work() -> None:
        with tasks.only_our_cancels():
            await asyncio.Event().wait()

    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    await tasks.end(task)
    assert task.cancelled()


async def test_a_timeout_inside_and_outside_stays_one():
    with pytest.raises(TimeoutError), tasks.only_our_cancels():
        async with asyncio.timeout(0.01):
            await asyncio.Event().wait()
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            with tasks.only_our_cancels():
                await asyncio.Event().wait()
