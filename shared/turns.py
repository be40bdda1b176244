"""Long work in the event loop, in turns with everybody else's.

What takes a fraction of a millisecond for one item keeps every request waiting for as long as a batch of hundreds
takes, since nothing else runs meanwhile. Work without an `await` of its own goes through `in_turns`.
"""

import asyncio
from collections.abc import AsyncIterator, Iterable
from typing import TypeVar

T = TypeVar("T")

# At about 0.1 ms for each, what waits gets its turn within a millisecond.
AT_ONCE = 8


async def in_turns(items: Iterable[T], at_once: int = AT_ONCE) -> AsyncIterator[T]:
    """The items in their order; whatever else is ready to run does so after every `at_once` of them."""
    for number, item in enumerate(items):
        if number and number % at_once == 0:
            await asyncio.sleep(0)
        yield item
