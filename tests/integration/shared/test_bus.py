"""The bus, the outbox and the inbox together, on a real broker and a real database."""

import asyncio
import contextlib
import secrets
import time
from typing import ClassVar

import aio_pika
import pytest
from asyncpg import DeadlockDetectedError, LockNotAvailableError

from shared import bus as bus_module
from shared import events, outbox
from shared.bus import Message, Options, open_bus
from shared.db import open_pool
from shared.errors import Conflict, NotFound, Unavailable
from shared.events import Event
from shared.ids import uuid7
from shared.topology import dead_queue
from tests.integration.webhooks.wire import Wire


class Rang(Event):
    """An event of these tests alone."""

    type: ClassVar[str] = "test.rang"
    text: str = ""


events.EVENTS[Rang.type] = Rang

STEPS = (0.1, 0.2, 0.3)


@pytest.fixture
async def pool(clean):
    async with open_pool(clean.url("monitor"), "monitor", clean.prefix, 5) as opened:
        yield opened


@pytest.fixture
async def options(amqp_url):
    """A service and a queue of its own, so that no other test's messages come along; both are deleted."""
    service = f"test{secrets.token_hex(4)}"
    queue = f"{service}.on_rang"
    yield Options(service, STEPS, prefetch=10, drain_s=2, queues={queue: (Rang,)})
    async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
        await channel.queue_delete(queue)
        await channel.queue_delete(dead_queue(queue))


def a_message(event: Event) -> Message:
    return Message(event.id, event.type, events.encode(event))


async def until(predicate, seconds: float = 40) -> None:
    async with asyncio.timeout(seconds):
        while not predicate():
            await asyncio.sleep(0.02)


class Recorder:
    """A consumer that writes down what it saw, and fails as often as it is told."""

    def __init__(self, failures: list[Exception] | None = None) -> None:
        self.seen: list[Event] = []
        self.failures = failures or []

    async def __call__(self, conn, event: Event) -> None:
        self.seen.append(event)
        if self.failures:
            raise self.failures.pop(0)


async def test_an_event_staged_in_a_transaction_reaches_its_consumer_once(pool, amqp_url, options):
    recorder = Recorder()
    event = Rang(text="hello")
    async with open_bus(amqp_url, options) as bus:
        await bus.consume(pool, "on_rang", recorder)
        await bus.wait_connected()
        async with pool.worker() as conn:
            await outbox.stage(conn, event)
        assert await outbox.relay(pool, bus) == 1
        assert await outbox.relay(pool, bus) == 0
        for _ in range(5):  # the relay crashed before it could mark, five times
            await bus.publish([a_message(event)])
        last = Rang(text="last")
        await bus.publish([a_message(last)])
        await until(lambda: last in recorder.seen)
    assert recorder.seen == [event, last]


async def test_a_rolled_back_transaction_announces_nothing(pool, amqp_url, options):
    async with open_bus(amqp_url, options) as bus:
        await bus.wait_connected()
        with pytest.raises(RuntimeError):
            async with pool.worker() as conn:
                await outbox.stage(conn, Rang())
                raise RuntimeError
        assert await outbox.relay(pool, bus) == 0


async def test_a_failure_twice_then_success_is_handled_once(pool, amqp_url, options):
    recorder = Recorder([NotFound("not yet"), RuntimeError("a bug")])
    async with open_bus(amqp_url, options) as bus:
        await bus.consume(pool, "on_rang", recorder)
        await bus.wait_connected()
        await bus.publish([a_message(Rang())])
        await until(lambda: len(recorder.seen) == 3)
        await asyncio.sleep(0.3)
        assert sum((await bus.dead_letters()).values()) == 0
    assert len({event.id for event in recorder.seen}) == 1


async def test_a_deadlock_is_no_try_of_the_message(pool, amqp_url, options):
    recorder = Recorder([DeadlockDetectedError("deadlock"), LockNotAvailableError("lock timeout")] * len(STEPS))
    async with open_bus(amqp_url, options) as bus:
        await bus.consume(pool, "on_rang", recorder)
        await bus.wait_connected()
        await bus.publish([a_message(Rang())])
        await until(lambda: len(recorder.seen) == 2 * len(STEPS) + 1)
        assert sum((await bus.dead_letters()).values()) == 0


