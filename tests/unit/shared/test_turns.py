"""A long piece of work lets others have their turn."""

import asyncio

from shared.turns import in_turns


async def longest_wait(at_once: int, items: int = 100) -> int:
    """How many items at most were worked on while another task was ready to run."""
    worked, waits, before = 0, [], 0

    async def other() -> None:
        nonlocal before
        while True:
            waits.append(worked - before)
            before = worked
            await asyncio.sleep(0)

    running = asyncio.create_task(other())
    await asyncio.sleep(0)
    async for _ in in_turns(range(items), at_once):
        worked += 1
    await asyncio.sleep(0)
    running.cancel()
    return max(waits)


async def test_others_wait_for_no_more_than_a_few_items():
    assert await longest_wait(at_once=8) <= 8


async def test_without_turns_they_would_wait_for_all_of_them():
    assert await longest_wait(at_once=1000) == 100


async def test_the_items_stay_as_they_are():
    assert [each async for each in in_turns(range(70), 32)] == list(range(70))
    assert [each async for each in in_turns([], 32)] == []
