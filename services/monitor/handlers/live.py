"""The page's live stream (server-sent events): the status is read once a second for all who watch, if anybody does."""

import asyncio
import contextlib
from collections.abc import Iterator

import orjson
from aiohttp import web

from services.monitor import actions
from services.monitor.actions import Desk
from services.monitor.pages import Pages
from shared.errors import Unavailable
from shared.openapi import Content, describe
from shared.permissions import Permission, permit
from shared.web import DRAINING

# A client that takes nothing for this long is gone or stuck; its place is for somebody else.
SLOW_CLIENT_S = 5.0
LOOK_S = 1.0


class TooManyWatch(Unavailable):
    code = "too_many_watch"
    title = "All places for live watching are taken; the page works without, by reloading"


class Live:
    """What all watchers are sent."""

    def __init__(self, desk: Desk, pages: Pages) -> None:
        self._desk = desk
        self._pages = pages
        self._watchers = 0
        self._message = b""
        self._changed = asyncio.Event()

    @property
    def watchers(self) -> int:
        return self._watchers

    @contextlib.contextmanager
    def place(self) -> Iterator[None]:
        if self._watchers >= self._desk.settings.live_clients:
            raise TooManyWatch(retry_after_s=10)
        self._watchers += 1
        try:
            yield
        finally:
            self._watchers -= 1

    async def refresh(self) -> int:
        """Job: reads the status for those who watch."""
        if self._watchers:
            status = await actions.read_status(self._desk)
            document = {"at": status.at, "sections": self._pages.sections(status)}
            self._message = b"event: status\ndata: " + orjson.dumps(document) + b"\n\n"
            self._changed.set()
            self._changed = asyncio.Event()
        return 0

    async def next(self, draining: asyncio.Event) -> bytes:
        """The next message; a comment that keeps the connection alive if there is none soon, or we are draining."""
        changed = self._changed
        waiting = {asyncio.ensure_future(changed.wait()), asyncio.ensure_future(draining.wait())}
        try:
            await asyncio.wait(waiting, timeout=2 * LOOK_S, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for each in waiting:
                each.cancel()
        return self._message if changed.is_set() else b": still here\n\n"


@permit(Permission.INTERNAL)
@describe({200: Content("text/event-stream")}, problems=(TooManyWatch,))
async def live(request: web.Request) -> web.StreamResponse:
    """The page's parts as they change, as server-sent events.

    Streams until the client leaves or the process drains; the browser then comes back by itself.
    """
    hub, draining = request.app[LIVE], request.app[DRAINING]
    with hub.place():
        response = web.StreamResponse(
            headers={"Content-Type": "text/event-stream; charset=utf-8", "X-Accel-Buffering": "no"}
        )
        await response.prepare(request)
        await response.write(b"retry: 2000\n\n")
        with contextlib.suppress(ConnectionError, TimeoutError):
            while not draining.is_set():
                message = await hub.next(draining)
                async with asyncio.timeout(SLOW_CLIENT_S):
                    await response.write(message)
    return response


LIVE = web.AppKey("LIVE", Live)
