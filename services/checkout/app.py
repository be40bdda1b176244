"""Wires checkout: what is opened, in which order, and what runs. To learn what the service does, start here."""

from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from dataclasses import replace
from functools import partial

from aiohttp import web

from services.checkout import consumers, handlers, jobs
from services.checkout.actions.live import Live
from services.checkout.actions.orders import Till
from services.checkout.actions.reconciling.running import Reconciler
from services.checkout.handlers import LIVE, TILL
from services.checkout.settings import CheckoutSettings
from services.checkout.stripe_api import open_stripe
from shared import leader, loop, metrics, outbox
from shared.bus import Bus, Options, open_bus
from shared.consuming import Consumer
from shared.db import open_pool
from shared.openapi.about import ABOUT, About
from shared.web import DRAINING, make_app
from shared.web.staff import STAFF_POOL

SERVICE = "checkout"
BUS = web.AppKey("BUS", Bus)

ABOUT_CHECKOUT = About("checkout", "Prices and takes orders, prepares their payments, gives money back")

MEASURE_S = 2.0
PURGE_S = 300.0
# How soon a run that is due, or wished for, begins.
RECONCILE_LOOK_S = 2.0


def make(settings: CheckoutSettings) -> web.Application:
    """The service as an application that opens its resources when it starts."""
    app = make_app(
        settings,
        handlers.ROUTES,
        ready_checks={"database": lambda: _is_reachable(app), "broker": lambda: _is_connected(app)},
    )
    app[ABOUT] = ABOUT_CHECKOUT
    app.cleanup_ctx.append(partial(_running, settings))
    return app


async def _running(settings: CheckoutSettings, app: web.Application) -> AsyncIterator[None]:
    async with AsyncExitStack() as stack:
        open_ = stack.enter_async_context
        url, connections = settings.database_url.get_secret_value(), settings.database_connections
        pool = await open_(open_pool(url, SERVICE, settings.role_prefix, connections))
        app[STAFF_POOL] = pool
        options = Options(SERVICE, settings.retry_steps_s, settings.prefetch, settings.drain_s)
        app[BUS] = bus = await open_(open_bus(settings.amqp_url.get_secret_value(), options))
        app[TILL] = till = Till(pool, await open_(open_stripe(settings)), settings)
        backstage = replace(till, stripe=till.stripe.in_background())
        app[LIVE] = live = Live(pool, settings)
        await open_(live.ending_with(app[DRAINING]))
        for name, consumer in _consumers(settings):
            await bus.consume(pool, name, consumer)
        stop = loop.Stop(settings.drain_s)
        for name, job, rest_s in _jobs(backstage, bus, live):
            await open_(loop.running(name, job, rest_s, stop))
        if settings.reconciles:
            await _start_reconciling(stack, settings, backstage, stop)
        yield


def _consumers(settings: CheckoutSettings) -> Iterator[tuple[str, Consumer]]:
    """The name of the queue and who hears it."""
    for plain in (consumers.on_money_moved, consumers.on_mail, consumers.on_events_fetched):
        yield plain.__name__, plain
    for of_payment in (consumers.on_payment_succeeded, consumers.on_payment_progress):
        yield of_payment.__name__, partial(of_payment, is_shared=settings.shares_account)
    failed = consumers.on_payment_failed
    yield failed.__name__, partial(failed, guard=settings.guard, is_shared=settings.shares_account)


def _jobs(backstage: Till, bus: Bus, live: Live) -> tuple[tuple[str, loop.Job, float], ...]:
    """What runs beside the requests: name, job, and the pause when there is nothing to do."""
    pool, settings = backstage.pool, backstage.settings
    return (
        ("relay", partial(outbox.relay, pool, bus), settings.rest_s),
        ("expire_unpaid", partial(jobs.while_well, backstage, jobs.expire_unpaid), settings.rest_s * 5),
        ("resync", partial(jobs.while_well, backstage, jobs.resync), settings.rest_s * 5),
        ("pursue_refunds", partial(jobs.while_well, backstage, jobs.pursue_refunds), settings.rest_s * 5),
        ("book_balance", partial(jobs.while_well, backstage, jobs.book_balance), settings.rest_s * 5),
        ("watch_circuit", partial(jobs.watch_circuit, backstage), settings.rest_s * 5),
        ("wake_the_changed", live.wake_the_changed, settings.live_look_s),
        ("purge", partial(jobs.purge, backstage), PURGE_S),
        ("measure_outbox", partial(outbox.measure, pool), MEASURE_S),
        ("measure_loop_lag", metrics.measure_loop_lag, 1.0),
        (
            "publish_snapshot",
            partial(metrics.publish_snapshot, bus, SERVICE, settings.instance),
            settings.metrics_interval_s,
        ),
    )


async def _start_reconciling(stack: AsyncExitStack, settings: CheckoutSettings, till: Till, stop: loop.Stop) -> None:
    url = settings.database_url.get_secret_value()
    standing = leader.standing(url, service=SERVICE, role_prefix=settings.role_prefix, task="reconcile")
    candidate = await stack.enter_async_context(standing)
    reconciler = Reconciler(till.pool, till.stripe, settings.reconciliation(), candidate)
    for name, job, rest_s in (
        ("reconcile", partial(jobs.reconcile, reconciler), min(RECONCILE_LOOK_S, settings.reconcile_interval_s)),
        ("measure_reconciliation", partial(jobs.measure_reconciliation, till.pool), MEASURE_S),
    ):
        await stack.enter_async_context(loop.running(name, job, rest_s, stop))


async def _is_reachable(app: web.Application) -> bool:
    return await app[TILL].pool.is_reachable()


async def _is_connected(app: web.Application) -> bool:
    return app[BUS].is_connected
