"""Calls to others over HTTP: an aiohttp session with timeouts, spans, metrics; no redirects, no cookies."""

import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AbstractContextManager, asynccontextmanager
from dataclasses import dataclass
from types import SimpleNamespace

import aiohttp
from aiohttp import ClientSession, TraceConfig

from shared import metrics, tracing

LONGEST_CONNECT_S = 5.0
DENIED = frozenset({401, 403})


class RedirectRefused(aiohttp.ClientError):
    """The answer sends us elsewhere. No API we call does that; to follow could hand a secret over."""


@asynccontextmanager
async def session(
    timeout_s: float,
    *,
    peer: str,
    is_ours: bool = False,
    headers: Mapping[str, str] | None = None,
    connections: int = 100,
) -> AsyncIterator[ClientSession]:
    """A session for calls to `peer`, a name for metrics and spans.

    `timeout_s` bounds a whole call, body included. `is_ours` sends our trace context along.
    """
    async with ClientSession(
        timeout=aiohttp.ClientTimeout(total=timeout_s, connect=min(timeout_s, LONGEST_CONNECT_S)),
        connector=aiohttp.TCPConnector(limit=connections),
        cookie_jar=aiohttp.DummyCookieJar(),
        headers=headers,
        trace_configs=[_Watch(peer, is_ours).trace_config()],
    ) as opened:
        yield opened


@dataclass
class _Call:
    """What is open while a call runs."""

    span: tracing.Span
    block: AbstractContextManager[tracing.Span]
    started: float


class _Watch:
    """A span and two metrics around each call to one peer."""

    def __init__(self, peer: str, is_ours: bool) -> None:
        self._peer = peer
        self._is_ours = is_ours

    def trace_config(self) -> TraceConfig:
        config = TraceConfig()
        config.on_request_start.append(self._start)
        config.on_request_end.append(self._end)
        config.on_request_exception.append(self._fail)
        config.on_request_redirect.append(self._refuse_redirect)
        return config

    async def _start(self, _: ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestStartParams) -> None:
        # No url.full: addresses carry secrets in path and query (Slack's do).
        block = tracing.span(f"{params.method} {self._peer}", kind="client")
        opened = block.__enter__()
        opened.set_attributes(
            {
                "http.request.method": params.method,
                "server.address": params.url.host or "",
                "server.port": params.url.port or 0,
                "service.peer.name": self._peer,
            }
        )
        context.call = _Call(opened, block, time.perf_counter())
        traceparent = tracing.current_traceparent()
        if self._is_ours and traceparent:
            params.headers["traceparent"] = traceparent

    async def _end(self, _: ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestEndParams) -> None:
        status = params.response.status
        context.call.span.set_attribute("http.response.status_code", status)
        if status >= 400:
            context.call.span.set_attribute("error.type", str(status))
        # That our key is not taken is about us, and not about what was asked.
        outcome = "denied" if status in DENIED else f"{status // 100}xx"
        self._close(context.call, params.method, outcome, None)

    async def _fail(
        self, _: ClientSession, context: SimpleNamespace, params: aiohttp.TraceRequestExceptionParams
    ) -> None:
        if hasattr(context, "call"):
            self._close(context.call, params.method, _outcome(params.exception), params.exception)

    async def _refuse_redirect(
        self, _: ClientSession, __: SimpleNamespace, params: aiohttp.TraceRequestRedirectParams
    ) -> None:
        raise RedirectRefused(f"{self._peer} answered with a redirect ({params.response.status})")

    def _close(self, call: _Call, method: str, outcome: str, error: BaseException | None) -> None:
        metrics.HTTP_CLIENT_REQUESTS.labels(self._peer, method, outcome).inc()
        metrics.HTTP_CLIENT_SECONDS.labels(self._peer, method).observe(time.perf_counter() - call.started)
        if error is not None:
            call.span.set_attribute("error.type", type(error).__qualname__)
            call.span.set_status(tracing.StatusCode.ERROR)
        call.block.__exit__(None, None, None)


def _outcome(error: BaseException) -> str:
    """The few ways a call can fail without an answer: they decide whether it may have had an effect."""
    if isinstance(error, RedirectRefused):
        return "redirect"
    if isinstance(error, aiohttp.ClientConnectorError | aiohttp.ConnectionTimeoutError):
        return "not_connected"
    if isinstance(error, TimeoutError):
        return "timeout"
    return "broken" if isinstance(error, aiohttp.ClientError) else "stopped"
