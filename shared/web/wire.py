"""The lowest layer: connections, and answers to what isn't HTTP at all, which no middleware ever sees."""

import asyncio
import logging

import orjson
from aiohttp import hdrs, web
from aiohttp.web_protocol import RequestHandler

from shared.errors import PROBLEM_JSON, BadRequest, problem
from shared.ids import uuid7
from shared.web.headers import SECURITY

log = logging.getLogger(__name__)

# A client that was refused while it still sends is listened to for this long, or it wouldn't see the refusal.
LINGER_S = 3.0
# A connection without a whole request for this long is closed: aiohttp itself would keep it open for ever.
FIRST_REQUEST_S = 15.0
KEEPALIVE_S = 75.0  # longer than a load balancer's, so that it is the one who closes


class Connection(RequestHandler):
    """One client's connection."""

    __slots__ = ("_patience",)

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
        log.info("request unreadable", extra={"client_address": request.remote, "reason": type(exc).__name__})
        body = orjson.dumps(problem(BadRequest(), str(uuid7())))
        # Left unset, aiohttp would put its name and version into Server.
        headers = {**SECURITY, hdrs.SERVER: ""}
        response = web.Response(status=400, body=body, content_type=PROBLEM_JSON, headers=headers)
        response.force_close()
        return response


class Server(web.Server):
    """Makes such connections."""

    def __call__(self) -> RequestHandler:
        return Connection(
            self,
            loop=self._loop,
            access_log=None,  # type: ignore[arg-type]  # takes None for none; `observe` writes ours
            keepalive_timeout=KEEPALIVE_S,
            lingering_time=LINGER_S,
            auto_decompress=False,  # bodies are taken as they are: a few bytes can't become gigabytes
        )


class Runner(web.AppRunner):
    async def _make_server(self) -> web.Server:
        made = await super()._make_server()
        return Server(made.request_handler, request_factory=made.request_factory)
