"""What the machine drives: checkout's actions, jobs and consumers on PostgreSQL, and Stripe's stand-in over HTTP."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine, Iterator
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any, TypeVar
from uuid import UUID

import aiohttp
import asyncpg
import pytest
from aiohttp.test_utils import TestServer

from deploy.standins.stripe.app import make_app as make_stripe
from deploy.standins.stripe.config import Config
from services.checkout import consumers, jobs
from services.checkout.actions import resync
from services.checkout.actions.catalogue import import_catalogue
from services.checkout.actions.orders import Till
from services.checkout.settings import CheckoutSettings
from services.checkout.stripe_api import Stripe
from services.webhooks import domain as webhooks
from shared import inbox, topology
from shared.db import Pool, open_pool
from shared.events import Event
from shared.stripe_client import open_account

Result = TypeVar("Result")

SECRET = "sk_test_standin"
SKUS = ("TIE", "SOCKS")
PIECES = 6
PRICES = {"TIE": 6500, "SOCKS": 1250}

CATALOGUE = [
    {
        "id": sku.lower(),
        "name": sku.title(),
        "category": "Small things",
        "description": "",
        "tax_class": "standard",
        "prices": {"usd": price},
        "variants": [
            {"sku": sku, "size": "M", "colour": "Navy", "on_hand": PIECES, "low_at": 1, "weight_grams": 0},
        ],
    }
    for sku, price in PRICES.items()
]

# What happens by itself happens only when the machine lets time pass, so that a run can be repeated exactly.
# Almost two of the machine's minutes: how long the machine itself takes in between makes no difference.
NEVER_BY_ITSELF = Config(capture_delay_s=115, refund_delay_s=119, dispute_delay_s=117)

TABLES = """
    orders order_lines order_timeline idempotency_keys payment_attempts payments payment_failures resyncs refunds
    refund_lines disputes ledger_transactions ledger_entries balance_poll stock stock_journal variants products prices
    inbox outbox
