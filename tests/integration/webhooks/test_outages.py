"""Without its database the service says so in time, and works again afterwards by itself."""

import asyncio
import time

import pytest
from pydantic import SecretStr

from tests.integration.webhooks.conftest import NOWHERE
from tests.stripe_events import an_event, body_of, signature


@pytest.fixture
async def wired(open_door, wire):
    async with open_door(database_url=SecretStr(wire.url), store_timeout_s=0.5, amqp_url=NOWHERE) as door:
        yield door


async def delivered(door, event, within_s: float = 10) -> None:
    """Sends the event as Stripe would: again, until it is taken."""
    async with asyncio.timeout(within_s):
        while (await door.deliver(event))[0] != 200:
            await asyncio.sleep(0.1)


async def test_a_stopped_database_is_a_503_and_nothing_is_lost(wired, wire, rows):
    await delivered(wired, an_event())
    await wire.cut()
    events = [an_event() for _ in range(3)]
    for event in events:
        started = time.monotonic()
        async with asyncio.timeout(5):
            status, problem = await wired.deliver(event)
        assert (status, problem["code"]) == (503, "event_not_stored")
        assert time.monotonic() - started < 2
    await wire.mend()
    for event in events:
        await delivered(wired, event)
    assert await rows.count() == (4, 4)


async def test_a_database_that_does_not_answer_is_a_503_too(wired, wire, rows):
    await delivered(wired, an_event())
    wire.go_dead()
    started = time.monotonic()
    answers = await asyncio.gather(*(wired.deliver(an_event()) for _ in range(20)))
    assert {(status, problem["code"]) for status, problem in answers} == {(503, "event_not_stored")}
    assert time.monotonic() - started < 3
    await wire.mend()
    await delivered(wired, an_event())


async def test_the_answer_says_when_to_come_back(wired, wire):
    await wire.cut()
    body = body_of(an_event())
    async with wired.session.post(
        wired.url + "/webhooks/stripe", data=body, headers={"Stripe-Signature": signature(body)}
    ) as response:
        assert response.headers["Retry-After"] == "5"
    await wire.mend()
