"""Killed at random instants under load, again and again: whatever was answered with 2xx takes effect, and once.

KILLS and SEED in the environment make it longer, or begin it alike: `KILLS=100 SEED=1 pytest …/test_crashes.py`.
"""

import asyncio
import contextlib
import itertools
import os
import random
import signal
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import aiohttp
import pytest

from deploy.demo.private import free_ports
from shared import events, inbox
from shared.db import open_pool
from tests.integration.webhooks.test_process import environment, start  # noqa: F401 (a fixture)
from tests.integration.webhooks.wire import Wire
from tests.stripe_events import an_event, body_of, signature

KILLS = int(os.environ.get("KILLS", "8"))
SEED = int(os.environ.get("SEED", "0")) or random.randrange(2**31)
SENDERS = 8
PAUSE_S = 0.01  # a few hundred events a second, so that the end is quick to check


@dataclass
class Stripe:
    """Sends events as Stripe does: again, signed anew, until one of our processes says 2xx; some once more."""

    ports: list[int]
    dice: random.Random
    answered: set[str] = field(default_factory=set)
    answers: Counter[int] = field(default_factory=Counter)
    is_over: bool = False

    async def send(self) -> None:
        timeout = aiohttp.ClientTimeout(total=30)
        async with aiohttp.ClientSession(timeout=timeout) as session, asyncio.TaskGroup() as senders:
            for _ in range(SENDERS):
                senders.create_task(self._one_after_another(session))

    async def _one_after_another(self, session: aiohttp.ClientSession) -> None:
        while not self.is_over:
            event, offsets = an_event(), itertools.count(-60)
            for _ in range(self.dice.choice((1, 1, 1, 2, 3))):
                await self._until_taken(session, event, offsets)
            self.answered.add(event["id"])
            await asyncio.sleep(PAUSE_S)

    async def _until_taken(self, session: aiohttp.ClientSession, event: dict[str, Any], offsets: Iterator[int]) -> None:
        """Each try is signed at a time of its own: one that comes twice would be a replay."""
        body = body_of(event)
        while True:
            url = f"http://127.0.0.1:{self.dice.choice(self.ports)}/webhooks/stripe"
            headers = {"Stripe-Signature": signature(body, at=time.time() + next(offsets))}
            with contextlib.suppress(aiohttp.ClientError, TimeoutError):
                async with session.post(url, data=body, headers=headers) as response:
                    self.answers[response.status] += 1
                    if response.status == 200:
                        return
            await asyncio.sleep(0.02)


async def until_it_listens(port: int) -> None:
    async with asyncio.timeout(90):
        while True:
            with contextlib.suppress(OSError):
                _, writer = await asyncio.open_connection("127.0.0.1", port)
                writer.close()
                return
            await asyncio.sleep(0.02)


class Processes:
    """The service, once on each port."""

    def __init__(self, settings: dict[str, str], ports: list[int]) -> None:
        self._settings = settings
        self.ports = ports
        self._running: dict[int, asyncio.subprocess.Process] = {}
        self._readers: set[asyncio.Task[Any]] = set()

    async def start(self, port: int) -> None:
        process = await start({**self._settings, "WEBHOOKS_PORT": str(port)})
        self._running[port] = process
        reader = asyncio.create_task(process.communicate())  # or its pipe would fill, and hold it up
        self._readers.add(reader)
        reader.add_done_callback(self._readers.discard)

    async def end(self, port: int, number: signal.Signals) -> int:
        process = self._running.pop(port)
        process.send_signal(number)
        async with asyncio.timeout(30):
            return await process.wait()

    async def close(self) -> None:
        for port in list(self._running):
            await self.end(port, signal.SIGKILL)
        await asyncio.gather(*self._readers)


@pytest.fixture
async def processes(environment):  # noqa: F811 (the fixture)
    patient = {"WEBHOOKS_LOG_LEVEL": "WARNING", "WEBHOOKS_STORE_TIMEOUT_S": "20"}  # a machine that stalls is no outage
    processes = Processes({**environment, **patient}, free_ports(2))
    for port in processes.ports:
        await processes.start(port)
    for port in processes.ports:
        await until_it_listens(port)
    yield processes
    await processes.close()


