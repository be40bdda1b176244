"""An endpoint that Stripe has disabled, or that falls silent, is noticed, and so is its end."""

import asyncio
from datetime import UTC, datetime, timedelta

import pytest

from services.webhooks.jobs import PROBLEMS, SILENT
from shared import events
from tests.stripe_events import an_event


async def endpoint_of(stripe):
    return (await stripe.control("GET", "webhook_endpoints"))["webhook_endpoints"][0]["id"]


async def test_a_disabled_endpoint_is_noticed_and_its_end_too(stripe, open_door, asking, heard, owner):
    url = "https://shop.example"
    await stripe.sends_to(url)
    endpoint = await endpoint_of(stripe)
    async with open_door(**asking, endpoint_url=f"{url}/webhooks/stripe"):
        await stripe.post(f"webhook_endpoints/{endpoint}", disabled="true")
        (disabled,) = await heard.at_least(1, "webhook.endpoint_disabled")
        assert events.decode(disabled.body).problems == ("disabled",)
        async with asyncio.timeout(30):
            while PROBLEMS.labels(problem="disabled")._value.get() != 1:
                await asyncio.sleep(0.05)
        await stripe.post(f"webhook_endpoints/{endpoint}", disabled="false")
        await heard.at_least(1, "webhook.endpoint_mended")
        assert len(heard.of("webhook.endpoint_disabled")) == 1


async def test_an_endpoint_that_is_gone_or_sends_too_little_is_noticed(stripe, open_door, asking, heard):
    url = "https://shop.example"
    await stripe.sends_to(url, "payment_intent.succeeded")
    async with open_door(**asking, endpoint_url=f"{url}/webhooks/stripe"):
        (less,) = await heard.at_least(1, "webhook.endpoint_misconfigured")
        assert events.decode(less.body).problems == ("types_missing",)
        await stripe.sends_to("https://other.example")
        (gone,) = await heard.at_least(1, "webhook.endpoint_disabled")
        assert events.decode(gone.body).problems == ("missing",)


async def test_an_endpoint_is_right_in_the_version_that_the_settings_expect(stripe, open_door, asking, heard):
    url, version = "https://shop.example/webhooks/stripe", "2030-01-01.future"
    await stripe.sends_to("https://shop.example")
    async with open_door(**asking, endpoint_url=url, api_version=version):
        (other,) = await heard.at_least(1, "webhook.endpoint_misconfigured")
        assert events.decode(other.body).problems == ("other_version",)
        await stripe.post("webhook_endpoints", **{"url": url, "api_version": version, "enabled_events[0]": "*"})
        await heard.at_least(1, "webhook.endpoint_mended")


async def test_what_stripe_does_not_say_changes_nothing(stripe, open_door, asking, heard, owner):
    url = "https://shop.example"
    await stripe.sends_to(url)
    fault = {"kind": "error_before", "method": "GET", "path": "/v1/webhook_endpoints", "times": None}
    await stripe.control("POST", "faults", fault)
    async with open_door(**asking, endpoint_url=f"{url}/webhooks/stripe"), asyncio.timeout(30):
        while not await owner.fetchval("SELECT failures > 0 FROM webhooks.endpoint_watch"):
            await asyncio.sleep(0.05)
    assert heard.of("webhook.endpoint") == []


@pytest.fixture
async def a_busy_past(clean, owner):
    """Sixty events in each hour of the last four weeks, the last of them an hour ago."""
    now = datetime.now(UTC)
    last = now.replace(minute=0, second=0, microsecond=0) - timedelta(hours=2)
    hours = [last - timedelta(hours=each) for each in range(24 * 28)]
    await owner.executemany("INSERT INTO webhooks.event_hours VALUES ($1, 60)", [(hour,) for hour in hours])
    await owner.execute("INSERT INTO webhooks.endpoint_watch (heard_at) VALUES ($1)", now - timedelta(hours=1))


async def test_silence_is_noticed_and_ends_with_the_next_event(a_busy_past, open_door, asking, heard, owner):
    async with open_door(**asking) as door:
        (silent,) = await heard.at_least(1, "webhook.endpoint_silent")
        assert 50 <= events.decode(silent.body).expected <= 70
        async with asyncio.timeout(30):
            while SILENT._value.get() < 3000:
                await asyncio.sleep(0.05)
        assert (await door.deliver(an_event()))[0] == 200
        await heard.at_least(1, "webhook.endpoint_heard")
        async with asyncio.timeout(30):
            while SILENT._value.get():
                await asyncio.sleep(0.05)
        assert len(heard.of("webhook.endpoint_silent")) == 1
    # The hour may have changed meanwhile; those of the past have sixty each.
    assert await owner.fetchval("SELECT sum(events) FROM webhooks.event_hours WHERE events <> 60") == 1


async def test_a_new_shop_is_never_silent(open_door, asking, heard, owner):
    async with open_door(**asking) as door:
        await door.deliver(an_event())
        async with asyncio.timeout(30):
            while not await owner.fetchval("SELECT heard_at IS NOT NULL FROM webhooks.endpoint_watch"):
                await asyncio.sleep(0.05)
        assert await owner.fetchval("SELECT NOT is_usual_known FROM webhooks.endpoint_watch")
    assert heard.of("webhook.endpoint") == []
