"""Wires the monitor: what is opened, in which order, and what runs."""

import logging
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from datetime import UTC, datetime, timedelta
from functools import partial

import aiohttp
from aiohttp import web

from services.monitor import actions, consumers, handlers, jobs
from services.monitor.actions import Channel, Desk
from services.monitor.domain.sightings import Sightings
from services.monitor.pages import Pages
from services.monitor.settings import MonitorSettings
from services.monitor.slack_api import Slack
from services.monitor.smtp_api import Mailer
from shared import http_client, loop, metrics, outbox
from shared.bus import Options, open_bus
from shared.db import open_pool
from shared.openapi.about import ABOUT, About
from shared.web import make_app

log = logging.getLogger(__name__)

SERVICE = "monitor"
ABOUT_MONITOR = About("monitor", "Notices when money stops moving: figures, incidents, a live page")

PROBE_TIMEOUT_S = 3.0
# Far below any period of silence, so that no gap in hearing goes unseen.
BROKER_LOOK_S = 0.2
# How soon a message goes out; its channel's own pace is slower.
TELL_LOOK_S = 0.25
LIVE_S = 1.0
MEASURE_S = 2.0
PURGE_S = 60.0


def make(settings: MonitorSettings) -> web.Application:
    """The service as an application that opens its resources when it starts."""
    app = make_app(
        settings,
        handlers.ROUTES,
        ready_checks={"database": lambda: _is_reachable(app), "broker": lambda: _is_connected(app)},
    )
    app[ABOUT] = ABOUT_MONITOR
    app.cleanup_ctx.append(partial(_running, settings))
    return app


async def _running(settings: MonitorSettings, app: web.Application) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        app[handlers.DESK] = desk = await _open_desk(settings, stack)
        app[handlers.PAGES] = pages = Pages()
        app[handlers.LIVE] = live = handlers.Live(desk, pages)
        channels = await _open_channels(settings, stack)
        if settings.auditor_url is None:
            log.warning("no invariant is checked", extra={"reason": "MONITOR_AUDITOR_URL is not set"})
        await desk.bus.consume(desk.pool, "on_event", consumers.on_event)
        await desk.bus.consume_snapshots(partial(actions.hear, desk.sightings))
        stop = loop.Stop(settings.drain_s)
        for name, job, rest_s in (*_own_jobs(desk, live), *_common_jobs(desk)):
            await stack.enter_async_context(loop.running(name, job, rest_s, stop))
        watch = partial(jobs.watch_database, desk, channels)
        await stack.enter_async_context(loop.running("watch_database", watch, settings.evaluate_s, stop))
        for channel in channels:
            job = partial(jobs.tell, desk.pool, channel)
            running = loop.running(f"tell_{channel.name}", job, TELL_LOOK_S, stop)
            await stack.enter_async_context(running)
        yield


async def _open_desk(settings: MonitorSettings, stack: AsyncExitStack) -> Desk:
    open_ = stack.enter_async_context
    url, connections = settings.database_url.get_secret_value(), settings.database_connections
    # Not at once: a monitor that starts while the database is away has to tell people of it.
    pool = await open_(open_pool(url, SERVICE, settings.role_prefix, connections, at_once=False))
    options = Options(SERVICE, settings.retry_steps_s, settings.prefetch, settings.drain_s)
    bus = await open_(open_bus(settings.amqp_url.get_secret_value(), options))
    probing = await open_(http_client.session(PROBE_TIMEOUT_S, peer="services", is_ours=True))
    sightings = Sightings(datetime.now(UTC), settings.stale_after_s)
    return Desk(settings, pool, bus, sightings, probing)


async def _open_channels(settings: MonitorSettings, stack: AsyncExitStack) -> list[Channel]:
    lease, found = timedelta(seconds=settings.lease_s), []
    if settings.slack_url:
        session: aiohttp.ClientSession = await stack.enter_async_context(
            http_client.session(settings.send_timeout_s, peer="slack")
        )
        slack = Slack(session, settings.slack_url.get_secret_value(), settings.page)
        found.append(Channel("slack", slack, timedelta(seconds=settings.slack_pace_s), lease))
    if settings.smtp_host:
        found.append(Channel("mail", Mailer(settings), timedelta(0), lease))
    if not found:
        log.warning("nobody is told", extra={"reason": "neither slack_url nor smtp_host is set"})
    return found


def _own_jobs(desk: Desk, live: handlers.Live) -> tuple[tuple[str, loop.Job, float], ...]:
    settings = desk.settings
    keep = timedelta(hours=settings.keep_events_hours)
    return (
        ("watch_broker", partial(jobs.watch_broker, desk), BROKER_LOOK_S),
        ("evaluate", partial(jobs.evaluate, desk), settings.evaluate_s),
        ("check_invariants", partial(jobs.check_invariants, desk), settings.invariants_s),
        ("probe", partial(jobs.probe, desk), settings.probe_s),
        ("purge", partial(jobs.purge, desk.pool, keep), PURGE_S),
        ("live", live.refresh, LIVE_S),
    )


def _common_jobs(desk: Desk) -> tuple[tuple[str, loop.Job, float], ...]:
    settings = desk.settings
    publish = partial(metrics.publish_snapshot, desk.bus, SERVICE, settings.instance)
    return (
        ("relay", partial(outbox.relay, desk.pool, desk.bus), settings.rest_s),
        ("measure_outbox", partial(outbox.measure, desk.pool), MEASURE_S),
        ("measure_loop_lag", metrics.measure_loop_lag, 1.0),
        ("publish_snapshot", publish, settings.metrics_interval_s),
    )


async def _is_reachable(app: web.Application) -> bool:
    return await app[handlers.DESK].pool.is_reachable()


async def _is_connected(app: web.Application) -> bool:
    return app[handlers.DESK].bus.is_connected
