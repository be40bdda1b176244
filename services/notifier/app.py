"""Wires the notifier: what is opened, in which order, and what runs. To learn what the service does, start here."""

from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

from aiohttp import web

from services.notifier import consumers, jobs
from services.notifier.actions import Post
from services.notifier.journal import open_journal
from services.notifier.settings import NotifierSettings
from services.notifier.smtp_api import Smtp
from services.notifier.templates import Writer
from shared import loop, metrics, outbox
from shared.bus import Bus, Options, open_bus
from shared.db import Pool, open_pool
from shared.openapi.about import ABOUT, About
from shared.web import make_app

SERVICE = "notifier"
ABOUT_NOTIFIER = About("notifier", "Writes to customers, once for each fact")
POOL = web.AppKey("POOL", Pool)
BUS = web.AppKey("BUS", Bus)

GIVE_UP_S = 1.0
MEASURE_S = 2.0
PURGE_S = 300.0


def make(settings: NotifierSettings) -> web.Application:
    """The service as an application that opens its resources when it starts; it has no routes of its own."""
    app = make_app(
        settings,
        routes=(),
        ready_checks={"database": lambda: _is_reachable(app), "broker": lambda: _is_connected(app)},
    )
    app[ABOUT] = ABOUT_NOTIFIER
    app.cleanup_ctx.append(partial(_running, settings))
    return app


async def _running(settings: NotifierSettings, app: web.Application) -> AsyncIterator[None]:
    """Opened from top to bottom, closed from bottom to top."""
    async with AsyncExitStack() as stack:
        open_ = stack.enter_async_context
        url, connections = settings.database_url.get_secret_value(), settings.database_connections
        app[POOL] = pool = await open_(open_pool(url, SERVICE, settings.role_prefix, connections))
        options = Options(SERVICE, settings.retry_steps_s, settings.prefetch, settings.drain_s)
        app[BUS] = bus = await open_(open_bus(settings.amqp_url.get_secret_value(), options))
        journal = stack.enter_context(open_journal(settings.journal, timedelta(days=settings.journal_days)))
        post = Post(pool, Smtp(settings), Writer(settings), journal, settings)
        terms = settings.terms()
        for consumer in (
            consumers.on_order_paid,
            consumers.on_order_payment_failed,
            consumers.on_order_shipped,
            consumers.on_order_refunded,
            consumers.on_order_refund_failed,
        ):
            await bus.consume(pool, consumer.__name__, partial(consumer, terms=terms))
        desk, stop = jobs.Desk(post), loop.Stop(settings.drain_s)
        stack.push_async_callback(desk.finish, stop)
        for name, job, rest_s in (
            ("send_due", desk.send_due, settings.rest_s),
            ("give_up_lost", partial(jobs.give_up_lost, post), GIVE_UP_S),
            ("relay", partial(outbox.relay, pool, bus), settings.rest_s),
            ("measure", partial(jobs.measure, pool), MEASURE_S),
            ("measure_loop_lag", metrics.measure_loop_lag, MEASURE_S),
            ("purge", partial(jobs.purge, post), PURGE_S),
            (
                "publish_snapshot",
                partial(metrics.publish_snapshot, bus, SERVICE, settings.instance),
                settings.metrics_interval_s,
            ),
        ):
            await open_(loop.running(name, job, rest_s, stop))
        yield


async def _is_reachable(app: web.Application) -> bool:
    return await app[POOL].is_reachable()


async def _is_connected(app: web.Application) -> bool:
    return app[BUS].is_connected
