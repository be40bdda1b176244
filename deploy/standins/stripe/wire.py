"""How an answer leaves: whole, cut in the middle, or not at all; always marked as a stand-in's."""

from aiohttp import web
from aiohttp.typedefs import Handler

from deploy.standins.stripe.config import API_VERSION
from deploy.standins.stripe.idempotency import Answer

STAND_IN = {"Stand-In": "1"}

# Stripe lets any site's browser code call it with a publishable key.
CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Methods": "GET, POST, DELETE, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key, Stripe-Version",
    "Access-Control-Expose-Headers": "Request-Id, Stripe-Version, Stand-In, Idempotent-Replayed",
    "Access-Control-Max-Age": "300",
}


def headers_of(request: web.Request, answer: Answer) -> dict[str, str]:
    return {
        "Content-Type": "application/json",
        "Request-Id": answer.request_id,
        "Stripe-Version": request.headers.get("Stripe-Version", API_VERSION),
        "Cache-Control": "no-cache, no-store",
        **CORS,
        **answer.headers,
    }


def send(request: web.Request, answer: Answer) -> web.StreamResponse:
    return web.Response(status=answer.status, body=answer.body, headers=headers_of(request, answer))


async def cut(request: web.Request, answer: Answer) -> web.StreamResponse:
    """Promises the whole body, sends half of it and hangs up."""
    headers = {**headers_of(request, answer), "Content-Length": str(len(answer.body))}
    response = web.StreamResponse(status=answer.status, headers=headers)
    await response.prepare(request)
    await response.write(answer.body[: len(answer.body) // 2])
    if request.transport is not None:
        request.transport.close()
    return response


def drop(request: web.Request) -> web.StreamResponse:
    if request.transport is not None:
        request.transport.abort()
    return web.Response(status=499)  # goes nowhere: the connection is gone


@web.middleware
async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
    if request.method == "OPTIONS" and request.path.startswith("/v1/"):
        return web.Response(status=204, headers=CORS)
    return await handler(request)


async def mark(_request: web.Request, response: web.StreamResponse) -> None:
    response.headers.update(STAND_IN)
