"""The list of senders: fetched, kept, shared, and what a signed request from elsewhere gets."""

import asyncio
from datetime import timedelta

import aiohttp
import orjson
import pytest
from aiohttp import web

from deploy.standins.stripe.app import make_app
from deploy.standins.stripe.config import SENDERS
from services.webhooks import jobs
from services.webhooks.actions import guarding, senders
from services.webhooks.domain.senders import SHIPPED
from services.webhooks.handlers import GUARD, POOL
from services.webhooks.settings import STRIPES_LIST, WebhooksSettings
from shared import events, http_client, metrics
from tests.integration.webhooks.conftest import NOWHERE
from tests.stripe_events import an_event, body_of, signature

# Windows begin at fixed times of the day: one of five minutes would now and then end in the middle of a test.
BEHIND_A_PROXY = {"trusted_hops": 1, "amqp_url": NOWHERE, "extra_senders": (), "threat_window_s": 86400}
STRANGER, STRIPE, NEW = "203.0.113.7", min(SHIPPED), "52.15.183.39"
AT_ONCE = timedelta(0)
DAYS_7 = timedelta(days=7)


@pytest.fixture
async def published():
    """Stripe's stand-in, which publishes the list: its address, and a way to publish something else."""
    runner = web.AppRunner(make_app(), access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession() as session:

        async def publish(content) -> str:
            body = content if isinstance(content, bytes) else orjson.dumps({"WEBHOOKS": content})
            async with session.put(f"{url}/_control/senders", data=body) as response:
                assert response.status == 204
            return f"{url}/files/ips/ips_webhooks.json"

        yield publish
    await runner.cleanup()


@pytest.fixture
async def session():
    async with http_client.session(5, peer="stripe_senders") as session:
        yield session


@pytest.fixture
async def pool(open_door):
    """A process that has just begun, as far as the database is concerned."""
    async with open_door(amqp_url=NOWHERE) as door:
        yield door.app[POOL]


def count(outcome: str) -> float:
    return metrics.REGISTRY.get_sample_value("webhooks_sender_refreshes_total", {"outcome": outcome}) or 0.0


def failing_s() -> float:
    return metrics.REGISTRY.get_sample_value("webhooks_sender_list_failing_seconds") or 0.0


async def told(rows) -> list[events.Event]:
    found = await rows.auditor.fetch("SELECT body FROM webhooks.outbox ORDER BY staged_at")
    return [events.decode(bytes(row["body"])) for row in found]


async def test_a_new_installation_expects_events_from_the_list_we_ship_and_says_nothing_of_it(pool, rows):
    assert await senders.load(pool, DAYS_7) == SHIPPED
    assert await told(rows) == []


async def test_a_list_that_changed_is_taken_told_and_shared(pool, rows, session, published, open_door):
    url = await published([*SENDERS[1:], NEW])
    assert await senders.refresh(pool, session, url, AT_ONCE) == "changed"
    (event,) = await told(rows)
    assert isinstance(event, events.SecuritySendersChanged)
    assert (event.added, event.removed, event.severity) == ((NEW,), (SENDERS[0],), "info")
    assert await senders.load(pool, DAYS_7) == SHIPPED | {NEW}, "who left is welcome for a while"
    assert await senders.load(pool, AT_ONCE) == (SHIPPED | {NEW}) - {SENDERS[0]}
    assert await senders.refresh(pool, session, url, AT_ONCE) == "unchanged"
    assert len(await told(rows)) == 1
    async with open_door(amqp_url=NOWHERE) as another:
        assert NEW in another.app[GUARD].welcome, "the last good list survives a restart"


async def test_an_address_that_comes_back_is_as_if_it_had_never_left(pool, rows, session, published):
    await senders.refresh(pool, session, await published(SENDERS[1:]), AT_ONCE)
    await senders.refresh(pool, session, await published(SENDERS), AT_ONCE)
    assert await senders.load(pool, AT_ONCE) == SHIPPED
    assert [(event.added, event.removed) for event in await told(rows)] == [((), SENDERS[:1]), (SENDERS[:1], ())]


@pytest.mark.parametrize(
    ("content", "outcome"),
    [
        (b"", "malformed"),
        (b"<html>down for maintenance</html>", "malformed"),
        (b"[" * 60_000, "malformed"),
        (b" " * 1_000_000, "malformed"),
        ([], "implausible"),
        (SENDERS[:7], "implausible"),
        ([*SENDERS, "10.0.0.1"], "implausible"),
        ([*SENDERS, "127.0.0.1"], "implausible"),
    ],
    ids=["empty", "page", "deep", "long", "nobody", "fewer than half", "private", "loopback"],
)
async def test_what_is_no_plausible_list_changes_nothing_and_is_counted(
    pool, rows, session, published, content, outcome
):
    before = count(outcome)
    assert await senders.refresh(pool, session, await published(content), AT_ONCE) == outcome
    assert count(outcome) == before + 1
    assert await senders.load(pool, AT_ONCE) == SHIPPED
    assert await told(rows) == []


@pytest.mark.parametrize("path", ["/nowhere", None])
async def test_when_the_list_is_not_to_be_had_the_last_one_stays(pool, session, published, path):
    url = (await published(SENDERS)).replace("/files/ips/ips_webhooks.json", path) if path else "http://127.0.0.1:1/"
    assert await senders.refresh(pool, session, url, AT_ONCE) == "unreachable"
    assert await senders.load(pool, AT_ONCE) == SHIPPED


async def test_for_how_long_it_could_not_be_had_is_known_to_all_processes(pool, session, published, owner):
    assert await senders.refresh(pool, session, "http://127.0.0.1:1/", AT_ONCE) == "unreachable"
    await owner.execute("UPDATE webhooks.stripe_sender_list SET failing_since = failing_since - interval '7 hours'")
    assert await senders.refresh(pool, session, await published(b""), AT_ONCE) == "malformed"
    await senders.load(pool, DAYS_7)
    assert failing_s() >= 7 * 3600
    assert await senders.refresh(pool, session, await published(SENDERS), AT_ONCE) == "unchanged"
    await senders.load(pool, DAYS_7)
    assert failing_s() == 0


async def test_of_many_processes_one_asks_and_not_before_it_is_time(pool, session, published):
    url = await published(SENDERS)
    outcomes = [await senders.refresh(pool, session, url, timedelta(hours=1)) for _ in range(3)]
    assert outcomes == ["unchanged", None, None]


async def test_a_newer_version_of_ours_brings_its_list_along(pool, rows, owner):
    await owner.execute("UPDATE webhooks.stripe_sender_list SET as_of = '2026-01-01'")
    await owner.execute("DELETE FROM webhooks.stripe_senders WHERE address = $1", STRIPE)
    await owner.execute("INSERT INTO webhooks.stripe_senders (address) VALUES ($1)", NEW)
    await senders.ship(pool)
    (event,) = await told(rows)
    assert (event.added, event.removed) == ((STRIPE,), (NEW,))
    await senders.ship(pool)
    assert len(await told(rows)) == 1


async def test_the_running_service_asks_by_itself(open_door, published):
    url = await published([*SENDERS, NEW])
    async with open_door(amqp_url=NOWHERE, senders_url=url, senders_refresh_s=0.1) as door:
        async with asyncio.timeout(40):
            while NEW not in door.app[GUARD].welcome:
                await jobs.learn(door.app[POOL], door.app[GUARD])
                await asyncio.sleep(0.02)


async def deliver(door, address: str) -> tuple[int, dict]:
    body = body_of(an_event())
    return await door.post(body, signature(body), **{"X-Forwarded-For": address})


@pytest.mark.parametrize(("mode", "status"), [("enforce", 403), ("report", 200), ("off", 200)])
async def test_what_a_valid_signature_from_elsewhere_gets(open_door, rows, mode, status):
    async with open_door(**BEHIND_A_PROXY, sender_mode=mode) as door:
        assert (await deliver(door, STRIPE))[0] == 200
        assert await told(rows) == []
        for _ in range(3):
            answered, problem = await deliver(door, STRANGER)
            assert answered == status
            assert status == 200 or problem["code"] == "sender_unknown"
        await guarding.share(door.app[POOL], door.app[GUARD])
    expected = [] if mode == "off" else [("security.unknown_sender", "critical", STRANGER)]
    assert [(event.type, event.severity, event.client_address) for event in await told(rows)] == expected
    assert await rows.count() == ((1, 1) if mode == "enforce" else (4, 4))


async def test_an_unsigned_request_from_elsewhere_is_no_unknown_sender(open_door, rows):
    async with open_door(**BEHIND_A_PROXY, sender_mode="enforce") as door:
        status, problem = await door.post(b"{}", signature(b"{}", "whsec_test_wrong"), **{"X-Forwarded-For": STRANGER})
        await guarding.share(door.app[POOL], door.app[GUARD])
    assert (status, problem["code"]) == (400, "signature_mismatch")
    assert await told(rows) == []


async def test_a_sender_of_the_shops_own_is_accepted(open_door, rows):
    settings = {**BEHIND_A_PROXY, "extra_senders": ("203.0.113.0/24",), "sender_mode": "enforce"}
    async with open_door(**settings) as door:
        assert (await deliver(door, STRANGER))[0] == 200
    assert await told(rows) == []


def settings_with(**given) -> WebhooksSettings:
    needed = {"database_url": "x", "amqp_url": "x", "stripe_secrets": "whsec_test_standin", "livemode": False}
    return WebhooksSettings(**{**needed, **given})


@pytest.mark.parametrize(
    ("given", "url"),
    [
        ({}, None),
        ({"livemode": True}, STRIPES_LIST),
        ({"livemode": True, "senders_url": ""}, None),
        ({"senders_url": "http://127.0.0.1:9/x"}, "http://127.0.0.1:9/x"),
    ],
)
def test_only_a_live_installation_asks_stripe_without_being_told_to(given, url):
    assert settings_with(**given).list_url() == url


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_to_enforce_the_list_where_only_this_machine_can_call_stops_the_start(host):
    with pytest.raises(ValueError, match="trusted_hops or trusted_networks"):
        settings_with(sender_mode="enforce", host=host)
    assert settings_with(sender_mode="enforce", host=host, trusted_hops=1).sender_mode == "enforce"
    assert settings_with(sender_mode="enforce", host="0.0.0.0").sender_mode == "enforce"
    assert settings_with(sender_mode="enforce", host="webhooks").sender_mode == "enforce"
