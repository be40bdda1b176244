"""The monitor's parts, with the database role and the broker it really has."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from typing import Any

import aio_pika
import aiohttp
import pytest

from services.monitor.actions import Desk
from services.monitor.domain.facts import Broker
from services.monitor.domain.sightings import Sightings
from services.monitor.settings import MonitorSettings
from shared import http_client, topology
from shared.bus import Bus, Options, open_bus
from shared.db import Pool, open_pool

MakeDesk = Callable[..., Desk]
Until = Callable[..., Awaitable[Any]]

HOUR_AGO = timedelta(hours=1)


@pytest.fixture(scope="module", autouse=True)
async def quiet_broker(amqp_url) -> None:
    """Nothing is left in it of what tests of other services said: held orders and dead letters are incidents."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await topology.declare(channel, (5, 30, 300), topology.QUEUES)
        for queue in ("monitor.on_event", *map(topology.dead_queue, topology.QUEUES)):
            await (await channel.get_queue(queue, ensure=False)).purge()


@pytest.fixture
def settings(clean, amqp_url, slack, smtp) -> Callable[..., MonitorSettings]:
    """The monitor's settings in a hurry: everything that takes seconds in a shop takes tenths here.

    But for sending: on a busy machine a message that takes a second would be sent twice.
    """

    def make(**changes: Any) -> MonitorSettings:
        given: dict[str, Any] = {
            "port": 0,
            "database_url": clean.url("monitor"),
            "amqp_url": amqp_url,
            "role_prefix": clean.prefix,
            "instance": "host:1",
            "metrics_interval_s": 0.2,
            "evaluate_s": 0.1,
            "silent_after_s": 2.0,
            "broker_away_after_s": 0.5,
            "probe_s": 0.2,
            "clear_for_s": 0.3,
            "between_updates_s": 0,
            "reopen_within_s": 0,
            "slack_url": slack.webhook_url,
            "slack_pace_s": 0.01,
            "smtp_host": smtp.host,
            "smtp_port": smtp.smtp_port,
            "alert_to": ("oncall@example.com",),
            "alert_from": "KCT monitor <monitor@example.com>",
            "page_url": "https://monitor.example.com/",
            "send_timeout_s": 20.0,
            "drain_s": 2.0,
        }
        return MonitorSettings(**(given | changes))

    return make


@pytest.fixture
async def pool(clean) -> AsyncIterator[Pool]:
    async with open_pool(clean.url("monitor"), "monitor", clean.prefix, 10) as opened:
        yield opened


@pytest.fixture
async def bus(amqp_url) -> AsyncIterator[Bus]:
    async with open_bus(amqp_url, Options(service="monitor")) as opened:
        await wait_until(lambda: opened.is_connected)
        yield opened


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with http_client.session(5, peer="test") as session:
        yield session


@pytest.fixture
def make_desk(settings, pool, bus, http) -> MakeDesk:
    """A desk where everybody was heard just now and the broker has been there for an hour."""

    def make(**changes: Any) -> Desk:
        now = datetime.now(UTC)
        chosen = settings(**{"silent_after_s": 30, **changes})
        sightings = Sightings(now - HOUR_AGO, chosen.stale_after_s)
        sightings.notice_broker(True, now, timedelta.max)
        sightings.broker = Broker(is_connected=True, since=now - HOUR_AGO)
        desk = Desk(chosen, pool, bus, sightings, http)
        sightings.heard = dict.fromkeys(desk.settings.expected_services, now)
        return desk

    return make


@pytest.fixture
def desk(make_desk) -> Desk:
    return make_desk()


async def wait_until(condition: Callable[[], Any], within_s: float = 60.0) -> Any:
    """What the condition says, as soon as it says something; it may be a coroutine function."""
    deadline = time.monotonic() + within_s
    while True:
        found = condition()
        if asyncio.iscoroutine(found):
            found = await found
        if found:
            return found
        assert time.monotonic() < deadline, f"not within {within_s} s"
        await asyncio.sleep(0.02)


@pytest.fixture
async def stack() -> AsyncIterator[AsyncExitStack]:
    async with AsyncExitStack() as opened:
        yield opened
