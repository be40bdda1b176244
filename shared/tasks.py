"""Ends background tasks, also those that do not hear the first cancel."""

import asyncio
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
