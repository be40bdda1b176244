"""A real server over loopback for apps that tests put together."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import pytest
from aiohttp import ClientSession, web

from shared.settings import ServiceSettings
from shared.web.wire import Runner

Serve = Callable[[web.Application], Awaitable[ClientSession]]


def settings_with(**given: Any) -> ServiceSettings:
    return ServiceSettings(database_url="postgresql://unused", amqp_url="amqp://unused", port=0, **given)


@pytest.fixture
async def serve() -> AsyncIterator[Serve]:
    """Serves an app as `shared.web.run` does, and gives a client for it."""
    opened: list[tuple[Runner, ClientSession]] = []

    async def start(app: web.Application) -> ClientSession:
        runner = Runner(app, shutdown_timeout=1.0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        client = ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}")
        opened.append((runner, client))
        return client

    yield start
    for runner, client in opened:
        await client.close()
        await runner.cleanup()
