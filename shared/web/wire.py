"""The lowest layer: connections, and answers to what isn't HTTP at all, which no middleware ever sees."""

import asyncio
import logging
from collections.abc import Callable

from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestHandler

from shared.errors import BadRequest
from shared.ids import uuid7
from shared.web.address import peer_address
from shared.web.errors import problem_response
from shared.web.headers import SECURITY
from shared.web.keys import SETTINGS, UNREADABLE
from shared.web.limits import ExpectationFailed

log = logging.getLogger(__name__)

# A client that was refused while it still sends is listened to for this long, or it wouldn't see the refusal.
LINGER_S = 3.0
# A connection without a whole request for this long is closed: aiohttp itself would keep it open for ever.
FIRST_REQUEST_S = 15.0
KEEPALIVE_S = 75.0  # longer than a load balancer's, so that it is the one who closes

# A request line or a header of more characters, or more headers, are nobody's who means well: refused while they come.
MOST_LINE, MOST_FIELD, MOST_HEADERS = 8190, 8190, 64

# Told of each request that could not be read, with the address of whoever sent it, as far as that is known.
Notice = Callable[[str], None]


class Connection(RequestHandler):
    """One client's connection."""

    __slots__ = ("_patience",)

    @property
    def _server(self) -> "Server":
        assert isinstance(self._manager, Server)  # while the connection is open
        return self._manager

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(transport)
        self._patience = self._loop.call_later(FIRST_REQUEST_S, self._hang_up_on_silence)

    def connection_lost(self, exc: BaseException | None) -> None:
        self._patience.cancel()
        super().connection_lost(exc)

    def _hang_up_on_silence(self) -> None:
        if self._request_count == 0:
            self.force_close()

    def handle_error(
        self,
        request: web.BaseRequest,
        status: int = 500,
        exc: BaseException | None = None,
        message: str | None = None,
    ) -> web.StreamResponse:
        if isinstance(exc, ConnectionError) or request.writer.output_size > 0:
            # The client left; or half an answer is out, and `errors` logged why. All that is left is to hang up.
            raise ConnectionResetError("answer cut short") from exc
        if status != 400:
            return super().handle_error(request, status, exc, message)
        if self._manager is None:  # the client sent it and left at once
            raise ConnectionResetError("the client left") from exc
        address, request_id = self._server.address_of(request), str(uuid7())
        facts = {"client_address": address, "request_id": request_id, "reason": type(exc).__name__}
        log.info("request unreadable", extra=facts)
        self._server.notice(address)
        response = problem_response(BadRequest(), request_id)
        # Left unset, aiohttp would put its name and version into Server.
        response.headers.update({**SECURITY, hdrs.SERVER: ""})
        response.force_close()
        return response


class Server(web.Server):
    """Makes such connections."""

    def __init__(self, made: web.Server, app: web.Application) -> None:
        super().__init__(self._answer, request_factory=made.request_factory)
        self._handle = made.request_handler
        self._trust = app[SETTINGS].trust
        self.notice: Notice = app.get(UNREADABLE, _take_no_notice)

    async def _answer(self, request: web.BaseRequest) -> web.StreamResponse:
        """As the app does. One refusal of aiohttp's comes before any middleware: an odd `Expect` on an unknown path.

        An `Expect` that isn't even ASCII it can't put into that refusal's text.
        """
        try:
            return await self._handle(request)
        except (web.HTTPExpectationFailed, UnicodeEncodeError):
            return problem_response(ExpectationFailed(), str(uuid7()))

    def address_of(self, request: web.BaseRequest) -> str:
        """No header of it can be read, so only the peer is known; which may be a proxy of ours, and then nobody."""
        return peer_address(request.remote, self._trust)

    def __call__(self) -> RequestHandler:
        return Connection(
            self,
            loop=self._loop,
            access_log=None,  # type: ignore[arg-type]  # takes None for none; `observe` writes ours
            keepalive_timeout=KEEPALIVE_S,
            lingering_time=LINGER_S,
            auto_decompress=False,  # bodies are taken as they are: a few bytes can't become gigabytes
            max_line_size=MOST_LINE,
            max_field_size=MOST_FIELD,
            max_headers=MOST_HEADERS,
        )


class Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        return Server(await super()._make_server(), self.app)


def _take_no_notice(_: str) -> None:
    pass