async def everything_was_taken_once(stripe: Stripe, rows, heard, clean) -> None:
    """Every event that was answered with 2xx is stored once and published; consumers act on it once."""
    async with asyncio.timeout(60):
        while await rows.waiting():
            await asyncio.sleep(0.1)
    everything = await rows.all()
    stored = Counter(row["stripe_event_id"] for row in everything)
    assert set(stored.values()) == {1}
    assert stripe.answered <= set(stored)
    assert await rows.count() == (len(stored), len(stored))
    assert {row["state"] for row in everything} == {"published"}
    assert await rows.staged() == []  # no alarm: nothing was taken for an attack

    async def all_heard() -> list[events.Event]:
        while True:
            told = [events.decode(message.body) for message in heard.of("payment.")]
            if {event.stripe_event_id for event in told} >= set(stored):
                return told
            await asyncio.sleep(0.1)

    told = await asyncio.wait_for(all_heard(), 60)
    acted: Counter[str] = Counter()
    async with open_pool(clean.url("webhooks"), "webhooks", clean.prefix) as pool, pool.worker() as conn:
        for event in told:
            acted[event.stripe_event_id] += await inbox.claim(conn, "checkout.on_payment_succeeded", event.id)
    assert acted == stored


@pytest.mark.timeout(120 + 30 * KILLS)
async def test_killed_at_random_instants_under_load_it_loses_and_repeats_nothing(processes, rows, heard, clean):
    dice = random.Random(SEED)
    stripe = Stripe(processes.ports, dice)
    sending = asyncio.create_task(stripe.send())
    for kill in range(KILLS):
        port = processes.ports[kill % 2]
        await asyncio.sleep(dice.uniform(0.05, 0.6))
        await processes.end(port, signal.SIGKILL)
        await processes.start(port)
        await until_it_listens(port)
    stripe.is_over = True
    await asyncio.wait_for(sending, 60)
    assert len(stripe.answered) > KILLS
    await everything_was_taken_once(stripe, rows, heard, clean)


@pytest.mark.timeout(300)
async def test_told_to_stop_under_load_it_answers_everybody(processes, rows, heard, clean):
    stripe = Stripe(processes.ports[:1], random.Random(SEED))
    sending = asyncio.create_task(stripe.send())
    for _ in range(3):
        await asyncio.sleep(0.4)
        assert await processes.end(processes.ports[0], signal.SIGTERM) == 0
        await processes.start(processes.ports[0])
        await until_it_listens(processes.ports[0])
    stripe.is_over = True
    await asyncio.wait_for(sending, 60)
    assert set(stripe.answers) == {200}
    await everything_was_taken_once(stripe, rows, heard, clean)


@pytest.mark.timeout(300)
async def test_database_and_broker_cut_at_random_instants_lose_and_repeat_nothing(
    environment,  # noqa: F811 (the fixture)
    amqp_url,
    rows,
    heard,
    clean,
):
    dice = random.Random(SEED)
    async with Wire.to(clean.url("webhooks")) as database, Wire.to(amqp_url) as broker:
        reached = {"WEBHOOKS_DATABASE_URL": database.url, "WEBHOOKS_AMQP_URL": broker.url}
        settings = {**environment, **reached, "WEBHOOKS_STORE_TIMEOUT_S": "1", "WEBHOOKS_LOG_LEVEL": "ERROR"}
        processes = Processes(settings, free_ports(1))
        await processes.start(processes.ports[0])
        try:
            await until_it_listens(processes.ports[0])
            stripe = Stripe(processes.ports, dice)
            sending = asyncio.create_task(stripe.send())
            for _ in range(KILLS):
                await asyncio.sleep(dice.uniform(0.05, 0.4))
                for wire in dice.choice(([database], [broker], [database, broker])):
                    dice.choice((wire.mute, wire.go_dead))()
                    await asyncio.sleep(dice.uniform(0, 0.05))
                    await wire.cut()
                await asyncio.sleep(dice.uniform(0, 0.3))
                await database.mend()
                await broker.mend()
            stripe.is_over = True
            await asyncio.wait_for(sending, 60)
            assert set(stripe.answers) <= {200, 503}
            await everything_was_taken_once(stripe, rows, heard, clean)
        finally:
            await processes.close()
