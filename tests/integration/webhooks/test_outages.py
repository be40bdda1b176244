"""Without its database the service says so in time, and works again afterwards by itself."""

import asyncio
import os
import signal
import sys
import time

import pytest
from pydantic import SecretStr

from services.webhooks.app import BUS, make
from shared import bus, tasks
from shared.web import serve
from tests.integration.webhooks.conftest import NOWHERE, usual
from tests.integration.webhooks.wire import Wire
from tests.stripe_events import an_event, body_of, signature


@pytest.fixture
async def wired(open_door, wire):
    async with open_door(database_url=SecretStr(wire.url), store_timeout_s=1, amqp_url=NOWHERE) as door:
        yield door


async def delivered(door, event, within_s: float = 40) -> None:
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
        async with asyncio.timeout(20):
            status, problem = await wired.deliver(event)
        assert (status, problem["code"]) == (503, "event_not_stored")
        assert time.monotonic() - started < 8
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
    assert time.monotonic() - started < 8
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


# What no job holds while it waits for the broker.
FREE = """
    SELECT (SELECT count(*) FROM (SELECT FROM webhooks.outbox WHERE published_at IS NULL
                                  FOR UPDATE SKIP LOCKED) AS staged)
         + (SELECT count(*) FROM (SELECT FROM webhooks.stripe_events WHERE state = 'received'
                                  FOR UPDATE SKIP LOCKED) AS received)
"""


async def test_told_to_stop_while_the_broker_is_silent_it_leaves_in_order(clean, amqp_url, owner, monkeypatch):
    """Three jobs wait for the broker then: the relay, the publisher, and the one that sends the figures."""
    serving = sys.modules[serve.__module__]  # the package has the function under the same name
    for module, name, seconds in ((serving, "CLOSE_S", 3.5), (bus, "CANCEL_S", 0.2), (tasks, "AGAIN_S", 0.2)):
        monkeypatch.setattr(module, name, seconds)
    async with Wire.to(amqp_url) as broker, asyncio.TaskGroup() as group:
        settings = usual(clean, broker.url, host="127.0.0.1", port=0, drain_s=2, metrics_interval_s=0.05)
        app = make(settings)
        served = group.create_task(serve(app, settings))
        async with asyncio.timeout(40):
            while BUS not in app or not app[BUS].is_connected:
                await asyncio.sleep(0.02)
            broker.go_dead()
            await owner.execute("INSERT INTO webhooks.outbox (id, type, body) VALUES (gen_random_uuid(), 'a.b', '{}')")
            await owner.execute("INSERT INTO webhooks.stripe_event_ids (id) VALUES ('evt_1')")
            await owner.execute(
                "INSERT INTO webhooks.stripe_events (stripe_event_id, type, body, state)"
                " VALUES ('evt_1', 'payment_intent.succeeded', $1, 'received')",
                body_of(an_event()),
            )
            while await owner.fetchval(FREE):
                await asyncio.sleep(0.02)
        os.kill(os.getpid(), signal.SIGTERM)
        assert await served == 0
