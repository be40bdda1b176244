"""The whole monitor, running: what it hears becomes incidents, and what it can't hear does not."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import aio_pika
import pytest
from aiohttp import web
from aiohttp.test_utils import TestClient, TestServer

from services.checkout.jobs import AGE, FINDINGS
from services.monitor.app import make
from services.monitor.handlers import DESK
from shared import events, topology
from shared.admission.breaker import STATE as CIRCUIT
from shared.bus import Bus, Message, Options, open_bus
from shared.loop import Stop, running
from shared.metrics import publish_snapshot
from tests.integration.monitor.cable import Cable
from tests.integration.monitor.conftest import wait_until
from tests.unit.monitor.test_seen_events import order_facts

OTHERS = ("checkout", "webhooks", "notifier")

# A period of silence, as the settings have it, and a bit: then the monitor believes what it does not hear.
SILENT_AFTER = timedelta(seconds=2)
SETTLED_S = 2.4

# A machine that stands still for longer than that is told of, rightly: so no test asks that nobody ever seemed silent.
AWAY = ("broker_away", "rabbitmq")


@asynccontextmanager
async def the_monitor(settings) -> AsyncIterator[TestClient]:
    async with TestClient(TestServer(make(settings))) as client:
        await wait_until(lambda: client.app[DESK].bus.is_connected)
        yield client


@pytest.fixture
def calm_figures() -> None:
    """Figures here are of this whole process: what tests of other services left in them would be told of."""
    FINDINGS.clear()
    AGE.set(0)
    CIRCUIT.set(0)


@pytest.fixture
async def peers(amqp_url, calm_figures) -> AsyncIterator[Bus]:
    """The connection through which the other services speak here."""
    async with open_bus(amqp_url, Options(service="checkout")) as bus:
        await wait_until(lambda: bus.is_connected)
        await purge(amqp_url, "monitor.on_event")  # what other tests have left there: their held orders are incidents
        yield bus


@asynccontextmanager
async def alive(bus: Bus, *services: str) -> AsyncIterator[None]:
    """These services send their figures while the block lasts."""
    async with AsyncExitStack() as stack:
        for service in services:
            job = partial(publish_snapshot, bus, service, "host:9")
            await stack.enter_async_context(running(f"snapshots of {service}", job, 0.1, Stop(10)))
        yield


async def rules_open(owner) -> set[tuple[str, str]]:
    rows = await owner.fetch("SELECT rule, subject FROM monitor.incidents WHERE resolved_at IS NULL")
    return {(row["rule"], row["subject"]) for row in rows}


async def tells_in_pairs(owner, slack, title: str, subject: str) -> list[str]:
    """Waits until everything is told; what Slack was told of this, which is that it began and ended, each time."""

    async def is_told() -> bool:
        return not await owner.fetchval("SELECT count(*) FROM monitor.notifications WHERE state <> 'delivered'")

    await wait_until(is_told)
    times = await owner.fetchval("SELECT count(*) FROM monitor.incidents WHERE subject = $1", subject)
    told = [message.text.split(". ")[0] for message in slack.messages.all() if f"{title} ({subject})" in message.text]
    assert told == [f"CRITICAL: {title} ({subject})", f"RESOLVED: {title} ({subject})"] * times
    return told


def are_open(owner, *expected: tuple[str, str]):
    async def check() -> bool:
        return await rules_open(owner) == set(expected)

    return check


async def test_a_service_that_stops_opens_an_incident_and_its_return_resolves_it(settings, peers, owner, slack, smtp):
    async with the_monitor(settings()) as client, alive(peers, "checkout", "webhooks"):
        async with alive(peers, "notifier"):
            await asyncio.sleep(SETTLED_S)
            await wait_until(are_open(owner))
        await wait_until(are_open(owner, ("service_silent", "notifier")))
        opened_at = await owner.fetchval("SELECT max(opened_at) FROM monitor.incidents WHERE subject = 'notifier'")
        assert opened_at - client.app[DESK].sightings.heard["notifier"] >= SILENT_AFTER
        async with alive(peers, "notifier"):
            await wait_until(are_open(owner))
            told = await tells_in_pairs(owner, slack, "Service silent", "notifier")

    assert told
    assert [mail.subject for mail in smtp.mailbox.all() if "(notifier)" in mail.subject] == told


async def test_a_service_that_never_came_counts_as_silent_from_the_start(settings, peers, owner):
    async with the_monitor(settings()), alive(peers, "checkout", "webhooks"):
        await wait_until(are_open(owner, ("service_silent", "notifier")))
    summary = await owner.fetchval("SELECT summary FROM monitor.incidents WHERE subject = 'notifier'")
    assert summary == "notifier has not been heard since the monitor started"


async def test_a_broker_that_goes_and_comes_raises_no_false_silence(settings, amqp_url, peers, owner, slack):
    """Only who was not heard for a whole period after its return is silent."""
    async with AsyncExitStack() as stack:
        cable = await stack.enter_async_context(Cable(amqp_url).laid())
        client = await stack.enter_async_context(the_monitor(settings(amqp_url=cable.url)))
        async with alive(peers, *OTHERS):
            sightings = client.app[DESK].sightings
            await wait_until(lambda: sightings.broker.is_connected)
            await asyncio.sleep(SETTLED_S)
            await wait_until(are_open(owner))  # a busy machine may have connected late
            cut_at = datetime.now(UTC)
            cable.cut()
            await wait_until(are_open(owner, AWAY))
            await asyncio.sleep(SETTLED_S)  # longer than the silence that a service is allowed
            cable.mend()
            await wait_until(lambda: sightings.broker.is_connected)
            back_at = sightings.broker.since
            await wait_until(are_open(owner))
            await asyncio.sleep(SETTLED_S)
            assert await tells_in_pairs(owner, slack, "RabbitMQ away", "rabbitmq")

    query = "SELECT DISTINCT rule, subject FROM monitor.incidents WHERE opened_at BETWEEN $1 AND $2"
    assert [tuple(row) for row in await owner.fetch(query, cut_at, back_at + SILENT_AFTER)] == [AWAY]


async def test_while_the_broker_is_away_a_dead_service_is_found_by_asking(settings, amqp_url, peers, owner):
    answers = {"checkout": {"errors": [{"field": "broker"}]}, "webhooks": {"errors": [{"field": "database"}]}}

    async def readyz(request: web.Request) -> web.Response:
        return web.json_response(answers[request.match_info["service"]], status=503)

    app = web.Application()
    app.router.add_get("/{service}/readyz", readyz)
    async with TestServer(app) as others, Cable(amqp_url).laid() as cable, alive(peers, *OTHERS):
        urls = tuple(f"{name}={others.make_url(f'/{name}/readyz')}" for name in answers)
        gone = "notifier=http://127.0.0.1:1"
        async with the_monitor(settings(amqp_url=cable.url, probe_urls=(*urls, gone))):
            await asyncio.sleep(SETTLED_S)
            await wait_until(are_open(owner))  # what is open now stays so while nobody can be heard
            cable.cut()
            await wait_until(are_open(owner, AWAY, ("service_unready", "webhooks"), ("service_unready", "notifier")))
            cable.mend()
            await wait_until(are_open(owner))


async def test_a_dead_letter_opens_an_incident_and_redriving_it_resolves_it(settings, peers, owner, amqp_url, slack):
    queue = "notifier.on_order_paid"
    await bury(amqp_url, queue)
    try:
        async with the_monitor(settings()), alive(peers, *OTHERS):
            await wait_until(are_open(owner, ("dead_letters", queue)))
            await peers.redrive(queue, 10)
            await wait_until(are_open(owner))
            await slack.messages.wait_for(1, "RESOLVED: Dead letters (notifier.on_order_paid)")
    finally:
        await purge(amqp_url, queue, topology.dead_queue(queue))


async def test_events_are_kept_without_anything_personal_and_counted(settings, peers, owner, amqp_url):
    paid = [events.OrderPaid(order=order_facts(order_id=uuid4())) for _ in range(3)]
    failed = [
        events.OrderPaymentFailed(
            order=order_facts(order_id=uuid4()),
            failure_id=str(number),
            category="card_declined",
            reserved_until=datetime.now(UTC),
        )
        for number in range(9)
    ]
    async with the_monitor(settings()) as client, alive(peers, *OTHERS):
        messages = [Message(event.id, event.type, events.encode(event)) for event in (*paid, *failed)]
        await peers.publish(messages[:3])
        await peers.publish(messages)  # the first of them twice, as it happens
        await wait_until(are_open(owner, ("payment_success_low", "payments")))

        async def all_counted() -> dict | None:
            payments = (await (await client.get("/v1/status")).json())["payments"]
            return payments if payments["failed"] == 9 else None

        payments = await wait_until(all_counted)

    assert payments["paid"] == 3
    assert payments["failures"] == {"card_declined": 9}
    kept = str(await owner.fetch("SELECT * FROM monitor.seen_events"))
    assert "KCT-1001" in kept
    assert "Ada" not in kept
    for queue in topology.QUEUES:
        if not queue.startswith("monitor"):
            await purge(amqp_url, queue)


async def test_an_incident_is_heard_of_as_an_event(settings, peers, owner):
    async with the_monitor(settings()), alive(peers, "checkout", "webhooks"):

        async def is_seen() -> bool:
            return bool(await owner.fetchval("SELECT count(*) FROM monitor.seen_events WHERE type = 'incident.opened'"))

        await wait_until(is_seen)


async def test_without_the_auditors_login_it_says_that_no_invariant_is_checked(settings, database, caplog):
    async with the_monitor(settings()):
        assert "no invariant is checked" in caplog.messages
    caplog.clear()
    async with the_monitor(settings(auditor_url=database.auditor_url)):
        assert "no invariant is checked" not in caplog.messages


async def bury(amqp_url: str, queue: str) -> None:
    """A dead letter, as a consumer leaves one."""
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        event = events.OrderPaid(order=order_facts())
        message = aio_pika.Message(events.encode(event), message_id=str(event.id), type=event.type)
        exchange = await channel.get_exchange(topology.DEAD_EXCHANGE)
        await exchange.publish(message, routing_key=queue)


async def purge(amqp_url: str, *queues: str) -> None:
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        for queue in queues:
            await (await channel.get_queue(queue)).purge()
