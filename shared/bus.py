"""RabbitMQ: one connection that comes back by itself, publishing with confirms, and consuming.

Reconnecting is done here rather than by aio-pika's robust classes: after a loss everything is declared anew on a new
connection, in one place, and nothing can be left half alive.
"""

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from uuid import UUID

import aio_pika
from aio_pika.abc import AbstractChannel, AbstractConnection, AbstractIncomingMessage
from aiormq.exceptions import AMQPError, ChannelInvalidStateError

from shared import metrics, tasks, topology
from shared.consuming import Consumer, Delivery
from shared.db import Pool
from shared.errors import Unavailable
from shared.publishing import CONFIRM_TIMEOUT_S, Message, Publisher, open_publisher

__all__ = ["BROKER_AWAY", "Bus", "Message", "Options", "Snapshots", "open_bus"]

log = logging.getLogger(__name__)

# What aio-pika and the layers below it raise when the broker goes away.
BROKER_AWAY = (AMQPError, ChannelInvalidStateError, OSError, TimeoutError, asyncio.TimeoutError)

SHORTEST_PAUSE_S, LONGEST_PAUSE_S = 0.1, 3.0
# A broker that takes longer to let us in, or to declare everything, is tried anew: it may have gone silent meanwhile.
CONNECT_S, SET_UP_S = 10.0, 30.0
# How long the broker may take to hear that we want no more.
CANCEL_S = 2.0

Snapshots = Callable[[bytes, Mapping[str, object]], None]


@dataclass(frozen=True)
class Options:
    """How a bus behaves; `queues` differs from the product's only in tests of the bus itself."""

    service: str
    retry_steps_s: Sequence[float] = (5, 30, 300)
    prefetch: int = 20
    drain_s: float = 10.0
    confirm_timeout_s: float = CONFIRM_TIMEOUT_S
    queues: Mapping[str, object] = field(default_factory=lambda: topology.QUEUES)


