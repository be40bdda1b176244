"""Wiring: what the service opens, in which order, and what runs in it."""

import asyncio
import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import timedelta
from functools import partial

from aiohttp import web

from services.webhooks import consumers, handlers, jobs
from services.webhooks.actions import SERVICE, backfill, group_commit, resync, retention, senders, watching
from services.webhooks.actions.backfill import Backfill
from services.webhooks.actions.group_commit import GroupCommit, Limits
from services.webhooks.actions.guarding import Guard
from services.webhooks.actions.keyring import Keyring
from services.webhooks.actions.reading import Reader
from services.webhooks.actions.watching import Checking, Listening
from services.webhooks.domain.threats import Kind
from services.webhooks.handlers import ENTRY_LIMIT, GUARD, KEYRING, PAGES, POOL, RECEIVED, ROUTES, STORE, WEBHOOKS
from services.webhooks.pages import Pages
from services.webhooks.senders_api import TIMEOUT_S
from services.webhooks.settings import WebhooksSettings
from services.webhooks.stripe_api import open_stripe
from shared import http_client, leader, metrics, outbox, stripe_circuit
from shared.bus import Bus, Options, open_bus
from shared.db import Pool, open_pool, open_session
from shared.loop import Stop, running
from shared.openapi.about import ABOUT, About
from shared.web import make_app
from shared.web.keys import UNREADABLE
from shared.web.limits import AddressLimit
from shared.web.staff import ENTRANCE, STAFF_POOL

BUS = web.AppKey("BUS", Bus)
ABOUT_WEBHOOKS = About("webhooks", "Takes what Stripe says: verified, stored, passed on")

# `publish_received` waits by itself, for a request or for `rest_s`; the loop need not pause on top of that.
AT_ONCE_S = 0.001
MEASURE_S = 2.0
PURGE_S = 300.0
KEEP_HOUSE_S = 900.0
# How soon other processes hear of an attack, and of a ban.
SHARE_S, LEARN_S = 1.0, 2.0
# How often a process looks whether it is time to ask for the list of senders.
LIST_LOOK_S = 60.0
RESYNC_S = 1.0
CHECK_S = 5.0

log = logging.getLogger(__name__)
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
        guards=(handlers.guard,),
    )
    app[ABOUT], app[WEBHOOKS] = ABOUT_WEBHOOKS, settings
    app[GUARD] = guard = Guard(settings)
    app[UNREADABLE] = lambda address: guard.note(Kind.UNREADABLE, address)
    app[KEYRING] = Keyring(settings.stripe_secrets, settings.stripe_secrets_file)
    app[RECEIVED] = asyncio.Event()
    app[PAGES], app[ENTRANCE] = Pages(), "/staff/enter"
    app[ENTRY_LIMIT] = AddressLimit(ENTRIES_PER_MINUTE)
    app.cleanup_ctx.append(_resources)
    return app


async def _resources(app: web.Application) -> AsyncIterator[None]:
    """Opened from top to bottom, closed from bottom to top."""
    settings = app[WEBHOOKS]
    stop = Stop(settings.drain_s)
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
        await _start_jobs(stack, settings, pool, bus, stop)
        await _start_guard(stack, app[GUARD], pool, stop)
        await _start_keyring_jobs(stack, settings, pool, app[KEYRING], stop)
        await _start_asking(stack, settings, pool, bus, stop)
        publish = partial(jobs.publish_received, pool, bus, app[RECEIVED], settings.rest_s)
        await open_(running("publish_received", publish, AT_ONCE_S, stop))
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


async def _start_guard(stack: AsyncExitStack, guard: Guard, pool: Pool, stop: Stop) -> None:
    """What is known of senders and bans comes first; then it is kept up to date."""
    settings, open_ = guard.settings, stack.enter_async_context
    await senders.ship(pool)
    await jobs.learn(pool, guard)
    stack.push_async_callback(jobs.share_last, pool, guard)
    await open_(running("share_sightings", partial(jobs.share, pool, guard), SHARE_S, stop))
    await open_(running("learn_bans_and_senders", partial(jobs.learn, pool, guard), LEARN_S, stop))
    await open_(running("forget_threats", partial(jobs.forget_threats, pool), PURGE_S, stop))
    if url := settings.list_url():
        session = await open_(http_client.session(TIMEOUT_S, peer="stripe_senders"))
        interval = timedelta(seconds=settings.senders_refresh_s)
        refresh = partial(jobs.refresh_senders, pool, session, url, interval)
        rest_s = min(LIST_LOOK_S, settings.senders_refresh_s)
        await open_(running("refresh_senders", refresh, rest_s, stop))


async def _start_jobs(stack: AsyncExitStack, settings: WebhooksSettings, pool: Pool, bus: Bus, stop: Stop) -> None:
    started = (
        ("relay", partial(outbox.relay, pool, bus), settings.rest_s),
        ("purge", partial(jobs.purge, pool, settings.keep_outbox_days, settings.keep_events_days), PURGE_S),
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
        await stack.enter_async_context(running(name, job, rest_s, stop))


async def _start_keyring_jobs(
    stack: AsyncExitStack, settings: WebhooksSettings, pool: Pool, keyring: Keyring, stop: Stop
) -> None:
    warning = timedelta(hours=settings.secret_warning_h)
    note = partial(jobs.note_secrets, pool, keyring, settings.instance, warning)
    for name, job, rest_s in (
        ("look_at_secrets", partial(jobs.look_at_secrets, keyring), settings.secrets_look_s),
        ("note_secrets", note, MEASURE_S),
    ):
        await stack.enter_async_context(running(name, job, rest_s, stop))


async def _start_asking(stack: AsyncExitStack, settings: WebhooksSettings, pool: Pool, bus: Bus, stop: Stop) -> None:
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
    hear = partial(consumers.on_reconciliation_began, can_ask=access is not None)
    await bus.consume(pool, "on_reconciliation_began", hear)
    jobs.CAN_ASK.set(access is not None)
    if access is None:
        log.warning("no backfill, no resyncs, no check of the endpoint: WEBHOOKS_STRIPE_SECRET_KEY is not set")
    else:
        stripe = await stack.enter_async_context(open_stripe(access))
        reader = Reader(pool, stripe, settings.expected(), settings.stripe_reads_per_day)
        search = Backfill(reader, candidate, bus, settings.pace(), timedelta(seconds=settings.outage_after_s))
        started.append(("backfill", partial(backfill.sweep, search), settings.backfill_step_s))
        tell = partial(stripe_circuit.announce, pool, stripe.account, SERVICE, settings.instance)
        started.append(("tell_of_circuit", tell, MEASURE_S))
        started.append(("resync", partial(resync.resync_due, reader), min(RESYNC_S, settings.backfill_step_s)))
        if settings.endpoint_url:
            checking = Checking(settings.endpoint_url, settings.endpoint_check_s)
            check_s = min(CHECK_S, settings.endpoint_check_s)
            started.append(("check_endpoint", partial(watching.check, reader, candidate, checking), check_s))
    for name, job, rest_s in started:
        await stack.enter_async_context(running(name, job, rest_s, stop))


def _bus_options(settings: WebhooksSettings) -> Options:
    return Options(
        service=SERVICE,
        retry_steps_s=settings.retry_steps_s,
        prefetch=settings.prefetch,
        drain_s=settings.drain_s,
    )
