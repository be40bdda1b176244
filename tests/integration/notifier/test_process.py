"""The notifier as it runs: its own process between a real broker and a mail server."""

import asyncio
import os
import signal
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import aio_pika
import aiohttp
import pytest

from deploy.demo.private import free_ports
from shared import events, topology
from shared.bus import Bus, Message, Options, open_bus
from tests.integration.notifier.desk import attempts, make_due
from tests.unit.notifier.letters import an_order, order_paid, payment_failed

ROOT = Path(__file__).parents[3]


@pytest.fixture
def environment(clean, smtp, amqp_url) -> dict[str, str]:
    (port,) = free_ports(1)
    own = {
        "DATABASE_URL": clean.url("notifier"),
        "AMQP_URL": amqp_url,
        "ROLE_PREFIX": clean.prefix,
        "PORT": str(port),
        "SMTP_HOST": smtp.host,
        "SMTP_PORT": str(smtp.smtp_port),
        "SMTP_TLS": "none",
        "SENDER": "orders@shop.example",
        "ORDER_URL": "https://shop.example/orders/{order_id}?token={token}",
        "LINK_KEY": "link_key_standin",
        "FAILURE_GRACE_S": "0.3",
        # Nothing here waits for one of these to be over, and a busy machine must not reach them.
        "SMTP_TIMEOUT_S": "60",
        "CONVERSATION_S": "60",
        "LEASE_S": "90",
        "DRAIN_S": "30",
    }
    return {"PATH": os.environ["PATH"]} | {f"NOTIFIER_{name}": value for name, value in own.items()}


async def answers(url: str) -> int:
    try:
        async with aiohttp.ClientSession() as session, session.get(url) as response:
            return response.status
    except aiohttp.ClientError:
        return 0


@asynccontextmanager
async def running(environment: dict[str, str]) -> AsyncIterator[asyncio.subprocess.Process]:
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.notifier", cwd=ROOT, env=environment, stdout=asyncio.subprocess.DEVNULL
    )
    try:
        url = f"http://127.0.0.1:{environment['NOTIFIER_PORT']}"
        async with asyncio.timeout(60):
            while await answers(f"{url}/readyz") != 200:
                assert process.returncode is None
                await asyncio.sleep(0.05)
        assert await answers(f"{url}/healthz") == 200
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


@pytest.fixture
async def bus(amqp_url) -> AsyncIterator[Bus]:
    async with open_bus(amqp_url, Options("checkout")) as bus:
        async with asyncio.timeout(60):
            while not bus.is_connected:
                await asyncio.sleep(0.02)
        await purge(amqp_url)
        yield bus


async def purge(amqp_url: str) -> None:
    """Other tests announce orders too, and nobody took those."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        for name in topology.QUEUES:
            if name.startswith("notifier."):
                await (await channel.get_queue(name, ensure=False)).purge()


async def publish(bus: Bus, *announced: events.Event, traceparent: str | None = None) -> None:
    messages = [Message(event.id, event.type, events.encode(event), traceparent) for event in announced]
    assert await bus.publish(messages) == {}


async def wait_for_state(owner, state: str, within_s: float = 60) -> None:
    async with asyncio.timeout(within_s):
        while await owner.fetchval("SELECT count(*) FROM notifier.letters WHERE state = $1", state) == 0:
            await asyncio.sleep(0.02)


async def test_events_become_mails_and_mails_become_events(environment, bus, amqp_url, smtp, owner):
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    paid, failed = order_paid(), payment_failed(an_order(email="bob@example.com"))
    connection = await aio_pika.connect(amqp_url)
    async with connection, running(environment):
        channel = await connection.channel()
        heard = await channel.declare_queue(exclusive=True)
        await heard.bind(topology.EVENTS_EXCHANGE, "mail.accepted")
        await publish(bus, paid, paid, failed, traceparent=trace)
        mails = await smtp.mailbox.wait_for(2)
        told = {}
        async with asyncio.timeout(60):
            while len(told) < 2:
                message = await heard.get(fail=False)
                if message is None:
                    await asyncio.sleep(0.02)
                    continue
                await message.ack()
                event = events.decode(message.body)
                assert isinstance(event, events.MailAccepted)
                told[event.order_id] = str(message.headers["traceparent"])

    assert {mail.recipients[0] for mail in mails} == {"ada@example.com", "bob@example.com"}
    assert set(told) == {paid.order.order_id, failed.order.order_id}
    assert all(traceparent.split("-")[1] == trace.split("-")[1] for traceparent in told.values())


async def test_a_process_killed_in_the_middle_of_a_conversation_leaves_an_unknown(environment, bus, smtp, owner):
    smtp.faults.order("slow_reply", seconds=60)
    async with running(environment) as process:
        await publish(bus, order_paid())
        await smtp.mailbox.wait_for(1)
        process.kill()
        await process.wait()
    assert [row["outcome"] for row in await attempts(owner)] == [None]
    await owner.execute("UPDATE notifier.letters SET lease_until = now() WHERE state = 'sending'")

    async with running(environment):
        await wait_for_state(owner, "unknown")
        assert len(smtp.mailbox.all()[0].copies) == 1
        await make_due(owner)
        await wait_for_state(owner, "accepted")

    (mail,) = smtp.mailbox.all()
    assert [copy.reply for copy in mail.copies] == ["slow_reply", "250"]
    assert [row["outcome"] for row in await attempts(owner)] == ["unknown", "accepted"]


async def test_a_process_told_to_stop_finishes_the_mail_in_hand(environment, bus, smtp, owner):
    smtp.faults.order("slow_reply", seconds=1)
    async with running(environment) as process:
        await publish(bus, order_paid())
        await smtp.mailbox.wait_for(1)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.wait_for(process.wait(), 60) == 0

    assert [row["outcome"] for row in await attempts(owner)] == ["accepted"]
    assert len(smtp.mailbox.all()[0].copies) == 1


async def test_a_process_without_its_secrets_says_so_and_stops(environment):
    del environment["NOTIFIER_LINK_KEY"]
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "services.notifier", cwd=ROOT, env=environment, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 78
    assert b"NOTIFIER_LINK_KEY" in said
