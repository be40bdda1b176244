"""Runs an app until it is told to stop, and stops it without losing what runs.

On SIGTERM or SIGINT: `/readyz` turns 503 and streams are told to end (`DRAINING`), no connection is accepted
any more, what runs may finish within `drain_s`, then idle connections and the app's resources are closed. The jobs
beside the requests run until then, and have `drain_s` of their own.
"""

import asyncio
import gc
import logging
import signal
import sys
from collections.abc import Callable, Coroutine

from aiohttp import web

from shared import tasks, tracing
from shared.settings import ServiceSettings
from shared.web.keys import DRAINING, RUNNING
from shared.web.listening import Site
from shared.web.wire import Runner

log = logging.getLogger(__name__)

EXIT_FAILED = 1
# What still runs after `drain_s` is cancelled, and has this long to take it.
CANCEL_S = 1.0
# The app's jobs have `drain_s` to stop, together, and its connections this long on top of that to close.
CLOSE_S = 5.0


def run(app: web.Application, settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT. Leaves with an exit code other than 0 if starting or closing failed."""
    with asyncio.Runner(loop_factory=_loop_factory()) as loop:
        exit_code = loop.run(serve(app, settings))
    tracing.shutdown()
    if exit_code:
        sys.exit(exit_code)


async def serve(app: web.Application, settings: ServiceSettings) -> int:
    """The same on a loop that runs already; answers the exit code."""
    told_to_stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, told_to_stop.set)
    runner = Runner(app, shutdown_timeout=CANCEL_S)
    try:
        if await _unless(told_to_stop, _start(runner, settings)):
            await told_to_stop.wait()
            await _drain(runner, settings.drain_s)
    except Exception:
        log.exception("could not start")
        await _close(runner, settings.drain_s)
        return EXIT_FAILED
    return await _close(runner, settings.drain_s)


async def _start(runner: Runner, settings: ServiceSettings) -> None:
    await runner.setup()
    await Site(runner, settings.host, settings.port).start()
    _keep_for_good()
    log.info("listening", extra={"host": settings.host, "port": runner.addresses[0][1]})


def _keep_for_good() -> None:
    """Spare the garbage collector what is there after the start: a hundred thousand objects that stay anyhow.

    It would look through all of them about once a second under load, and everybody waits for 50 ms meanwhile:
    https://docs.python.org/3/library/gc.html#gc.freeze.
    """
    gc.collect()
    gc.freeze()


async def _unless(told_to_stop: asyncio.Event, starting: Coroutine[None, None, None]) -> bool:
    """Wait for the start, however long the database lets us wait; unless we are told to stop meanwhile."""
    start = asyncio.ensure_future(starting)
    stop = asyncio.ensure_future(told_to_stop.wait())
    await asyncio.wait({start, stop}, return_when=asyncio.FIRST_COMPLETED)
    stop.cancel()
    if start.done():
        start.result()
        return True
    await tasks.end(start)
    return False


async def _drain(runner: Runner, drain_s: float) -> None:
    running = runner.app[RUNNING]
    log.info("draining", extra={"running": running.count})
    runner.app[DRAINING].set()
    for site in runner.sites:
        await site.stop()
    try:
        async with asyncio.timeout(drain_s):
            await running.idle.wait()
    except TimeoutError:
        log.warning("cut short", extra={"running": running.count, "waited_s": drain_s})


async def _close(runner: Runner, drain_s: float) -> int:
    try:
        async with asyncio.timeout(drain_s + CLOSE_S):
            await runner.cleanup()
    except Exception:
        log.exception("could not close")
        return EXIT_FAILED
    log.info("stopped")
    return 0


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop
