"""The stand-in as one object: the webhook, its faults, the messages as JSON and as a page."""

import asyncio
import html
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from aiohttp import web

from deploy.standins.faults import Faults
from deploy.standins.pages import Pages
from deploy.standins.slack.messages import Messages, Refused, parse

KINDS = {
    "rate_limit": "429 with Retry-After: `seconds`; nothing is kept",
    "server_error": "500; nothing is kept",
    "gone": "404 no_service, as for a webhook that was revoked",
    "drop_before": "the link is dropped; nothing is kept",
    "drop_after": "the message is kept, then the link is dropped without a reply",
    "slow_reply": "the message is kept, the reply comes after `seconds`",
}

ANSWERS = {
    "rate_limit": (429, "rate_limited"),
    "server_error": (500, "internal_error"),
    "gone": (404, "no_service"),
}

#: A link as Slack writes it: <https://example.com|words>
LINK = re.compile(r"<(https?://[^|>\s]+)(?:\|([^>]+))?>")

WEBHOOK = "/services/{team}/{bot}/{token}"


class SlackStandIn:
    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.port = 0
        self.messages = Messages()
        self.faults = Faults(KINDS)
        self._pages = Pages(Path(__file__).parent / "templates")

    @property
    def url(self) -> str:
        return f"http://{self.host}:{self.port}"

    @property
    def webhook_url(self) -> str:
        return f"{self.url}/services/TSTANDIN/BSTANDIN/standin"

    def clear(self) -> None:
        self.messages.clear()
        self.faults.clear()

    @asynccontextmanager
    async def running(self, port: int = 0) -> AsyncIterator["SlackStandIn"]:
        """Listen; port 0 takes any that is free."""
        runner = web.AppRunner(self._app(), access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, self.host, port).start()
            self.port = runner.addresses[0][1]
            yield self
        finally:
            await runner.cleanup()

    def _app(self) -> web.Application:
        app = web.Application()
        self.faults.add_to(app)
        app.router.add_post(WEBHOOK, self._receive)
        app.router.add_get("/healthz", self._health)
        app.router.add_get("/api/messages", self._list)
        app.router.add_delete("/api/messages", self._clear)
        app.router.add_get("/", self._page)
        return app

    async def _receive(self, request: web.Request) -> web.Response:
        body = await request.read()
        if fault := self.faults.take(ANSWERS):
            status, word = ANSWERS[fault.kind]
            headers = {"Retry-After": f"{fault.seconds:.0f}"} if status == 429 else {}
            return web.Response(status=status, text=word, headers=headers)
        if self.faults.take(["drop_before"]):
            return _drop(request)
        try:
            payload = parse(body)
        except Refused as refused:
            return web.Response(status=400, text=str(refused))
        self.messages.take(request.path, payload)
        if self.faults.take(["drop_after"]):
            return _drop(request)
        if fault := self.faults.take(["slow_reply"]):
            await asyncio.sleep(fault.seconds)
        return web.Response(text="ok")

    async def _health(self, _request: web.Request) -> web.Response:
        return web.json_response({"status": "ok", "stand_in": True})

    async def _list(self, _request: web.Request) -> web.Response:
        found = [
            {
                "id": str(each.id),
                "received_at": each.received_at.isoformat(),
                "webhook": each.webhook,
                "text": each.text,
                "blocks": each.blocks,
                "lines": each.lines,
            }
            for each in self.messages.all()
        ]
        return web.json_response({"messages": found, "stand_in": True})

    async def _clear(self, _request: web.Request) -> web.Response:
        self.messages.clear()
        return web.Response(status=204)

    async def _page(self, _request: web.Request) -> web.Response:
        shown = [(each, [_pieces(line) for line in each.lines]) for each in self.messages.all()]
        return self._pages.render("messages.html", shown=shown)


def _drop(request: web.Request) -> web.Response:
    if request.transport is not None:
        request.transport.abort()
    return web.Response()  # nobody is left to read it


def _pieces(line: str) -> list[tuple[str, str]]:
    """A line as (words, link or nothing); the template escapes both."""
    pieces, position = [], 0
    for link in LINK.finditer(line):
        pieces.append((html.unescape(line[position : link.start()]), ""))
        pieces.append((html.unescape(link[2] or link[1]), html.unescape(link[1])))
        position = link.end()
    return [*pieces, (html.unescape(line[position:]), "")]
