"""A small service for the tests of starting and stopping: run with the scene as argument."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator

from aiohttp import web

from shared import logs
from shared.permissions import Permission, permit
from shared.settings import ServiceSettings
from shared.web import DRAINING, make_app, reply, run

RELEASED = web.AppKey("RELEASED", asyncio.Event)


@permit(Permission.PUBLIC)
async def slow(request: web.Request) -> web.Response:
    print("asked", flush=True)  # noqa: T201
    await request.app[RELEASED].wait()
    return reply({"finished": True})


@permit(Permission.PUBLIC)
async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"first")
    await request.app[DRAINING].wait()
    await response.write(b" last")
    await response.write_eof()
    return response


async def resources(app: web.Application) -> AsyncIterator[None]:
    print("opened", flush=True)  # noqa: T201
    yield
    print("closed", flush=True)  # noqa: T201


async def releasing(app: web.Application) -> AsyncIterator[None]:
    asyncio.get_running_loop().add_signal_handler(signal.SIGUSR1, app[RELEASED].set)
    yield


async def never_opens(app: web.Application) -> AsyncIterator[None]:
    print("waiting", flush=True)  # noqa: T201
    await asyncio.sleep(3600)
    yield


async def fails_to_open(app: web.Application) -> AsyncIterator[None]:
    raise RuntimeError("no such thing")
    yield


SCENES = {"usual": [resources, releasing], "never": [resources, never_opens], "fails": [resources, fails_to_open]}


def main(scene: str, drain_s: float) -> None:
    settings = ServiceSettings(database_url="x", amqp_url="x", port=0, drain_s=drain_s)  # type: ignore[arg-type]
    logs.configure("test", "INFO", settings.instance)
    app = make_app(settings, [web.get("/slow", slow), web.get("/stream", stream)])
    app[RELEASED] = asyncio.Event()
    app.cleanup_ctx.extend(SCENES[scene])
    run(app, settings)


if __name__ == "__main__":
    main(sys.argv[1], float(sys.argv[2]))
