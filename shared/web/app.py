"""Puts an app together: middlewares in their order, health, and the routes of a service."""

import asyncio
from collections.abc import Iterable, Mapping

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from shared.metrics import HTTP_IN_PROGRESS
from shared.settings import ServiceSettings
from shared.web.address import identify
from shared.web.errors import errors
from shared.web.gate import gate
from shared.web.headers import preflight, put_headers
from shared.web.health import ReadyCheck, health_routes
from shared.web.keys import DRAINING, RUNNING, SETTINGS, Running
from shared.web.limits import expect_later, limit_body, limit_requests
from shared.web.observe import measure, trace

MOST_BODY_BYTES = 64 * 1024  # a basket with a hundred lines is a tenth of it


def make_app(
    settings: ServiceSettings,
    routes: Iterable[web.AbstractRouteDef],
    *,
    ready_checks: Mapping[str, ReadyCheck] | None = None,
    max_body_bytes: int = MOST_BODY_BYTES,
    guards: Iterable[Middleware] = (),
) -> web.Application:
    """An app in our house's manner; its resources are opened by what the service adds to `cleanup_ctx`.

    A service without HTTP of its own passes no routes, and has its health and its document all the same.
    """
    from shared.openapi.serving import openapi_routes  # it speaks of all of `shared.web`, which isn't whole before

    app = web.Application(middlewares=_middlewares(settings, guards), client_max_size=max_body_bytes)
    app[SETTINGS] = settings
    app[DRAINING] = asyncio.Event()
    app[RUNNING] = running = Running()
    HTTP_IN_PROGRESS.set_function(lambda: running.count)
    app.on_response_prepare.append(put_headers)
    app.add_routes(map(_expecting_later, (*health_routes(ready_checks or {}), *routes, *openapi_routes())))
    return app


def _expecting_later(route: web.AbstractRouteDef) -> web.AbstractRouteDef:
    if not isinstance(route, web.RouteDef):
        return route
    return web.RouteDef(route.method, route.path, route.handler, {**route.kwargs, "expect_handler": expect_later})


def _middlewares(settings: ServiceSettings, guards: Iterable[Middleware]) -> list[Middleware]:
    """From the outside in."""
    return [
        count_running,
        identify,  # everything below speaks of this id and this client
        trace,
        measure,  # sees the status that goes out, so it stands outside of `errors`
        errors,  # whatever is raised below becomes a problem document
        *guards,  # a service's own, before anything is read of a body
        # A browser's question is answered without the permission for what it asks about, and outside of the limit:
        # refused, it would hide from the page that there is a limit, and when to come again.
        preflight,
        limit_requests(settings.request_limit_per_minute),
        gate,
        limit_body,  # last: nobody's body is read before it is known that he may send one
    ]


@web.middleware
async def count_running(request: web.Request, handler: Handler) -> web.StreamResponse:
    with request.app[RUNNING]:
        return await handler(request)
