"""The stand-in as one object: an SMTP port and an HTTP port, for tests in-process and for `__main__`."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from deploy.standins.faults import Faults
from deploy.standins.smtp.mailbox import Mailbox
from deploy.standins.smtp.routes import MailRoutes
from deploy.standins.smtp.server import KINDS, Handler, StandInServer


class SmtpStandIn:
    def __init__(self, host: str = "127.0.0.1") -> None:
        self.host = host
        self.mailbox = Mailbox()
        self.faults = Faults(KINDS)
        self.smtp_port = 0
        self.http_port = 0
        self._open_links: set[asyncio.BaseTransport] = set()

    @property
    def http_url(self) -> str:
        return f"http://{self.host}:{self.http_port}"

    def clear(self) -> None:
        self.mailbox.clear()
        self.faults.clear()

    @asynccontextmanager
    async def running(self, smtp_port: int = 0, http_port: int = 0) -> AsyncIterator["SmtpStandIn"]:
        """Listen on both ports; 0 takes any that is free."""
        runner = web.AppRunner(self._app(), access_log=None)
        await runner.setup()
        try:
            site = web.TCPSite(runner, self.host, http_port)
            await site.start()
            self.http_port = runner.addresses[0][1]
            async with self._smtp(smtp_port):
                yield self
        finally:
            await runner.cleanup()

    @asynccontextmanager
    async def _smtp(self, port: int) -> AsyncIterator[None]:
        loop = asyncio.get_running_loop()
        handler = Handler(self.mailbox, self.faults)
        server = await loop.create_server(
            lambda: StandInServer(handler, self.faults, self._open_links), self.host, port
        )
        self.smtp_port = server.sockets[0].getsockname()[1]
        try:
            yield
        finally:
            server.close()
            for link in list(self._open_links):
                link.close()
            await server.wait_closed()

    def _app(self) -> web.Application:
        app = web.Application()
        self.faults.add_to(app)
        MailRoutes(self.mailbox).add_to(app)
        return app
