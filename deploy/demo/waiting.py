"""Waiting for something to become true, never for ever."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import TypeVar

import aiohttp

T = TypeVar("T")

LOOK_S = 0.05


class TooLate(Exception):
    """Something that had to happen did not, within its time."""


async def until(probe: Callable[[], Awaitable[T | None]], what: str, within_s: float) -> T:
    """What `probe` answers, as soon as it is true. A process that is just starting again counts as "not yet"."""
    deadline = time.monotonic() + within_s
    seen = ""
    while True:
        try:
            if found := await probe():
                return found
        except (aiohttp.ClientError, OSError, TimeoutError) as error:
            seen = f" (last: {type(error).__name__}: {error})"
        if time.monotonic() > deadline:
            raise TooLate(f"{what}: not within {within_s:g} s{seen}")
        await asyncio.sleep(LOOK_S)