"""

# Each of these is a moment that something waits for; moved back, the moment has come.
MOMENTS = (
    "UPDATE checkout.payment_attempts SET lease_until = lease_until - $1::interval, created_at = created_at - $1",
    "UPDATE checkout.orders SET reserved_until = reserved_until - $1::interval, expiry_due_at = expiry_due_at - $1",
    "UPDATE checkout.resyncs SET due_at = due_at - $1::interval",
    "UPDATE checkout.balance_poll SET due_at = due_at - $1::interval",
)


def settings_of(database_url: str, role_prefix: str, stripe_url: str) -> CheckoutSettings:
    return CheckoutSettings(
        database_url=database_url,
        amqp_url="amqp://nobody.invalid",
        role_prefix=role_prefix,
        stripe_mode="test",
        stripe_secret_key=SECRET,
        stripe_publishable_key="pk_test_standin",
        stripe_url=stripe_url,
        order_token_keys="order-token-key",
        link_keys="mail-link-key",
        # No limits and no circuit breaker: they go by a clock that the machine does not hold.
        stripe_requests_per_s=1e6,
        stripe_requests_per_s_and_endpoint=1e6,
        stripe_circuit_failures=10**6,
        attempt_wait_s=1e-9,  # who repeats a request is told at once that the first is still running
        refund_rest_s=30,  # shorter than a minute, and than no run of a slow machine
    )


@dataclass
class World:
    """Between two calls of `run` everything stands still."""

    loop: asyncio.AbstractEventLoop
    till: Till
    owner: asyncpg.Connection
    http: aiohttp.ClientSession
    told: str | None = None  # the last of Stripe's events that we know of

    def run(self, work: Coroutine[Any, Any, Result]) -> Result:
        return self.loop.run_until_complete(work)

    async def reset(self) -> None:
        await self.control("POST", "reset")
        self.told = None
        await self.owner.execute(f"TRUNCATE {', '.join(f'checkout.{table}' for table in TABLES.split())} CASCADE")
        await import_catalogue(self.till.pool, CATALOGUE, "test")

    def on(self, pool: Pool) -> Till:
        return replace(self.till, pool=pool)

    # Stripe

    async def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        """None when Stripe's state does not allow it."""
        return await self._ask(method, f"_control/{path}", json=body)

    async def post(self, path: str, **form: str) -> Any:
        """As a browser or the Dashboard does; None when it was refused."""
        return await self._ask("POST", f"v1/{path}", data=form)

    async def all_of(self, path: str, **query: str) -> list[dict[str, Any]]:
        """A whole list, oldest first."""
        found: list[dict[str, Any]] = []
        while True:
            after = {"starting_after": found[-1]["id"]} if found else {}
            page = await self._ask("GET", f"v1/{path}", params={"limit": "100", **query, **after})
            found += page["data"]
            if not page["has_more"]:
                return found[::-1]

    async def intents(self) -> list[dict[str, Any]]:
        return list((await self.control("GET", "payment_intents"))["payment_intents"])

    async def news(self) -> list[Event]:
        """What Stripe has said since the last call, as webhooks passes it on."""
        said = await self.all_of("events", **({"ending_before": self.told} if self.told else {}))
        if said:
            self.told = said[-1]["id"]
        return [event for each in said if (event := webhooks.translate(each)) is not None]

    async def _ask(self, method: str, path: str, **options: Any) -> Any:
        url = f"{self.till.settings.stripe_url}/{path}"
        headers = {"Authorization": f"Bearer {SECRET}"}
        async with self.http.request(method, url, headers=headers, **options) as response:
            answer = await response.json()
            assert response.status < 500, answer
            return answer if response.status < 300 else None

    # checkout

    async def hear(self, event: Event) -> None:
        """As the bus hands it to each queue that is bound to it: claimed and handled in one transaction."""
        for queue, heard in topology.QUEUES.items():
            if queue.startswith("checkout.") and isinstance(heard, tuple) and type(event) in heard:
                async with self.till.pool.worker() as conn:
                    if await inbox.claim(conn, queue, event.id):
                        await getattr(consumers, queue.removeprefix("checkout."))(conn, event)

    async def let_pass(self, seconds: float) -> None:
        """For us by moving back what waits for a moment, for Stripe by its clock."""
        for statement in MOMENTS:
            await self.owner.execute(statement, timedelta(seconds=seconds))
        await self.control("POST", "clock/advance", {"seconds": seconds})

    async def order_ids(self) -> list[UUID]:
        return [row["id"] for row in await self.owner.fetch("SELECT id FROM checkout.orders ORDER BY placed_at")]


@contextlib.contextmanager
def a_world(database: Any) -> Iterator[World]:
    """On a migrated database, of tests/databases.py or deploy/demo/ground.py; with an event loop of its own."""
    loop = asyncio.new_event_loop()
    with pytest.MonkeyPatch.context() as patch:
        # So that a run can be repeated exactly: one after another, and nothing falls due while the machine thinks.
        patch.setattr(jobs, "BATCH", 1)
        patch.setattr(resync, "SETTLES_WITHIN_S", 60.0)
        opening = _opened(loop, database)
        yield loop.run_until_complete(opening.__aenter__())
        loop.run_until_complete(opening.__aexit__(None, None, None))
    loop.close()


@contextlib.asynccontextmanager
async def _opened(loop: asyncio.AbstractEventLoop, database: Any) -> AsyncIterator[World]:
    async with contextlib.AsyncExitStack() as stack:
        open_ = stack.enter_async_context
        server = await open_(TestServer(make_stripe(NEVER_BY_ITSELF)))
        settings = settings_of(database.url("checkout"), database.prefix, str(server.make_url("")).rstrip("/"))
        pool = await open_(open_pool(database.url("checkout"), "checkout", database.prefix, 4))
        # The package would repeat by itself what failed, after half a second: the machine's own next step does that.
        account = await open_(open_account(settings.access_with(SECRET, "test"), retries=0))
        http = await open_(aiohttp.ClientSession())
        owner = await asyncpg.connect(database.owner_url)
        stack.push_async_callback(owner.close)
        yield World(loop, Till(pool, Stripe(account), settings), owner, http)


JOBS: dict[str, Callable[[Till], Awaitable[int]]] = {
    "expiry": jobs.expire_unpaid,
    "resync": jobs.resync,
    "refunds": jobs.pursue_refunds,
    "balance": jobs.book_balance,
}
