"""Takes webhooks and keeps what came."""

import asyncio
import json
from dataclasses import dataclass, field
from typing import Any

from aiohttp import web


@dataclass
class Received:
    body: bytes
    signature: str
    user_agent: str

    @property
    def event(self) -> dict[str, Any]:
        return dict(json.loads(self.body))


@dataclass
class Receiver:
    url: str = ""
    status: int = 200
    failures: int = 0  # the first so many are answered 503
    got: list[Received] = field(default_factory=list)

    def app(self) -> web.Application:
        app = web.Application()
        app.router.add_post("/webhooks", self._take)
        return app

    async def _take(self, request: web.Request) -> web.Response:
        self.got.append(
            Received(await request.read(), request.headers["Stripe-Signature"], request.headers["User-Agent"])
        )
        if self.failures > 0:
            self.failures -= 1
            return web.Response(status=503)
        return web.Response(status=self.status)

    def types(self) -> list[str]:
        return [received.event["type"] for received in self.got]

    async def wait_for(self, count: int, deadline_s: float = 30.0) -> None:
        async with asyncio.timeout(deadline_s):
            while len(self.got) < count:
                await asyncio.sleep(0.01)
