"""A stand-in on a free port, the official client pointed at it, and a receiver for its webhooks."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack
from dataclasses import dataclass
from typing import Any

import aiohttp
import pytest
import stripe
from aiohttp import web

from deploy.standins.stripe.app import make_app
from deploy.standins.stripe.config import Config
from tests.integration.standins.receiver import Receiver
from tests.integration.standins.schema_watch import SchemaWatch

KEY = "sk_test_standin"
PUBLISHABLE_KEY = "pk_test_standin"

stripe.enable_telemetry = False


@dataclass
class StandIn:
    url: str
    session: aiohttp.ClientSession
    client: stripe.StripeClient

    async def control(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        async with self.session.request(method, f"{self.url}/_control{path}", json=body) as response:
            assert response.status < 300, await response.text()
            return await response.json()

    async def post(self, path: str, form: dict[str, str], key: str = KEY, **headers: str) -> tuple[int, Any, Any]:
        headers = {"Authorization": f"Bearer {key}", **headers}
        async with self.session.post(f"{self.url}{path}", data=form, headers=headers) as response:
            return response.status, await response.json(), response.headers

    async def until(self, what: str, holds: Callable[[Any], bool]) -> Any:
        """Waits for what the control API answers, such as its state."""
        async with asyncio.timeout(30):
            while not holds(answer := await self.control("GET", what)):
                await asyncio.sleep(0.02)
        return answer

    async def delivered(self, attempts: int) -> list[dict[str, Any]]:
        """Waits until so many attempts to deliver have ended; the log of them."""
        log = await self.until("/deliveries", lambda answer: len(answer["deliveries"]) >= attempts)
        return list(log["deliveries"])

    async def struck(self) -> None:
        """Waits until a fault has hit a request: from then on it is under way."""
        await self.until("/faults", lambda answer: any(fault["hits"] for fault in answer["faults"]))

    async def get(self, path: str, key: str = KEY) -> tuple[int, Any]:
        headers = {"Authorization": f"Bearer {key}"}
        async with self.session.get(f"{self.url}{path}", headers=headers) as response:
            return response.status, await response.json()


Start = Callable[..., Awaitable[StandIn]]


async def serve(stack: AsyncExitStack, app: web.Application) -> str:
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    stack.push_async_callback(runner.cleanup)
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    return f"http://127.0.0.1:{runner.addresses[0][1]}"


@pytest.fixture
async def start() -> AsyncIterator[Start]:
    watch, apps = SchemaWatch(), list[web.Application]()
    async with AsyncExitStack() as stack:

        async def run(config: Config | None = None, retries: int = 0) -> StandIn:
            app = make_app(config or Config(capture_delay_s=0.05))
            app.middlewares.append(watch.middleware())
            apps.append(app)
            url = await serve(stack, app)
            session = await stack.enter_async_context(aiohttp.ClientSession())
            http = stripe.AIOHTTPClient(session=session, timeout=30)
            client = stripe.StripeClient(
                KEY, base_addresses={"api": url}, http_client=http, max_network_retries=retries
            )
            return StandIn(url, session, client)

        yield run
        for app in apps:
            watch.look(app)
    assert watch.problems == []


@pytest.fixture
async def stand_in(start: Start) -> StandIn:
    return await start()


@pytest.fixture
async def receiver() -> AsyncIterator[Receiver]:
    async with AsyncExitStack() as stack:
        receiver = Receiver()
        receiver.url = await serve(stack, receiver.app()) + "/webhooks"
        yield receiver
