"""A virtual host that was given to us and stays when we go: it must be free of our queues, before and after."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import aio_pika
from aio_pika.abc import AbstractConnection
from aio_pika.exceptions import ChannelNotFoundEntity

from deploy.demo.backing import NoBacking
from shared import topology

CONNECT_S = 10

#: What the services of the demo are set to; the names of the delay queues come from it.
RETRY_STEPS_S = (0.5, 1.0, 2.0)


@asynccontextmanager
async def given_vhost(amqp_url: str, *, is_shared: bool) -> AsyncIterator[None]:
    """Refuses one that another shop uses; deletes at the end what ours declared. `is_shared`: neither."""
    if is_shared:
        yield
        return
    async with await aio_pika.connect(amqp_url, timeout=CONNECT_S) as connection:
        if await _is_used(connection):
            raise NoBacking(
                "The virtual host of AMQP_URL holds a shop's queues already, and its user may not make another one. "
                "Give an empty virtual host, or unset AMQP_URL for a private broker."
            )
    try:
        yield
    finally:
        async with await aio_pika.connect(amqp_url, timeout=CONNECT_S) as connection:
            await _delete(connection)


async def _is_used(connection: AbstractConnection) -> bool:
    with suppress(ChannelNotFoundEntity):
        channel = await connection.channel()
        await channel.declare_queue(next(iter(topology.QUEUES)), passive=True)
        return True
    return False


async def _delete(connection: AbstractConnection) -> None:
    delays = [topology.delay_name(seconds) for seconds in RETRY_STEPS_S]
    async with connection.channel() as channel:
        for queue in topology.QUEUES:
            await channel.queue_delete(queue)
            await channel.queue_delete(topology.dead_queue(queue))
        for delay in delays:
            await channel.queue_delete(delay)
        exchanges = (topology.EVENTS_EXCHANGE, topology.METRICS_EXCHANGE, topology.DEAD_EXCHANGE, *delays)
        for exchange in exchanges:
            await channel.exchange_delete(exchange)
