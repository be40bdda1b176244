"""Publishing in batches: all messages of a batch in one write, their confirms awaited together.

Message by message, most of the time goes into a task and a few futures for each; this costs a fifth of it. What a
confirm means is the same: the broker has the message on a quorum of disks, and a queue that it was routed to.
"""

import asyncio
import functools
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

import pamqp.frame
from aiormq.abc import AbstractConnection, ChannelFrame
from aiormq.channel import Channel
from aiormq.exceptions import DeliveryError, PublishError
from pamqp import commands
from pamqp.body import ContentBody
from pamqp.header import ContentHeader

from shared import metrics, tasks
from shared.errors import Unavailable
from shared.turns import in_turns

if TYPE_CHECKING:
    from pamqp.common import FieldTable

log = logging.getLogger(__name__)

CONFIRM_TIMEOUT_S = 10.0

# What may be unconfirmed at once: enough that waiting for the broker's disk is shared, few enough that one write stays
# small beside the process's memory.
MOST_IN_FLIGHT = 500
MOST_BYTES_IN_FLIGHT = 4 * 1024 * 1024

_PERSISTENT = 2


@dataclass(frozen=True, slots=True)
class Message:
    """An encoded event on its way out."""

    id: UUID
    type: str
    body: bytes
    traceparent: str | None = None


class Publisher:
    """Publishes to one exchange, over a channel of its own. Open it with `open_publisher`; it lives with its channel.

    The channel's own bookkeeping does the counting: a slot per delivery tag, acks and nacks (`multiple` or not), and
    returns, which the broker sends before it confirms the message it could not route. Only the slots are ours.
    """

    def __init__(self, channel: Channel, exchange: str) -> None:
        self._channel = channel
        self._exchange = exchange
        self._one_batch = asyncio.Lock()

    async def publish(self, messages: Sequence[Message], timeout_s: float = CONFIRM_TIMEOUT_S) -> dict[UUID, str]:
        """Answers those that the broker did not take, with the reason; the others are confirmed.

        Raises Unavailable when the channel is lost or silent for so long: then nothing is known of any of them.
        """
        distinct = list({message.id: message for message in messages}.values())  # a return names no more than the id
        refused: dict[UUID, str] = {}
        async with self._one_batch:
            for batch in _batches(distinct):
                try:
                    async with asyncio.timeout(timeout_s):
                        with tasks.only_our_cancels():
                            refused |= await self._publish(batch)
                except Exception as error:
                    raise Unavailable("the message broker went away while publishing") from error
        metrics.BUS_PUBLISHED.labels(outcome="confirmed").inc(len(distinct) - len(refused))
        metrics.BUS_PUBLISHED.labels(outcome="refused").inc(len(refused))
        return refused

    async def _publish(self, batch: Sequence[Message]) -> dict[UUID, str]:
        channel = self._channel
        payload = b"".join([self._frames(message) async for message in in_turns(batch)])
        async with channel.lock:
            # Rejected by the channel when that is lost, which is how we hear of it.
            settled = channel.create_future()
            confirms = _Confirms(settled, len(batch))
            for message in batch:
                channel.delivery_tag += 1
                channel.confirmations[channel.delivery_tag] = confirms.slot(message)  # type: ignore[assignment]
                channel.message_id_delivery_tag[str(message.id)] = channel.delivery_tag
            await channel.write_queue.put(ChannelFrame(payload=payload, should_close=False))
        try:
            await settled
        finally:
            for message in batch:
                channel.message_id_delivery_tag.pop(str(message.id), None)
        return confirms.refused

    def _frames(self, message: Message) -> bytes:
        """The message as it goes over the wire: how it is to be routed, its properties, its body in pieces."""
        number, most = self._channel.number, self._channel.max_content_size
        pieces = (message.body[start : start + most] for start in range(0, len(message.body), most))
        return b"".join(
            (
                _routing(self._exchange, message.type, number),
                _header(message, number),
                *(pamqp.frame.marshal(ContentBody(piece), number) for piece in pieces),
            )
        )


async def open_publisher(connection: AbstractConnection, exchange: str) -> tuple[Publisher, Channel]:
    """A publisher on a new channel of that connection, and the channel, whose loss ends it."""
    channel = await connection.channel(publisher_confirms=True, on_return_raises=True, timeout=CONFIRM_TIMEOUT_S)
    assert isinstance(channel, Channel)
    return Publisher(channel, exchange), channel


class _Confirms:
    """What has come back of one batch; `settled` is done once there is word of every message."""

    def __init__(self, settled: "asyncio.Future[None]", count: int) -> None:
        self.refused: dict[UUID, str] = {}
        self._settled = settled
        self._open = count

    def slot(self, message: Message) -> "_Slot":
        return _Slot(self, message)

    def settle_one(self) -> None:
        self._open -= 1
        if self._open == 0 and not self._settled.done():
            self._settled.set_result(None)


class _Slot:
    """Stands where the channel keeps a future per message: a future costs more than the rest of publishing."""

    __slots__ = ("_confirms", "_is_done", "_message")

    def __init__(self, confirms: _Confirms, message: Message) -> None:
        self._confirms = confirms
        self._message = message
        self._is_done = False

    def done(self) -> bool:
        return self._is_done

    def cancelled(self) -> bool:
        return False

    def set_result(self, _: object) -> None:
        self._is_done = True
        self._confirms.settle_one()

    def set_exception(self, error: PublishError | DeliveryError) -> None:
        """Returned, as nobody hears it; or not acknowledged, as a queue is full or lost."""
        self._confirms.refused[self._message.id] = f"{type(error).__name__} for {self._message.type}"
        self.set_result(None)


def _header(message: Message, channel_number: int) -> bytes:
    headers: FieldTable = {"traceparent": message.traceparent} if message.traceparent else {}
    properties = commands.Basic.Properties(
        message_id=str(message.id),
        message_type=message.type,
        content_type="application/json",
        delivery_mode=_PERSISTENT,
        headers=headers,
    )
    return pamqp.frame.marshal(ContentHeader(body_size=len(message.body), properties=properties), channel_number)


@functools.lru_cache(maxsize=256)
def _routing(exchange: str, routing_key: str, channel_number: int) -> bytes:
    """The same for every message of a type."""
    method = commands.Basic.Publish(exchange=exchange, routing_key=routing_key, mandatory=True)
    return pamqp.frame.marshal(method, channel_number)


def _batches(messages: Sequence[Message]) -> Iterator[Sequence[Message]]:
    start = size = 0
    for end, message in enumerate(messages):
        if end > start and (end - start >= MOST_IN_FLIGHT or size + len(message.body) > MOST_BYTES_IN_FLIGHT):
            yield messages[start:end]
            start, size = end, 0
        size += len(message.body)
    if start < len(messages):
        yield messages[start:]
