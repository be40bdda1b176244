"""A batch in one write: every message is confirmed, refused with its reason, or unknown; never taken for published."""

import asyncio
import contextlib
import secrets

import aiormq
import pytest
from aiormq.exceptions import ChannelNotFoundEntity

from shared import loop, publishing
from shared.bus import Options, open_bus
from shared.errors import Unavailable
from shared.ids import uuid7
from shared.publishing import Message, open_publisher
from tests.integration.webhooks.wire import Wire

HEARD, UNHEARD = "test.heard", "test.unheard"


class Exchange:
    """A topic exchange of one test, with a queue that hears one type."""

    def __init__(self, channel: aiormq.abc.AbstractChannel) -> None:
        self.channel = channel
        self.name = self.queue = f"test-{secrets.token_hex(4)}"

    async def declare(self, **arguments) -> None:
        await self.channel.exchange_declare(self.name, exchange_type="topic")
        await self.channel.queue_declare(self.queue, durable=True, arguments={"x-queue-type": "quorum", **arguments})
        await self.channel.queue_bind(self.queue, self.name, HEARD)

    async def delete(self) -> None:
        await self.channel.queue_delete(self.queue)
        await self.channel.exchange_delete(self.name)

    async def taken(self) -> list[aiormq.abc.DeliveredMessage]:
        """What the queue has, in its order."""
        found = []
        while (message := await self.channel.basic_get(self.queue, no_ack=True)).delivery_tag:
            found.append(message)
        return found


def id_of(message: aiormq.abc.DeliveredMessage) -> str | None:
    return message.header.properties.message_id


@pytest.fixture
async def exchange(amqp_url):
    async with aiormq.connect(amqp_url) as connection:
        exchange = Exchange(await connection.channel())
        await exchange.declare()
        yield exchange
        await exchange.delete()


@pytest.fixture
async def publisher(amqp_url, exchange):
    async with aiormq.connect(amqp_url) as connection:
        publisher, _ = await open_publisher(connection, exchange.name)
        yield publisher


def a_message(type_: str = HEARD, body: bytes = b"{}", traceparent: str | None = None) -> Message:
    return Message(uuid7(), type_, body, traceparent)


async def test_what_is_confirmed_is_in_the_queue_whole_and_in_order(publisher, exchange):
    large = secrets.token_bytes(300_000)  # three frames
    sent = [a_message(), a_message(body=large), a_message(body=b""), a_message(traceparent="00-ab-cd-01")]
    assert await publisher.publish(sent) == {}
    taken = await exchange.taken()
    assert [id_of(message) for message in taken] == [str(message.id) for message in sent]
    assert [message.body for message in taken] == [message.body for message in sent]
    assert (taken[3].header.properties.headers or {})["traceparent"] == "00-ab-cd-01"
    properties = taken[0].header.properties
    assert (properties.message_type, properties.delivery_mode, properties.content_type) == (
        HEARD,
        2,
        "application/json",
    )


async def test_a_batch_may_be_larger_than_what_may_be_in_flight(publisher, exchange):
    sent = [a_message() for _ in range(publishing.MOST_IN_FLIGHT * 2 + 1)]
    assert await publisher.publish(sent) == {}
    assert len(await exchange.taken()) == len(sent)
    assert await publisher.publish([]) == {}


