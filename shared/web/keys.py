"""What an app and a request carry, under typed keys."""

import asyncio
from collections.abc import Callable

from aiohttp import web

from shared.settings import ServiceSettings

SETTINGS = web.AppKey("SETTINGS", ServiceSettings)
# Set when the process was asked to stop. Whoever holds a stream open waits for it and ends the stream.
DRAINING = web.AppKey("DRAINING", asyncio.Event)
# Called with the sender's address for what could not even be read as HTTP, by an app that wants to know.
UNREADABLE: web.AppKey[Callable[[str], None]] = web.AppKey("UNREADABLE")


class Running:
    """Requests that are being answered; `idle` is set while there are none."""

    def __init__(self) -> None:
        self.count = 0
        self.idle = asyncio.Event()
        self.idle.set()

    def __enter__(self) -> None:
        self.count += 1
        self.idle.clear()

    def __exit__(self, *_: object) -> None:
        self.count -= 1
        if self.count == 0:
            self.idle.set()


RUNNING = web.AppKey("RUNNING", Running)

REQUEST_ID = web.RequestKey("REQUEST_ID", str)
CLIENT_ADDRESS = web.RequestKey("CLIENT_ADDRESS", str)
