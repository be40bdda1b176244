"""The process as it is deployed: started by the environment, stopped by SIGTERM."""

import asyncio
import os
import signal
import sys
from pathlib import Path
from typing import Any

import aiohttp
import orjson
import pytest

from tests.integration.webhooks.conftest import NOWHERE
from tests.stripe_events import SECRET, an_event, body_of, signature

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def environment(clean, amqp_url):
    return {
        "PATH": os.environ["PATH"],
        "WEBHOOKS_PORT": "0",
        "WEBHOOKS_DATABASE_URL": clean.url("webhooks"),
        "WEBHOOKS_AMQP_URL": amqp_url,
        "WEBHOOKS_ROLE_PREFIX": clean.prefix,
        "WEBHOOKS_STRIPE_SECRETS": SECRET,
        "WEBHOOKS_LIVEMODE": "false",
        "WEBHOOKS_EXTRA_SENDERS": "127.0.0.0/8",
    }


async def start(environment) -> asyncio.subprocess.Process:
    return await asyncio.create_subprocess_exec(
        sys.executable,
        *("-m", "services.webhooks"),
        cwd=ROOT,
        env=environment,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )


async def port_of(process: asyncio.subprocess.Process) -> int:
    assert process.stdout is not None
    async for line in process.stdout:
        entry = orjson.loads(line)
        if entry["message"] == "listening":
            return int(entry["port"])
    raise AssertionError("it ended before it listened")


async def deliver(session: aiohttp.ClientSession, port: int, event: dict[str, Any]) -> int:
    body = body_of(event)
    url, headers = f"http://127.0.0.1:{port}/webhooks/stripe", {"Stripe-Signature": signature(body)}
    async with session.post(url, data=body, headers=headers) as response:
        return response.status


async def test_it_takes_an_event_publishes_it_and_ends_in_order(environment, rows, heard):
    process, event = await start(environment), an_event()
    try:
        async with asyncio.timeout(90):
            port = await port_of(process)
        async with aiohttp.ClientSession() as session:
            assert await deliver(session, port, event) == 200
        await heard.at_least(1, "payment.succeeded")
        process.send_signal(signal.SIGTERM)
        async with asyncio.timeout(40):
            out, complaints = await process.communicate()
    finally:
        if process.returncode is None:
            process.kill()
            await process.communicate()
    assert (process.returncode, complaints) == (0, b"")
    assert SECRET.encode() not in out
    assert (await rows.one())["body"] == body_of(event)


async def test_what_it_answered_survives_its_being_killed(environment, rows, heard):
    """Accepted with no broker to tell, then killed without a word: the next process finds the row and tells."""
    first = await start({**environment, "WEBHOOKS_AMQP_URL": NOWHERE})
    event = an_event()
    try:
        async with asyncio.timeout(90), aiohttp.ClientSession() as session:
            assert await deliver(session, await port_of(first), event) == 200
    finally:
        first.kill()
        await first.communicate()
    second = await start(environment)
    try:
        (message,) = await heard.at_least(1, "payment.succeeded", within_s=60)
        await rows.until("published")
    finally:
        second.kill()
        await second.communicate()
    assert orjson.loads(message.body)["stripe_event_id"] == event["id"]


async def test_it_does_not_start_without_a_secret(environment):
    process = await start({**environment, "WEBHOOKS_STRIPE_SECRETS": ""})
    async with asyncio.timeout(90):
        _, complaints = await process.communicate()
    assert process.returncode == 78
    assert b"WEBHOOKS_STRIPE_SECRETS" in complaints
