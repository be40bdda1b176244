"""Checkout in this process, over a real socket, with a real database and broker and Stripe's stand-in."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Any
from uuid import uuid4

import aio_pika
import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer

from deploy.ops.catalogue import read
from deploy.standins.stripe.app import make_app as make_stripe
from deploy.standins.stripe.config import Config
from services.checkout.actions.catalogue import import_catalogue
from services.checkout.actions.orders import Till
from services.checkout.app import make
from services.checkout.handlers import TILL
from services.checkout.settings import CheckoutSettings
from shared import staff, topology
from shared.db import Pool, open_pool
from shared.staff import Right
from tests.documented import answers_documented

CATALOGUE = Path(__file__).parents[3] / "deploy/demo/catalogue.toml"
SKU = "SILK-TIE-NAVY-ONE"
SECRET = "sk_test_standin"
SHOP = "https://shop.example"
# Balance transactions come a moment after their payments, as at Stripe. All else that the stand-in does later happens
# when a test puts its clock forward, and not because the machine was slow; nor does it lose patience with a lock.
CONFIG = Config(capture_delay_s=0.05, refund_delay_s=3000, dispute_delay_s=3000, payout_delay_s=3000, lock_wait_s=60)
# How long something may take that surely comes: the machine may be busy. Nobody waits so long unless it is broken.
PATIENCE_S = 60


@dataclass
class StripeStandIn:
    """Stripe's stand-in, driven through its control API."""

    url: str
    http: aiohttp.ClientSession

    async def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        async with self.http.request(method, f"{self.url}/_control/{path}", json=body) as response:
            assert response.status < 300, await response.text()
            return await response.json()

    async def fault(self, **fault: Any) -> None:
        await self.control("POST", "faults", fault)

    async def intents(self) -> list[dict[str, Any]]:
        return (await self.control("GET", "payment_intents"))["payment_intents"]

    async def post(self, path: str, **form: str) -> tuple[int, dict[str, Any]]:
        """As the browser does, through the API with a key."""
        headers = {"Authorization": f"Bearer {SECRET}"}
        async with self.http.post(f"{self.url}/v1/{path}", data=form, headers=headers) as response:
            return response.status, await response.json()

    async def pay(self, intent_id: str, card: str = "pm_card_visa") -> tuple[int, dict[str, Any]]:
        return await self.post(f"payment_intents/{intent_id}/confirm", payment_method=card, return_url=self.url)


@dataclass
class Checkout:
    """The service as a client sees it, and as its jobs see it."""

    url: str
    http: aiohttp.ClientSession
    till: Till

    async def get(self, path: str, **options: Any) -> tuple[int, Any]:
        async with self.http.get(self.url + path, **options) as response:
            return response.status, await response.json()

    async def place(self, body: Any = None, key: str | None = None) -> tuple[int, Any]:
        headers = {"Idempotency-Key": key or str(uuid4())}
        async with self.http.post(f"{self.url}/v1/orders", json=body or an_order(), headers=headers) as response:
            return response.status, await response.json()


def an_order(sku: str = SKU, quantity: int = 1, **changes: Any) -> dict[str, Any]:
    return {
        "email": "ada@example.com",
        "locale": "en",
        "currency": "usd",
        "lines": [{"sku": sku, "quantity": quantity}],
        "shipping_address": {
            "name": "Ada Lovelace",
            "line1": "12 St James Square",
            "city": "London",
            "postal_code": "SW1Y 4JH",
            "country": "GB",
        },
        **changes,
    }


@pytest.fixture(scope="module", autouse=True)
async def quiet_broker(amqp_url) -> None:
    """Nothing waits in it for checkout that tests of other services have said: which files came before is not ours."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await topology.declare(channel, (5, 30, 300), topology.QUEUES)
        for queue in topology.QUEUES:
            if queue.startswith("checkout."):
                await (await channel.get_queue(queue, ensure=False)).purge()


@pytest.fixture
async def http() -> AsyncIterator[aiohttp.ClientSession]:
    async with aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=100)) as session:
        yield session


@pytest.fixture
async def stripe(http) -> AsyncIterator[StripeStandIn]:
    async with TestServer(make_stripe(CONFIG)) as server:
        yield StripeStandIn(str(server.make_url("")).rstrip("/"), http)


@pytest.fixture
async def pool(clean) -> AsyncIterator[Pool]:
    async with open_pool(clean.url("checkout"), "checkout", clean.prefix, 5) as opened:
        await import_catalogue(opened, [p.model_dump() for p in read(CATALOGUE).products], "test")
        yield opened


def settings_for(database: Any, amqp_url: str, stripe_url: str, **changes: Any) -> CheckoutSettings:
    given: dict[str, Any] = {
        "database_url": database.url("checkout"),
        "amqp_url": amqp_url,
        "role_prefix": database.prefix,
        "stripe_mode": "test",
        "stripe_secret_key": SECRET,
        "stripe_publishable_key": "pk_test_standin",
        "stripe_url": stripe_url,
        "stripe_timeout_s": 20.0,  # of an answer that never comes a test says so itself
        "attempt_wait_s": 40.0,
        "order_token_keys": "order-token-key",
        "link_keys": "mail-link-key",
        "rest_s": 0.02,
        "retry_steps_s": (0.1, 0.2, 0.3),
        "attempt_lease_s": 1.0,
        "expiry_lease_s": 1.0,
        "refund_rest_s": 0.05,
        "request_limit_per_minute": 100_000,
        "card_testing": "report",  # a test orders and fails as it likes; test_card_testing.py enforces
        # What these tests leave unheard shall stay so.
        "reconciles": False,
        **changes,
    }
    return CheckoutSettings(**given)


@contextlib.asynccontextmanager
async def serving(app: web.Application, http: aiohttp.ClientSession) -> AsyncIterator[Checkout]:
    with answers_documented(app):
        async with TestServer(app) as server:
            yield Checkout(str(server.make_url("")).rstrip("/"), http, app[TILL])


@pytest.fixture
async def checkout(clean, pool, amqp_url, stripe, http) -> AsyncIterator[Checkout]:
    async with serving(make(settings_for(clean, amqp_url, stripe.url)), http) as running:
        yield running


@pytest.fixture
def signed_in(pool):
    """Headers of somebody's session, and how the audit trail names him."""

    async def signed_in(*rights: Right, name: str = "Ada") -> tuple[dict[str, str], str]:
        async with pool.worker() as conn:
            code, _ = await staff.invite(conn, name, [right.value for right in rights], timedelta(hours=8))
        async with pool.request() as conn:
            entered = await staff.enter(conn, code)
        assert entered is not None
        token, account_id = entered
        return {"Authorization": f"Bearer {token}"}, f"staff {account_id}"

    return signed_in


async def until_somebody_waits(owner) -> None:
    """For a lock of the database."""
    async with asyncio.timeout(PATIENCE_S):
        while not await owner.fetchval("SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event_type = 'Lock')"):
            await asyncio.sleep(0.01)


async def ask(checkout, method: str, path: str, body: dict, headers: dict[str, str]) -> tuple[int, dict]:
    async with checkout.http.request(method, checkout.url + path, json=body, headers=headers) as response:
        return response.status, await response.json()


@pytest.fixture
async def shop(clean, pool, amqp_url, stripe, http) -> AsyncIterator[Checkout]:
    """Checkout of a shop whose pages may confirm with it."""
    settings = settings_for(clean, amqp_url, stripe.url, cors_origins=(SHOP,), attempt_lease_s=0.5)
    async with serving(make(settings), http) as running:
        yield running
