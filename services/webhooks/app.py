"""Wiring: what the service opens, in which order, and what runs in it."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

from aiohttp import web

from services.webhooks import jobs
from services.webhooks.actions import SERVICE, group_commit, retention
from services.webhooks.actions.group_commit import GroupCommit, Limits
from services.webhooks.actions.keyring import Keyring
from services.webhooks.handlers import ENTRY_LIMIT, KEYRING, PAGES, POOL, RECEIVED, ROUTES, STORE, WEBHOOKS
from services.webhooks.pages import Pages
from services.webhooks.settings import WebhooksSettings
from shared import metrics, outbox
from shared.bus import Bus, Options, open_bus
from shared.db import Pool, open_pool, open_session
from shared.loop import running
from shared.web import make_app
from shared.web.limits import AddressLimit
from shared.web.staff import ENTRANCE, STAFF_POOL

BUS = web.AppKey("BUS", Bus)

# `publish_received` waits by itself, for a request or for `rest_s`; the loop need not pause on top of that.
AT_ONCE_S = 0.001
MEASURE_S = 2.0
PURGE_S = 300.0
KEEP_HOUSE_S = 900.0
# Tries to sign in, per client address.
ENTRIES_PER_MINUTE = 10


def make(settings: WebhooksSettings) -> web.Application:
    """The app; nothing is opened before it starts."""

    async def database() -> bool:
        return await app[POOL].is_reachable()

    async def broker() -> bool:
        return app[BUS].is_connected

    async def signing_secret() -> bool:
        return app[KEYRING].has_usable

    app = make_app(
        settings,
        ROUTES,
        ready_checks={"database": database, "broker": broker, "usable_signing_secret": signing_secret},
        max_body_bytes=settings.body_limit_bytes,
    )
    app[WEBHOOKS] = settings
    app[KEYRING] = Keyring(settings.stripe_secrets, settings.stripe_secrets_file)
    app[RECEIVED] = asyncio.Event()
    app[PAGES], app[ENTRANCE] = Pages(), "/staff/enter"
    app[ENTRY_LIMIT] = AddressLimit(ENTRIES_PER_MINUTE)
    app.cleanup_ctx.append(_resources)
    return app


async def _resources(app: web.Application) -> AsyncIterator[None]:
    """Opened from top to bottom, closed from bottom to top."""
    settings = app[WEBHOOKS]
    async with AsyncExitStack() as stack:
        open_ = stack.enter_async_context
        app[POOL] = app[STAFF_POOL] = pool = await open_(
            open_pool(
                settings.database_url.get_secret_value(),
                service=SERVICE,
                role_prefix=settings.role_prefix,
                connections=settings.database_connections,
            )
        )
        app[BUS] = bus = await open_(open_bus(settings.amqp_url.get_secret_value(), _bus_options(settings)))
        await _start_jobs(stack, settings, pool, bus)
        await _start_keyring_jobs(stack, settings, pool, app[KEYRING])
        publish = partial(jobs.publish_received, pool, bus, app[RECEIVED], settings.rest_s)
        await open_(running("publish_received", publish, AT_ONCE_S, settings.drain_s))
        app[STORE] = await open_(group_commit.running(_group_commit(settings), settings.writers, settings.drain_s))
        yield


def _group_commit(settings: WebhooksSettings) -> GroupCommit:
    session = partial(
        open_session,
        settings.database_url.get_secret_value(),
        service=SERVICE,
        role=f"{settings.role_prefix}_{SERVICE}_request",
        timeout_s=settings.store_timeout_s,
    )
    limits = Limits(
        waiting_rows=settings.waiting_rows,
        waiting_bytes=settings.waiting_bytes,
        batch_rows=settings.batch_rows,
        batch_bytes=settings.batch_bytes,
        timeout_s=settings.store_timeout_s,
    )
    return GroupCommit(session, settings.api_version, limits)


async def _start_jobs(stack: AsyncExitStack, settings: WebhooksSettings, pool: Pool, bus: Bus) -> None:
    started = (
        ("relay", partial(outbox.relay, pool, bus), settings.rest_s),
        ("purge_outbox", partial(jobs.purge_outbox, pool, settings.keep_outbox_days), PURGE_S),
        ("make_weeks", partial(retention.make_weeks, pool), KEEP_HOUSE_S),
        ("forget_events", partial(retention.forget_events, pool, settings.keep_events_days), KEEP_HOUSE_S),
        ("forget_ids", partial(retention.forget_ids, pool, settings.keep_ids_days), KEEP_HOUSE_S),
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


async def _start_keyring_jobs(stack: AsyncExitStack, settings: WebhooksSettings, pool: Pool, keyring: Keyring) -> None:
    warning = timedelta(hours=settings.secret_warning_h)
    note = partial(jobs.note_secrets, pool, keyring, settings.instance, warning)
    for name, job, rest_s in (
        ("look_at_secrets", partial(jobs.look_at_secrets, keyring), settings.secrets_look_s),
        ("note_secrets", note, MEASURE_S),
    ):
        await stack.enter_async_context(running(name, job, rest_s, settings.drain_s))


def _bus_options(settings: WebhooksSettings) -> Options:
    return Options(
        service=SERVICE,
        retry_steps_s=settings.retry_steps_s,
        prefetch=settings.prefetch,
        drain_s=settings.drain_s,
    )
