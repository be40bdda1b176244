"""One of many leads, with a number that is higher each time; when it goes, another does."""

import asyncio
import contextlib
from contextlib import AsyncExitStack

import asyncpg
import pytest

from shared import leader


@pytest.fixture
async def stand(clean):
    async with AsyncExitStack() as stack:

        async def stand(task="test"):
            given = {"service": "webhooks", "role_prefix": clean.prefix, "task": task}
            return await stack.enter_async_context(leader.standing(clean.url("webhooks"), **given))

        yield stand


async def test_one_leads_until_it_gives_up(stand):
    first, second = await stand(), await stand()
    assert (await first.fence(), await second.fence()) == (1, None)
    assert (await first.fence(), await second.fence()) == (1, None)
    first.give_up()
    async with asyncio.timeout(40):
        while (found := await second.fence()) is None:
            await asyncio.sleep(0.05)
    assert found == 2
    assert await first.fence() is None


async def test_who_loses_its_connection_leads_no_more(stand, owner):
    first, second = await stand(), await stand()
    assert await first.fence() == 1
    await owner.execute(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'kct leader webhooks test'"
    )
    async with asyncio.timeout(40):
        while await second.fence() != 2:
            await asyncio.sleep(0.05)
    for _ in range(2):  # it may find out by an error first; it never claims to lead
        with contextlib.suppress(OSError, asyncpg.PostgresError, asyncpg.InterfaceError):
            assert await first.fence() is None


async def test_two_tasks_have_two_leaders(stand):
    one, other = await stand("one"), await stand("other")
    assert (await one.fence(), await other.fence()) == (1, 1)


async def test_several_jobs_may_ask_at_once(stand):
    candidate = await stand()
    assert set(await asyncio.gather(*(candidate.fence() for _ in range(10)))) == {1}
