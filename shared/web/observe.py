"""What is seen of each request: a span, metrics, and one access log line."""

import functools
import logging
import time

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler
from prometheus_client import Counter, Histogram

from shared import tracing
from shared.metrics import HTTP_REQUESTS, HTTP_SECONDS
from shared.web.address import is_in
from shared.web.keys import CLIENT_ADDRESS, SETTINGS

log = logging.getLogger("shared.web.access")

# Asked every few seconds by whoever keeps the process alive: metrics of them are enough.
QUIET_ROUTES = frozenset({"/healthz", "/readyz"})
NO_ROUTE = "(none)"
_METHODS = hdrs.METH_ALL
_LONGEST_PATH = 300


def route_of(request: web.Request) -> str:
    """The route's template, such as `/v1/orders/{id}`: there are few of them, unlike paths."""
    resource = request.match_info.route.resource
    return resource.canonical if resource is not None else NO_ROUTE


@web.middleware
async def trace(request: web.Request, handler: Handler) -> web.StreamResponse:
    """A server span. A traceparent is believed only from our own network.

    A stranger's would let him join our traces under ids of his choice, or decide what gets sampled.
    """
    route = route_of(request)
    if route in QUIET_ROUTES:
        return await handler(request)
    parent = request.headers.get("traceparent")
    if parent and not is_in(request[CLIENT_ADDRESS], request.app[SETTINGS].internal_networks):
        parent = None
    name = f"{_method(request)} {route}" if route != NO_ROUTE else _method(request)
    with tracing.span(name, kind="server", parent=parent) as span:
        response = await handler(request)
        if span.is_recording():
            span.set_attributes(_attributes(request, route, response.status))
        if response.status >= 500:
            span.set_attribute("error.type", str(response.status))
            span.set_status(tracing.StatusCode.ERROR)
        return response


@web.middleware
async def measure(request: web.Request, handler: Handler) -> web.StreamResponse:
    started = time.perf_counter()
    status, is_stream = 499, False  # what stays if the client leaves before there is an answer
    try:
        response = await handler(request)
        status, is_stream = response.status, not isinstance(response, web.Response)
        return response
    finally:
        _record(request, status, time.perf_counter() - started, is_stream)


def _attributes(request: web.Request, route: str, status: int) -> dict[str, str | int]:
    """By OpenTelemetry's conventions for HTTP; neither path nor address nor user agent, which tell of a person."""
    known = {"http.route": route} if route != NO_ROUTE else {}
    return {
        "http.request.method": _method(request),
        "url.scheme": request.scheme,
        "http.response.status_code": status,
        **known,
    }


def _record(request: web.Request, status: int, seconds: float, is_stream: bool) -> None:
    route, method = route_of(request), _method(request)
    requests, durations = _counted_as(route, method, f"{status // 100}xx")
    requests.inc()
    if not is_stream:
        durations.observe(seconds)
    facts = {
        "method": method,
        "route": route,
        "path": request.rel_url.path[:_LONGEST_PATH],  # decoded: the redactor sees what stands in it
        "status": status,
        "ms": round(seconds * 1000, 1),
        "client_address": request[CLIENT_ADDRESS],
    }
    log.log(logging.DEBUG if route in QUIET_ROUTES else logging.INFO, "request", extra=facts)


@functools.lru_cache(maxsize=1024)
def _counted_as(*labels: str) -> tuple[Counter, Histogram]:
    """To find a labelled metric takes the library longer than to count with it."""
    return HTTP_REQUESTS.labels(*labels), HTTP_SECONDS.labels(*labels)


def _method(request: web.Request) -> str:
    """A client may invent methods; a label must not."""
    return request.method if request.method in _METHODS else "_OTHER"
