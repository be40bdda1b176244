"""Wiring: what the service opens, in which order, and what runs in it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

from aiohttp import web

from services.webhooks import jobs
from services.webhooks.actions import SERVICE, backfill, resync, watching
from services.webhooks.actions.backfill import Backfill
from services.webhooks.actions.reading import Reader
from services.webhooks.actions.watching import Checking, Listening
from services.webhooks.handlers import POOL, RECEIVED, ROUTES, WEBHOOKS
from services.webhooks.settings import WebhooksSettings
from services.webhooks.stripe_api import open_stripe
from shared import leader, metrics, outbox
from shared.bus import Bus, Options, open_bus
from shared.db import Pool, open_pool
from shared.loop import running
from shared.web import make_app

BUS = web.AppKey("BUS", Bus)

# `publish_received` waits by itself, for a request or for `rest_s`; the loop need not pause on top of that.
AT_ONCE_S = 0.001
MEASURE_S = 2.0
PURGE_S = 300.0
RESYNC_S = 1.0
CHECK_S = 5.0

log = logging.getLogger(__name__)


def make(settings: WebhooksSettings) -> web.Application:
    """The app; nothing is opened before it starts."""

    async def database() -> bool:
        return await app[POOL].is_reachable()

    async def broker() -> bool:
        return app[BUS].is_connected

    app = make_app(
        settings,
        ROUTES,
        ready_checks={"database": database, "broker": broker},
        max_body_bytes=settings.body_limit_bytes,
    )
    app[WEBHOOKS] = settings
    app[RECEIVED] = asyncio.Event()
    app.cleanup_ctx.append(_resources)
    return app


async def _resources(app: web.Application) -> AsyncIterator[None]:
    """Opened from top to bottom, closed from bottom to top."""
    settings = app[WEBHOOKS]
    async with AsyncExitStack() as stack:
        open_ = stack.enter_async_context
        app[POOL] = pool = await open_(
            open_pool(
                settings.database_url.get_secret_value(),
                service=SERVICE,
                role_prefix=settings.role_prefix,
                connections=settings.database_connections,
            )
        )
        app[BUS] = bus = await open_(open_bus(settings.amqp_url.get_secret_value(), _bus_options(settings)))
        await _start_jobs(stack, settings, pool, bus)
        await _start_asking(stack, settings, pool, bus)
        publish = partial(jobs.publish_received, pool, bus, app[RECEIVED], settings.rest_s)
        await open_(running("publish_received", publish, AT_ONCE_S, settings.drain_s))
        yield


async def _start_jobs(stack: AsyncExitStack, settings: WebhooksSettings, pool: Pool, bus: Bus) -> None:
    started = (
        ("relay", partial(outbox.relay, pool, bus), settings.rest_s),
        ("purge_outbox", partial(jobs.purge_outbox, pool, settings.keep_outbox_days), PURGE_S),
        ("measure_outbox", partial(outbox.measure, pool), MEASURE_S),
        ("measure_backlog", partial(jobs.measure_backlog, pool), MEASURE_S),
        ("measure_loop_lag", metrics.measure_loop_lag, MEASURE_S),
        (
            "publish_snapshot",
            partial(metrics.publish_snapshot, bus, SERVICE, settings.instance),
            settings.metrics_interval_s,
        ),
    )
    for name, job, rest_s in started:
        await stack.enter_async_context(running(name, job, rest_s, settings.drain_s))


async def _start_asking(stack: AsyncExitStack, settings: WebhooksSettings, pool: Pool, bus: Bus) -> None:
    """What we ask Stripe by ourselves, not waiting for it to deliver. One process leads backfill and watch."""
    url = settings.database_url.get_secret_value()
    standing = leader.standing(url, service=SERVICE, role_prefix=settings.role_prefix, task="backfill")
    candidate = await stack.enter_async_context(standing)
    listening = Listening(timedelta(weeks=settings.silence_weeks), settings.floor())
    started = [
        ("listen_for_silence", partial(watching.listen, pool, candidate, listening), settings.silence_check_s),
        ("measure_asking", partial(jobs.measure_asking, pool, settings.stripe_reads_per_day), MEASURE_S),
    ]
    access = settings.access()
    jobs.CAN_ASK.set(access is not None)
    if access is None:
        log.warning("no backfill, no resyncs, no check of the endpoint: WEBHOOKS_STRIPE_SECRET_KEY is not set")
    else:
        stripe = await stack.enter_async_context(open_stripe(access))
        reader = Reader(pool, stripe, settings.livemode, settings.stripe_reads_per_day)
        search = Backfill(reader, candidate, bus, settings.pace(), timedelta(seconds=settings.outage_after_s))
        started.append(("backfill", partial(backfill.sweep, search), settings.backfill_step_s))
        started.append(("resync", partial(resync.resync_due, reader), min(RESYNC_S, settings.backfill_step_s)))
        if settings.endpoint_url:
            checking = Checking(settings.endpoint_url, settings.endpoint_check_s)
            check_s = min(CHECK_S, settings.endpoint_check_s)
            started.append(("check_endpoint", partial(watching.check, reader, candidate, checking), check_s))
    for name, job, rest_s in started:
        await stack.enter_async_context(running(name, job, rest_s, settings.drain_s))


def _bus_options(settings: WebhooksSettings) -> Options:
    return Options(
        service=SERVICE,
        retry_steps_s=settings.retry_steps_s,
        prefetch=settings.prefetch,
        drain_s=settings.drain_s,
    )
