"""Ending background tasks on every Python that the product runs on."""

import asyncio

from shared import tasks


async def deaf_once(heard: list[str]) -> None:
    """As a library's wait_for on Python 3.11 does when the cancel comes in the moment its work is done."""
    try:
        await asyncio.Event().wait()
    except asyncio.CancelledError:
        heard.append("cancelled")
    await asyncio.Event().wait()


async def test_a_task_that_swallowed_a_cancel_is_cancelled_again(monkeypatch):
    monkeypatch.setattr(tasks, "AGAIN_S", 0.01)
    heard: list[str] = []
    task = asyncio.create_task(deaf_once(heard))
    await asyncio.sleep(0)
    task.cancel()
    await asyncio.sleep(0)
    assert (task.done(), heard) == (False, ["cancelled"]), "one cancel is not enough"
    await tasks.end(task)
    assert task.cancelled()


async def test_what_is_over_already_is_left_as_it_is():
    async def answer() -> int:
        return 7

    task = asyncio.create_task(answer())
    await task
    await tasks.end(task)
    assert task.result() == 7
