"""Headers on every answer, streams and refusals included: security, request id, CORS for known shops."""

from collections.abc import Iterable

from aiohttp import hdrs, web
from aiohttp.typedefs import Handler

from shared.web.keys import DRAINING, REQUEST_ID, SETTINGS

# A page that needs more sets its own value of the header; what is set stays.
SECURITY = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
ALLOWED_HEADERS = "Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
EXPOSED_HEADERS = "X-Request-Id, Retry-After, Idempotent-Replayed"
PREFLIGHT_MAX_AGE_S = "600"


async def put_headers(request: web.Request, response: web.StreamResponse) -> None:
    """Runs for every answer just before its headers go out (`on_response_prepare`)."""
    for name, value in SECURITY.items():
        response.headers.setdefault(name, value)
    if request_id := request.get(REQUEST_ID):
        response.headers["X-Request-Id"] = request_id
    response.headers.pop(hdrs.SERVER, None)  # which software answers is nobody's business
    _allow_origin(request, response)
    if request.app[DRAINING].is_set():
        response.headers[hdrs.CONNECTION] = "close"
        response.force_close()


@web.middleware
async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Answer a browser that asks whether it may ask. `put_headers` judges the origin, as for all answers."""
    wanted = request.headers.get(hdrs.ACCESS_CONTROL_REQUEST_METHOD)
    refusal = request.match_info.http_exception
    is_preflight = request.method == hdrs.METH_OPTIONS and wanted is not None
    if not is_preflight or not isinstance(refusal, web.HTTPMethodNotAllowed):
        return await handler(request)
    response = web.Response(status=204)
    if _origin(request):
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_METHODS] = _methods(refusal.allowed_methods)
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_HEADERS] = ALLOWED_HEADERS
        response.headers[hdrs.ACCESS_CONTROL_MAX_AGE] = PREFLIGHT_MAX_AGE_S
    return response


def _allow_origin(request: web.Request, response: web.StreamResponse) -> None:
    if not request.app[SETTINGS].cors_origins:
        return
    response.headers.add(hdrs.VARY, hdrs.ORIGIN)
    if origin := _origin(request):
        response.headers[hdrs.ACCESS_CONTROL_ALLOW_ORIGIN] = origin
        response.headers[hdrs.ACCESS_CONTROL_EXPOSE_HEADERS] = EXPOSED_HEADERS
        # The shop lives on another origin, and was just allowed to read this.
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"


def _origin(request: web.Request) -> str | None:
    """The request's origin, if it is exactly one of those we know."""
    origin = request.headers.get(hdrs.ORIGIN)
    return origin if origin is not None and origin in request.app[SETTINGS].cors_origins else None


def _methods(allowed: Iterable[str]) -> str:
    return ", ".join(sorted(allowed))
