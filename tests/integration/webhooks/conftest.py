"""The service in this process on a real socket, somebody who hears all events, and a wire that can be cut."""

import asyncio
import contextlib
import io
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from functools import partial
from typing import Any
from uuid import uuid4

import aio_pika
import aiohttp
import asyncpg
import pytest
from aio_pika import ExchangeType
from aio_pika.abc import AbstractIncomingMessage
from aiohttp import web
from aiohttp.test_utils import TestServer
from pydantic import SecretStr

from deploy.standins.stripe.app import make_app as make_stripe
from deploy.standins.stripe.config import Config
from services.webhooks.app import make
from services.webhooks.settings import WebhooksSettings
from shared import topology
from shared.web.wire import Runner
from tests.databases import Database
from tests.documented import answers_documented
from tests.integration.webhooks.wire import Wire
from tests.stripe_events import OTHER_SECRET, SECRET, body_of, signature

NOWHERE = "amqp://127.0.0.1:1/"


@dataclass
class Door:
    """The service as Stripe sees it."""

    app: web.Application
    url: str
    session: aiohttp.ClientSession

    async def post(self, body: bytes, *signatures: str | bytes, **headers: str) -> tuple[int, dict[str, Any]]:
        """Posts the bytes as they are, with each signature in a header of its own."""
        fields = [("Content-Type", "application/json"), *headers.items()]
        fields += [("Stripe-Signature", str(each)) for each in signatures]
        async with self.session.post(f"{self.url}/webhooks/stripe", data=io.BytesIO(body), headers=fields) as response:
            assert response.status < 400 or response.content_type == "application/problem+json"
            return response.status, await response.json(content_type=None)

    async def deliver(self, event: dict[str, Any], *secrets: str) -> tuple[int, dict[str, Any]]:
        """Posts an event as Stripe would."""
        body = body_of(event)
        return await self.post(body, signature(body, *secrets))


OpenDoor = Callable[..., AbstractAsyncContextManager[Door]]


def usual(database: Database, amqp_url: str, **changes: Any) -> WebhooksSettings:
    """The settings of these tests."""
    defaults: dict[str, Any] = {
        "database_url": SecretStr(database.url("webhooks")),
        "amqp_url": SecretStr(amqp_url),
        "role_prefix": database.prefix,
        "stripe_secrets": (SecretStr(SECRET), SecretStr(OTHER_SECRET)),
        "livemode": False,
        "rest_s": 0.05,
        "drain_s": 5,
        "store_timeout_s": 15,  # a machine that stalls for seconds is no outage
        # These tests are Stripe and everybody else, all from one address.
        "extra_senders": ("127.0.0.0/8",),
        "unverified_per_minute": 100_000,
        "unverified_in_all_per_minute": 100_000,
    }
    return WebhooksSettings(**{**defaults, **changes})


@contextlib.asynccontextmanager
async def opened(database: Database, amqp_url: str, **changes: Any) -> AsyncIterator[Door]:
    """The service, as it would run with these settings."""
    app = make(usual(database, amqp_url, **changes))
    with answers_documented(app):
        runner = Runner(app)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            host, port = runner.addresses[0][:2]
            async with aiohttp.ClientSession() as session:
                yield Door(app, f"http://{host}:{port}", session)
        finally:
            await runner.cleanup()


@pytest.fixture
def open_door(clean, amqp_url) -> OpenDoor:
    """`async with open_door(setting=…) as door`; without settings, as usual."""
    return partial(opened, clean, amqp_url=amqp_url)


@pytest.fixture
async def door(open_door) -> AsyncIterator[Door]:
    async with open_door() as door:
        yield door


@dataclass
class Heard:
    """Every message that went over the exchange of events, in the order of arrival."""

    messages: list[AbstractIncomingMessage] = field(default_factory=list)
    _news: asyncio.Event = field(default_factory=asyncio.Event)

    async def take(self, message: AbstractIncomingMessage) -> None:
        self.messages.append(message)
        self._news.set()

    async def at_least(self, count: int, of: str = "", within_s: float = 30) -> list[AbstractIncomingMessage]:
        """Waits for so many messages of a type."""
        async with asyncio.timeout(within_s):
            while len(found := self.of(of)) < count:
                self._news.clear()
                await self._news.wait()
        return found

    def of(self, type_: str) -> list[AbstractIncomingMessage]:
        return [message for message in self.messages if (message.type or "").startswith(type_)]


@pytest.fixture
async def heard(amqp_url) -> AsyncIterator[Heard]:
    heard = Heard()
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        exchange = await channel.declare_exchange(topology.EVENTS_EXCHANGE, ExchangeType.TOPIC, durable=True)
        queue = await channel.declare_queue(exclusive=True)
        await queue.bind(exchange, routing_key="#")
        await queue.consume(heard.take, no_ack=True)
        yield heard
        await topology.declare(channel, (5, 30, 300), topology.QUEUES)
        for name in topology.QUEUES:
            await (await channel.get_queue(name)).purge()


