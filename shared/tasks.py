"""Cancels: how a background task surely ends, and which of them are meant for us."""

import asyncio
import contextlib
from collections.abc import Iterator
from typing import Any

AGAIN_S = 1.0


async def end(*tasks: "asyncio.Task[Any]") -> None:
    """Cancels the tasks until they are over. What one of them raised is logged by asyncio, unless somebody asks for it.

    Once is not enough: up to Python 3.11 `asyncio.wait_for`, which the libraries below us use, swallows a cancel that
    comes in the very moment its work is done (cpython 86296). The task then goes on as if nothing had been said, and
    whoever awaits it waits for ever.
    """
    running = {task for task in tasks if not task.done()}
    while running:
        for task in running:
            task.cancel()
        _, running = await asyncio.wait(running, timeout=AGAIN_S)


class Abandoned(ConnectionError):
    """Whatever was waited for was given up, by somebody below us."""


@contextlib.contextmanager
def only_our_cancels() -> Iterator[None]:
    """Raises Abandoned in place of a cancel that nobody asked the running task for.

    aiormq (7.2) cancels what waits on a connection that it gives up. A task takes that for its own end and leaves
    without a word: no `except Exception` sees it, and a job would never run again.
    """
    try:
        yield
    except asyncio.CancelledError as error:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        raise Abandoned("given up below") from error
