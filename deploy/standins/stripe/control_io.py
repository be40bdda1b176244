"""How the control API reads and answers: JSON in and out, refusals as 400, 404 or 409."""

import json
from collections.abc import Awaitable, Callable
from typing import Any

import orjson
from aiohttp import web

from deploy.standins.stripe.errors import Refusal

Body = dict[str, Any]
Order = Callable[[web.Request, Body], Awaitable[object]]
Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


async def body_of(request: web.Request) -> Body:
    text = await request.text()
    body = json.loads(text) if text else {}
    if not isinstance(body, dict):
        raise ValueError("the body is a JSON object")
    return body


def reply(body: object, status: int = 200) -> web.Response:
    return web.Response(status=status, body=orjson.dumps(body), content_type="application/json")


def ordered(order: Order) -> Handler:
    """A handler of the order: what it returns is the answer."""

    async def handler(request: web.Request) -> web.StreamResponse:
        try:
            return reply(await order(request, await body_of(request)))
        except Refusal as refusal:
            return reply({"error": str(refusal)}, 404 if refusal.status == 404 else 409)
        except (KeyError, TypeError, ValueError) as error:
            return reply({"error": f"{type(error).__name__}: {error}"}, 400)

    return handler


def one_of(body: Body, name: str, *choices: str) -> str:
    if body.get(name) not in choices:
        raise ValueError(f"{name} is one of {', '.join(choices)}")
    return str(body[name])


def only(body: Body, *names: str) -> None:
    unknown = sorted(body.keys() - set(names))
    if unknown:
        raise ValueError(f"unknown: {', '.join(unknown)}")