@pytest.fixture
async def wire(clean) -> AsyncIterator[Wire]:
    """Between the service and its database."""
    async with Wire.to(clean.url("webhooks")) as wire:
        yield wire


@dataclass
class Rows:
    """What is stored, as the auditor sees it: row-level security confines even the owner of the tables."""

    auditor: "asyncpg.Connection[asyncpg.Record]"

    async def all(self) -> list[asyncpg.Record]:
        return await self.auditor.fetch("SELECT * FROM webhooks.stripe_events ORDER BY received_at")

    async def one(self) -> asyncpg.Record:
        (row,) = await self.all()
        return row

    async def count(self) -> tuple[int, int]:
        """Of ids and of bodies."""
        row = await self.auditor.fetchrow(
            """
            SELECT (SELECT count(*) FROM webhooks.stripe_event_ids) AS ids,
                   (SELECT count(*) FROM webhooks.stripe_events) AS bodies
            """
        )
        return row["ids"], row["bodies"]

    async def waiting(self) -> int:
        """How many are not yet published."""
        query = "SELECT count(*) FROM webhooks.stripe_events WHERE state = 'received'"
        return await self.auditor.fetchval(query)

    async def until(self, state: str, count: int = 1, within_s: float = 30) -> list[asyncpg.Record]:
        """Waits for so many rows in a state."""
        async with asyncio.timeout(within_s):
            while len(found := [row for row in await self.all() if row["state"] == state]) < count:
                await asyncio.sleep(0.02)
        return found

    async def staged(self) -> list[str]:
        """Types of events in the outbox."""
        return [row["type"] for row in await self.auditor.fetch("SELECT type FROM webhooks.outbox")]


@pytest.fixture
async def rows(database) -> AsyncIterator[Rows]:
    auditor = await asyncpg.connect(database.auditor_url)
    yield Rows(auditor)
    await auditor.close()


@dataclass
class StripeStandIn:
    """Stripe's stand-in, driven through its control API; the account of the shop."""

    url: str
    http: aiohttp.ClientSession

    async def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        async with self.http.request(method, f"{self.url}/_control/{path}", json=body) as response:
            assert response.status < 300, await response.text()
            return await response.json()

    async def sends_to(self, url: str, *types: str, **rules: Any) -> None:
        """The account's one endpoint, and what goes wrong on the way to it."""
        endpoint = {"url": f"{url}/webhooks/stripe", "secrets": [SECRET], "events": types or ("*",)}
        await self.control("POST", "webhook_endpoints", endpoint)
        await self.control("POST", "deliveries/rules", rules)

    async def post(self, path: str, **form: str) -> Any:
        headers = {"Authorization": "Bearer sk_test_standin"}
        async with self.http.post(f"{self.url}/v1/{path}", data=form, headers=headers) as response:
            assert response.status == 200, await response.text()
            return await response.json()

    async def pay(self, count: int = 1) -> list[str]:
        """So many payments of this shop's; their PaymentIntents."""
        form = {"amount": "2500", "currency": "usd", "confirm": "true", "payment_method": "pm_card_visa"}
        found = []
        for _ in range(count):
            order = {"return_url": "http://127.0.0.1/", "metadata[order_id]": str(uuid4())}
            found.append((await self.post("payment_intents", **form, **order))["id"])
        return found

    async def reads(self, path: str = "/v1/events") -> int:
        """How often a path was asked for: counted by a fault that does nothing."""
        faults = (await self.control("GET", "faults"))["faults"]
        return sum(fault["seen"] for fault in faults if fault["path"] == path and fault["kind"] == "latency")

    async def count_reads(self, path: str = "/v1/events") -> None:
        await self.control("POST", "faults", {"kind": "latency", "method": "GET", "path": path, "times": None})


@pytest.fixture
async def stripe() -> AsyncIterator[StripeStandIn]:
    async with (
        TestServer(make_stripe(Config(capture_delay_s=0.05, retry_steps_s=()))) as server,
        aiohttp.ClientSession() as http,
    ):
        yield StripeStandIn(str(server.make_url("")).rstrip("/"), http)


@pytest.fixture
def asking(stripe) -> dict[str, Any]:
    """Settings with which the service asks Stripe, quickly."""
    return {
        "stripe_secret_key": SecretStr("rk_test_standin"),
        "stripe_url": stripe.url,
        "stripe_timeout_s": 20,
        "stripe_reads_per_day": 100_000,
        "backfill_interval_s": 0.3,
        "backfill_idle_s": 0.3,
        "backfill_step_s": 0.05,
        "outage_after_s": 1,
        "silence_check_s": 0.1,
        "endpoint_check_s": 0.1,
    }