async def test_after_the_last_step_it_is_buried_with_its_reason_and_can_be_redriven(pool, amqp_url, options, owner):
    recorder = Recorder([RuntimeError(f"no {n}") for n in range(4)])
    [queue] = options.queues
    async with open_bus(amqp_url, options) as bus:
        await bus.consume(pool, "on_rang", recorder)
        await bus.wait_connected()
        await bus.publish([a_message(Rang(text="poison"))])
        async with asyncio.timeout(40):
            while (await bus.dead_letters())[queue] != 1:
                await asyncio.sleep(0.05)
        assert len(recorder.seen) == 4
        assert await owner.fetchval("SELECT count(*) FROM monitor.inbox") == 0
        assert await bus.redrive(queue, 10) == 1
        await until(lambda: len(recorder.seen) == 5)
        async with asyncio.timeout(40):  # nothing says when the broker has heard of the acknowledgement
            while (await bus.dead_letters())[queue]:
                await asyncio.sleep(0.05)


async def test_what_can_never_pass_is_buried_at_once(pool, amqp_url, options):
    recorder = Recorder([Conflict("never")])
    [queue] = options.queues
    async with open_bus(amqp_url, options) as bus:
        await bus.consume(pool, "on_rang", recorder)
        await bus.wait_connected()
        await bus.publish([a_message(Rang()), Message(Rang().id, Rang.type, b"{not an event")])
        async with asyncio.timeout(40):
            while (await bus.dead_letters())[queue] != 2:
                await asyncio.sleep(0.05)
    assert len(recorder.seen) == 1


async def test_what_is_buried_again_is_put_back_once(pool, amqp_url, options):
    [queue] = options.queues
    async with open_bus(amqp_url, options) as bus:
        await bus.consume(pool, "on_rang", Recorder([]))
        await bus.wait_connected()
        await bus.publish([Message(uuid7(), Rang.type, b"{not an event") for _ in range(3)])
        async with asyncio.timeout(40):
            while (await bus.dead_letters())[queue] != 3:
                await asyncio.sleep(0.05)

        assert await bus.redrive(queue, 1000) == 3


async def test_an_event_that_nobody_hears_stays_in_the_outbox(pool, amqp_url, options, owner):
    class Unheard(Event):
        type: ClassVar[str] = "test.unheard"

    async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
        await channel.queue_delete("monitor.on_event")  # it hears everything; whoever needs it declares it anew
    async with open_bus(amqp_url, options) as bus:
        await bus.wait_connected()
        async with pool.worker() as conn:
            await outbox.stage(conn, Unheard())
            await outbox.stage(conn, Rang())
        assert await outbox.relay(pool, bus) == 1
    row = await owner.fetchrow("SELECT attempts, published_at FROM monitor.outbox WHERE type = 'test.unheard'")
    assert (row["attempts"], row["published_at"]) == (1, None)


async def test_a_queue_deleted_under_its_consumer_comes_back(pool, amqp_url, options):
    recorder = Recorder()
    [queue] = options.queues
    async with open_bus(amqp_url, options) as bus:
        await bus.consume(pool, "on_rang", recorder)
        await bus.wait_connected()
        async with await aio_pika.connect(amqp_url) as connection, connection.channel() as channel:
            await channel.queue_delete(queue)
        async with asyncio.timeout(40):
            while not recorder.seen:  # it may be back before anybody sees that it was gone
                with contextlib.suppress(Unavailable):
                    await bus.publish([a_message(Rang())])
                await asyncio.sleep(0.02)


async def test_two_relays_at_once_publish_each_event_once(pool, amqp_url, options):
    recorder = Recorder()
    async with open_bus(amqp_url, options) as bus:
        await bus.consume(pool, "on_rang", recorder)
        await bus.wait_connected()
        async with pool.worker() as conn:
            for number in range(300):
                await outbox.stage(conn, Rang(text=str(number)))
        counts = []
        while sum(counts) < 300:
            counts += await asyncio.gather(outbox.relay(pool, bus), outbox.relay(pool, bus))
        await until(lambda: len(recorder.seen) >= 300)
        await asyncio.sleep(0.2)
    assert sum(counts) == len(recorder.seen) == 300


async def test_without_the_claim_a_repeated_event_has_two_effects(pool, amqp_url, options):
    """The guard off, so that the tests above are known to test something."""
    seen = []

    async def unguarded(conn, event):
        seen.append(event)

    event = Rang()
    async with pool.worker() as conn:
        await unguarded(conn, event)
        await unguarded(conn, event)
    assert len(seen) == 2


async def test_a_silent_broker_is_asked_once_for_all_queues_to_send_nothing_more(pool, amqp_url, options, monkeypatch):
    monkeypatch.setattr(bus_module, "CANCEL_S", 0.3)
    async with Wire.to(amqp_url) as wire, open_bus(wire.url, options) as bus:
        for _ in range(20):
            await bus.consume(pool, "on_rang", Recorder())
        async with asyncio.timeout(40):
            await bus.wait_connected()
        wire.mute()
        began = time.monotonic()
        await bus.drain()
        assert time.monotonic() - began < 20 * 0.3 / 2  # in turn they would take all of it