class Bus:
    """The broker, as a service sees it. Open it with `open_bus`."""

    def __init__(self, url: str, options: Options) -> None:
        self._url = url
        self._options = options
        self._channel: AbstractChannel | None = None
        self._publisher: Publisher | None = None
        self._subscriptions: list[Delivery] = []
        self._snapshots: Snapshots | None = None
        self._lost = asyncio.Event()
        self._connected = asyncio.Event()
        self._tags: list[tuple[aio_pika.abc.AbstractQueue, str]] = []

    @property
    def is_connected(self) -> bool:
        """Whether messages can be published and are being consumed right now."""
        return self._connected.is_set() and not self._lost.is_set()

    async def wait_connected(self) -> None:
        """Returns once messages can be published and are being consumed."""
        while not self.is_connected:  # noqa: ASYNC110 (two events have to be as wanted at the same time)
            await asyncio.sleep(0.02)

    async def consume(self, pool: Pool, name: str, consumer: Consumer) -> None:
        """Feeds the queue `<service>.<name>` to `consumer(conn, event)`, from now on and after every reconnect."""
        queue = f"{self._options.service}.{name}"
        if queue not in self._options.queues:
            raise KeyError(f"{queue} is not in shared/topology.py, so nothing would ever arrive")
        delivery = Delivery(pool, queue, consumer, self._options.retry_steps_s, self._publish_to)
        self._subscriptions.append(delivery)
        self._lost.set()  # connect again, with it

    async def consume_snapshots(self, receive: Snapshots) -> None:
        """Hands every metrics snapshot (body, headers) to `receive`, from now on and after every reconnect."""
        self._snapshots = receive
        self._lost.set()

    async def publish(self, messages: Sequence[Message]) -> dict[UUID, str]:
        """Publishes events, confirmed; answers those that the broker did not take, with the reason.

        Raises Unavailable when the broker went away: then nothing is known, and all must be published again.
        """
        if self._publisher is None:
            raise Unavailable("the message broker is away")
        try:
            return await self._publisher.publish(messages, self._options.confirm_timeout_s)
        except Unavailable:
            self._lost.set()  # a broker that is silent for so long is as good as gone; and what it says later is void
            raise

    async def publish_snapshot(self, body: bytes, *, service: str, instance: str) -> None:
        """Sends a snapshot of figures to whoever listens; nobody may, and one that is lost is followed by the next."""
        if self._channel is None or not self.is_connected:
            return
        exchange = await self._channel.get_exchange(topology.METRICS_EXCHANGE, ensure=False)
        message = aio_pika.Message(body, headers={"service": service, "instance": instance}, expiration=60)
        with contextlib.suppress(*BROKER_AWAY), tasks.only_our_cancels():
            await exchange.publish(message, routing_key="", mandatory=False, timeout=CONFIRM_TIMEOUT_S)

    async def dead_letters(self) -> dict[str, int]:
        """How many messages lie in each queue's dead letters. Raises Unavailable when the broker can't say."""
        if self._channel is None or not self.is_connected:
            raise Unavailable("the message broker is away")
        try:
            with tasks.only_our_cancels():
                return {queue: await self._count_dead(self._channel, queue) for queue in self._options.queues}
        except BROKER_AWAY as error:
            raise Unavailable("the message broker went away") from error

    async def _count_dead(self, channel: AbstractChannel, queue: str) -> int:
        name = topology.dead_queue(queue)
        dead = await channel.declare_queue(name, passive=True, timeout=CONFIRM_TIMEOUT_S)
        return dead.declaration_result.message_count or 0

    async def redrive(self, queue: str, limit: int) -> int:
        """Puts up to `limit` dead letters of a queue back into it, as if they had never failed; answers how many.

        Only those that lie there now: what its consumer buries again meanwhile would go round until the limit.
        """
        if self._channel is None:
            raise Unavailable("the message broker is away")
        dead = await self._channel.declare_queue(topology.dead_queue(queue), passive=True)
        limit = min(limit, dead.declaration_result.message_count or 0)
        moved = 0
        while moved < limit and (letter := await dead.get(fail=False)) is not None:
            kept = {key: value for key, value in letter.headers.items() if key == "traceparent"}
            await self._publish_to("", queue, letter, kept)
            await letter.ack()
            moved += 1
        return moved

    async def _publish_to(
        self, exchange: str, key: str, original: AbstractIncomingMessage, headers: Mapping[str, object]
    ) -> None:
        """Copies a message to another place, confirmed: only then may the original be acknowledged."""
        if self._channel is None:
            raise Unavailable("the message broker is away")
        copy = aio_pika.Message(
            original.body,
            message_id=original.message_id,
            type=original.type,
            content_type=original.content_type,
            delivery_mode=aio_pika.DeliveryMode.PERSISTENT,
            headers=dict(headers),  # type: ignore[arg-type]  # strings and numbers
        )
        target = (
            await self._channel.get_exchange(exchange, ensure=False) if exchange else self._channel.default_exchange
        )
        with tasks.only_our_cancels():
            await target.publish(copy, routing_key=key, mandatory=True, timeout=CONFIRM_TIMEOUT_S)

    # Staying connected

    async def stay_connected(self) -> None:
        """Connects, and connects again whenever anything was lost, until cancelled."""
        pause = SHORTEST_PAUSE_S
        while True:
            try:
                with tasks.only_our_cancels():
                    async with await aio_pika.connect(self._url, timeout=CONNECT_S) as connection:
                        async with asyncio.timeout(SET_UP_S):
                            await self._set_up(connection)
                        pause = SHORTEST_PAUSE_S
                        await self._lost.wait()
                continue
            except BROKER_AWAY as error:
                log.warning("broker away", extra={"reason": f"{type(error).__name__}: {error}"})
            except Exception:
                log.exception("connection to the broker failed")
            finally:
                self._connected.clear()
                metrics.BUS_CONNECTED.set(0)
                self._channel = self._publisher = None
            await asyncio.sleep(pause)
            pause = min(pause * 2, LONGEST_PAUSE_S)

    async def _set_up(self, connection: AbstractConnection) -> None:
        self._lost.clear()
        connection.close_callbacks.add(lambda *_: self._lost.set())
        channel = await self._open_channel(connection)
        await topology.declare(channel, self._options.retry_steps_s, self._options.queues)
        self._channel = channel
        self._publisher = await self._open_publisher(connection)
        self._tags = []
        if self._snapshots is not None:
            await self._listen_to_snapshots(await self._open_channel(connection), self._snapshots)
        for delivery in self._subscriptions:
            consuming = await self._open_channel(connection)
            await consuming.set_qos(prefetch_count=self._options.prefetch)
            queue = await consuming.get_queue(delivery.queue, ensure=False)
            self._tags.append((queue, await queue.consume(delivery.receive)))
        self._connected.set()
        metrics.BUS_CONNECTED.set(1)
        log.info("broker connected", extra={"queues": len(self._subscriptions)})

    async def _open_channel(self, connection: AbstractConnection) -> AbstractChannel:
        channel = await connection.channel(publisher_confirms=True, on_return_raises=True)
        channel.close_callbacks.add(lambda *_: self._lost.set())
        # The broker cancels a consumer whose queue was deleted or moved; the channel stays open and nothing arrives.
        underlay = await channel.get_underlay_channel()
        underlay.on_consumer_cancel_callbacks.add(lambda *_: self._lost.set())
        return channel

    async def _open_publisher(self, connection: AbstractConnection) -> Publisher:
        assert connection.transport is not None
        publisher, channel = await open_publisher(connection.transport.connection, topology.EVENTS_EXCHANGE)
        channel.closing.add_done_callback(lambda _: self._lost.set())
        return publisher

    async def _listen_to_snapshots(self, channel: AbstractChannel, receive: Snapshots) -> None:
        queue = await channel.declare_queue(exclusive=True, auto_delete=True, arguments={"x-max-length": 1000})
        await queue.bind(topology.METRICS_EXCHANGE)

        async def take(message: AbstractIncomingMessage) -> None:
            receive(message.body, message.headers)

        await queue.consume(take, no_ack=True)

    async def drain(self) -> None:
        """Stops taking messages and lets those in hand finish, within the time allowed."""
        cancels = (queue.cancel(tag, timeout=CANCEL_S) for queue, tag in self._tags)
        answers = await asyncio.gather(*cancels, return_exceptions=True)
        running = [task for delivery in self._subscriptions for task in delivery.running]
        # A broker that hears no cancel hears no acknowledgement either: what is in hand comes again in any case.
        if running and not any(isinstance(answer, BaseException) for answer in answers):
            await asyncio.wait(running, timeout=self._options.drain_s)


@contextlib.asynccontextmanager
async def open_bus(url: str, options: Options) -> AsyncIterator[Bus]:
    """A bus that is connected, or is trying to be, for as long as the block lasts; then drained and closed.

    A broker that is away does not keep a service from starting: it takes orders, and /readyz says what is missing.
    """
    bus = Bus(url, options)
    task = asyncio.create_task(bus.stay_connected(), name="bus")
    try:
        yield bus
    finally:
        await bus.drain()
        await tasks.end(task)
