"""RabbitMQ 4.0's own behaviour, which the private instances of `make test` (3.10 and later) can't show."""

import asyncio

from deploy.demo.shopper import Shopper
from deploy.demo.waiting import until
from deploy.demo.watching import Watcher
from tests.compose.suite import Suite, Watch

PUBLISH = """
import asyncio, pathlib, sys, aio_pika
async def main():
    async with await aio_pika.connect(pathlib.Path("/run/secrets/amqp_url").read_text()) as connection:
        exchange = await (await connection.channel()).get_exchange("kct.events")
        await exchange.publish(aio_pika.Message(b'{"type": "order.paid", "id":', message_id="poison"), "order.paid")
asyncio.run(main())
"""

# Takes a message and is gone, as a process that dies of it, until the broker has set it aside.
DIE_OF_IT = """
import asyncio, pathlib, sys, aio_pika
async def main():
    url, deaths, before = pathlib.Path("/run/secrets/amqp_url").read_text(), 0, None
    while deaths < 60:
        connection = await aio_pika.connect(url)
        channel = await connection.channel()
        await channel.set_qos(prefetch_count=1)
        queue = await channel.get_queue(sys.argv[1])
        got = asyncio.Event()
        async def take(message):
            got.set()
        async def set_aside():
            dead = await channel.declare_queue(sys.argv[1] + ".dead", passive=True)
            return dead.declaration_result.message_count
        before = await set_aside() if before is None else before
        await queue.consume(take)
        while not got.is_set() and await set_aside() == before:
            await asyncio.sleep(0.1)
        await connection.close()
        if not got.is_set():
            break
        deaths += 1
    print(deaths)
asyncio.run(main())
"""

QUEUE = "notifier.on_order_paid"


def dead_letters(suite: Suite) -> dict[str, int]:
    """What `ops dead-letters` counts, by queue."""
    lines = [line.split() for line in suite.ops("dead-letters").splitlines() if line.strip()]
    return {line[1]: int(line[0]) for line in lines if line[0].isdigit()}


async def test_the_broker_is_the_one_that_is_pinned(suite: Suite) -> None:
    version = await asyncio.to_thread(suite.compose, "exec", "-T", "rabbitmq", "rabbitmqctl", "version")
    assert version.strip().startswith("4.0.")


async def test_a_message_that_can_not_be_read_is_set_aside_and_the_operator_told(
    suite: Suite, watcher: Watcher, watch: Watch
) -> None:
    before = dead_letters(suite)
    await asyncio.to_thread(suite.python, "checkout", PUBLISH)

    async def probe() -> bool:
        now = await asyncio.to_thread(dead_letters, suite)
        return now.get(QUEUE, 0) == before.get(QUEUE, 0) + 1

    await until(probe, f"the message is among the dead letters of {QUEUE}", 120)
    await watch.until_figure(f'sum(monitor_dead_letters{{queue="{QUEUE}"}})', before.get(QUEUE, 0) + 1)
    await watcher.until_slacked(QUEUE, within_s=180)


async def test_an_event_that_kills_its_reader_is_set_aside_and_can_be_put_back(
    suite: Suite, shopper: Shopper, watch: Watch
) -> None:
    await asyncio.to_thread(suite.compose, "stop", "notifier")
    before = dead_letters(suite).get(QUEUE, 0)
    placed = await shopper.place()
    await shopper.pay(placed)
    await shopper.until_it_is("paid", placed, within_s=120)

    deaths = int(await asyncio.to_thread(suite.python, "checkout", DIE_OF_IT, QUEUE, within_s=300))
    assert deaths == 21, "the first delivery, and twenty more: the delivery limit of shared/topology.py"
    assert dead_letters(suite).get(QUEUE, 0) == before + 1
    assert await watch.mails(placed.email) == []

    await asyncio.to_thread(suite.compose, "start", "notifier")
    await asyncio.to_thread(suite.ops, "redrive", QUEUE)
    await watch.until_mailed(placed.email, placed.number)

    async def probe() -> bool:
        return (await asyncio.to_thread(dead_letters, suite)).get(QUEUE, 0) == before

    await until(probe, "what can't be read is set aside again", 120)
