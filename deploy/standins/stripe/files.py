"""`/files/ips/ips_webhooks.json`: the addresses Stripe sends from, as it publishes them; and a way to change them."""

import orjson
from aiohttp import web

from deploy.standins.stripe.config import SENDERS


class Files:
    def __init__(self) -> None:
        self._body = orjson.dumps({"WEBHOOKS": SENDERS})

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/files/ips/ips_webhooks.json", self.senders)
        app.router.add_put("/_control/senders", self.replace)

    async def senders(self, _: web.Request) -> web.Response:
        return web.Response(body=self._body, content_type="application/json")

    async def replace(self, request: web.Request) -> web.Response:
        """The file says from now on what this request's body says, whether it makes sense or not."""
        self._body = await request.read()
        return web.Response(status=204)