def test_a_batch_is_divided_by_bytes_too():
    half = b"x" * (publishing.MOST_BYTES_IN_FLIGHT // 2)
    messages = [a_message(body=half) for _ in range(5)]
    assert [len(batch) for batch in publishing._batches(messages)] == [2, 2, 1]


async def test_what_nobody_hears_is_refused_and_its_neighbours_are_not(publisher, exchange):
    sent = [a_message(UNHEARD if number % 3 == 0 else HEARD) for number in range(300)]
    refused = await publisher.publish(sent)
    assert set(refused) == {message.id for message in sent if message.type == UNHEARD}
    assert set(refused.values()) == {f"PublishError for {UNHEARD}"}
    assert len(await exchange.taken()) == 200
    assert await publisher.publish([a_message()]) == {}  # and the counting goes on


async def test_the_same_message_twice_in_a_batch_is_one(publisher, exchange):
    heard, unheard = a_message(), a_message(UNHEARD)
    assert set(await publisher.publish([heard, unheard, heard, unheard])) == {unheard.id}
    assert len(await exchange.taken()) == 1


async def test_what_a_full_queue_does_not_take_is_refused(amqp_url):
    async with aiormq.connect(amqp_url) as connection:
        exchange = Exchange(await connection.channel())
        await exchange.declare(**{"x-max-length": 5, "x-overflow": "reject-publish"})
        try:
            publisher, _ = await open_publisher(connection, exchange.name)
            sent = [a_message() for _ in range(200)]
            refused = await publisher.publish(sent)
            refused |= await publisher.publish(more := [a_message() for _ in range(20)])
            taken = {id_of(message) for message in await exchange.taken()}
        finally:
            await exchange.delete()
    assert refused
    assert set(refused.values()) == {f"DeliveryError for {HEARD}"}
    # Whatever was not refused is there, and nothing that was refused.
    assert taken == {str(message.id) for message in [*sent, *more] if message.id not in refused}


async def test_two_batches_at_once_do_not_mix(publisher, exchange):
    batches = [[a_message(UNHEARD if number == turn else HEARD) for number in range(50)] for turn in range(8)]
    answers = await asyncio.gather(*(publisher.publish(batch) for batch in batches))
    for turn, answer in enumerate(answers):
        assert set(answer) == {batches[turn][turn].id}


async def test_a_lost_connection_leaves_nothing_taken_for_published(amqp_url, exchange):
    async with Wire.to(amqp_url) as wire, aiormq.connect(wire.url) as connection:
        publisher, _ = await open_publisher(connection, exchange.name)
        assert await publisher.publish([a_message()]) == {}
        wire.go_dead()
        under_way = asyncio.gather(publisher.publish([a_message() for _ in range(100)]), return_exceptions=True)
        await asyncio.sleep(0.1)
        assert not under_way.done()
        await wire.cut()
        (outcome,) = await asyncio.wait_for(under_way, 30)
        assert isinstance(outcome, Unavailable)
        with pytest.raises(Unavailable):  # nor afterwards
            await asyncio.wait_for(publisher.publish([a_message()]), 30)


async def test_a_broker_that_says_nothing_is_given_up(amqp_url, exchange):
    async with Wire.to(amqp_url) as wire, aiormq.connect(wire.url) as connection:
        publisher, _ = await open_publisher(connection, exchange.name)
        wire.go_dead()
        with pytest.raises(Unavailable):
            await publisher.publish([a_message()], timeout_s=0.2)
        await wire.cut()


async def test_a_channel_that_the_broker_closes_ends_the_batch(amqp_url, exchange):
    async with aiormq.connect(amqp_url) as connection:
        publisher, channel = await open_publisher(connection, "no-such-exchange")
        with pytest.raises(Unavailable) as caught:
            await publisher.publish([a_message() for _ in range(10)])
        assert isinstance(caught.value.__cause__, ChannelNotFoundEntity)
        assert channel.is_closed


async def test_a_bus_whose_publisher_fell_silent_connects_again(amqp_url):
    options = Options(service="test", queues={}, confirm_timeout_s=0.3)
    async with Wire.to(amqp_url) as wire, open_bus(wire.url, options) as bus:
        await bus.wait_connected()
        wire.go_dead()
        with pytest.raises(Unavailable):
            await bus.publish([a_message()])
        assert not bus.is_connected
        await wire.cut()
        await wire.mend()
        await asyncio.wait_for(bus.wait_connected(), 40)


async def test_all_jobs_go_on_after_the_broker_was_silent(amqp_url):
    """Whose batch ran out of time first closed the connection, and the client library cancelled all the others."""
    options = Options(service="test", queues={}, confirm_timeout_s=0.5)
    async with Wire.to(amqp_url) as wire, open_bus(wire.url, options) as bus, contextlib.AsyncExitStack() as jobs:
        ends, stop = {}, loop.Stop(drain_s=1)

        def job(name: str):
            async def publish() -> int:
                await bus.publish([a_message()])
                ends[name] = asyncio.get_running_loop().time()
                return 0

            return publish

        async def snapshot() -> int:
            await bus.publish_snapshot(b"{}", service="test", instance="1")
            ends["snapshot"] = asyncio.get_running_loop().time()
            return 0

        await bus.wait_connected()
        for name in ("first", "second"):
            await jobs.enter_async_context(loop.running(name, job(name), 0.05, stop))
        await jobs.enter_async_context(loop.running("snapshot", snapshot, 0.05, stop))
        await asyncio.sleep(0.2)
        wire.go_dead()
        await asyncio.sleep(3)  # by then the client library has given the connection up
        await wire.cut()
        await wire.mend()
        mended = asyncio.get_running_loop().time()
        async with asyncio.timeout(60):
            while len(ends) < 3 or min(ends.values()) <= mended:
                await asyncio.sleep(0.05)
