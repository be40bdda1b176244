"""What Stripe could not deliver is fetched, once, whatever happens meanwhile."""

import asyncio
from datetime import UTC, datetime, timedelta

import orjson
import pytest
from pydantic import SecretStr

from services.webhooks.actions import backfill
from services.webhooks.actions.backfill import Backfill, Deposed
from services.webhooks.actions.reading import Reader
from services.webhooks.domain import Expected
from services.webhooks.domain.backfill import Pace
from services.webhooks.stripe_api import open_stripe
from shared import events, leader
from shared.bus import Options, open_bus
from shared.db import open_pool
from shared.stripe_client import API_VERSION, Access
from tests.integration.webhooks.conftest import NOWHERE
from tests.stripe_events import an_event

PAID = "payment_intent.succeeded"
NOWHERE_URL = "http://127.0.0.1:1"


async def progress(owner):
    return await owner.fetchrow("SELECT * FROM webhooks.backfill")


async def until(probe, within_s=40):
    async with asyncio.timeout(within_s):
        while not (found := await probe()):
            await asyncio.sleep(0.03)
    return found


async def test_what_was_missed_while_the_service_was_away_is_fetched_and_published(
    stripe, open_door, asking, rows, heard
):
    await stripe.sends_to(NOWHERE_URL)
    paid = await stripe.pay(3)

    async def are_all_told():  # what Stripe took for the last one is told a moment later
        return (await stripe.control("GET", "state"))["events"] == 3 * 4

    await until(are_all_told)
    async with open_door(**asking):
        messages = await heard.at_least(3, "payment.succeeded")
        (news,) = await heard.at_least(1, "webhook.backfilled")
        found = await rows.until("published", 6)  # each payment, and what Stripe took for it
    told = [events.decode(message.body) for message in messages]
    assert {each.payment.payment_intent_id for each in told} == set(paid)
    assert {row["origin"] for row in found} == {"backfill"}
    assert {(row["client_address"], row["headers"]) for row in found} == {(None, "{}")}
    said = events.decode(news.body)
    assert said.events == 6
    assert said.oldest <= said.newest <= datetime.now(UTC)


async def test_three_pages_are_fetched_and_nothing_twice(stripe, open_door, asking, rows, heard):
    await stripe.sends_to(NOWHERE_URL, PAID)
    await stripe.count_reads()
    paid = await stripe.pay(250)
    async with open_door(**{**asking, "backfill_interval_s": 60, "backfill_idle_s": 60, "outage_after_s": 60}):
        messages = await heard.at_least(250, "payment.succeeded", within_s=90)
        (news,) = await heard.at_least(1, "webhook.backfilled")
        await rows.until("published", 250)
    told = [events.decode(message.body) for message in messages]
    assert sorted(each.payment.payment_intent_id for each in told) == sorted(paid)
    assert events.decode(news.body).events == 250
    assert await stripe.reads() == 3
    assert await rows.count() == (250, 250)


async def test_hours_of_outage_are_caught_up_with(stripe, open_door, asking, rows, heard, owner):
    """Payments every half an hour for eight hours, while nobody answered."""
    async with open_door(**asking) as door:
        await stripe.sends_to(door.url, PAID)
        await stripe.pay()
        await rows.until("published", 1)
    await stripe.sends_to(NOWHERE_URL, PAID)
    for _ in range(16):
        await stripe.pay()
        await stripe.control("POST", "clock/advance", {"seconds": 1800})
    await owner.execute("UPDATE webhooks.backfill SET seen_at = now() - interval '8 hours'")
    async with open_door(**{**asking, "backfill_interval_s": 600, "backfill_idle_s": 600}):
        await rows.until("published", 17)

        async def is_told():  # a slow machine refuses the very first, too, and tells of that one before
            told = [events.decode(news.body) for news in heard.of("webhook.backfilled")]
            return [each for each in told if each.events == 16]

        (said,) = await until(is_told)
    assert said.newest - said.oldest > timedelta(hours=7)


async def test_an_event_that_was_delivered_meanwhile_is_a_duplicate_without_effect(
    stripe, open_door, asking, rows, heard
):
    await stripe.sends_to(NOWHERE_URL, PAID)
    await stripe.pay()
    async with open_door(**asking) as door:
        await rows.until("published", 1)
        await stripe.sends_to(door.url, PAID)
        event_id = (await rows.one())["stripe_event_id"]
        await stripe.control("POST", f"events/{event_id}/resend", {})  # Stripe's own retry, an hour later

        async def is_delivered():
            log = await stripe.control("GET", f"deliveries?event={event_id}")
            return any(entry["status"] == 200 for entry in log["deliveries"])

        await until(is_delivered)
        await heard.at_least(1, "payment.")
        await asyncio.sleep(0.3)
    assert await rows.count() == (1, 1)
    assert len(heard.of("payment.")) == 1
    assert heard.of("security.") == []


async def test_an_event_fetched_in_another_version_is_no_alarm_when_it_is_delivered(owner, open_door, rows, heard):
    event = an_event()
    async with open_door() as door:
        await owner.execute("INSERT INTO webhooks.stripe_event_ids (id) VALUES ($1)", event["id"])
        assert (await door.deliver(event))[0] == 200
        await asyncio.sleep(0.2)
    assert heard.of("security.") == []


@pytest.mark.parametrize("kind", ["error_before", "rate_limit", "cut_before", "cut_after", "drop_before"])
async def test_stripe_failing_in_any_way_loses_nothing(stripe, open_door, asking, rows, owner, kind):
    await stripe.sends_to(NOWHERE_URL, PAID)
    await stripe.pay(2)
    # Until it was seen: it is asked again two seconds later, and by aiohttp at once when a GET's connection is dropped.
    fault = {"kind": kind, "method": "GET", "path": "/v1/events", "times": None}
    await stripe.control("POST", "faults", fault)
    async with open_door(**asking):
        await until(lambda: owner.fetchval("SELECT failures > 0 FROM webhooks.backfill"))
        assert (await progress(owner))["last_error"]
        await stripe.control("DELETE", "faults")
        await owner.execute("UPDATE webhooks.backfill SET due_at = now()")  # its rest is over
        await rows.until("published", 2)
        await until(lambda: owner.fetchval("SELECT failures = 0 AND last_error IS NULL FROM webhooks.backfill"))


async def test_a_stripe_that_cannot_be_reached_is_left_alone_for_a_while(stripe, open_door, asking, owner):
    began = datetime.now(UTC)
    async with open_door(**{**asking, "stripe_url": "http://127.0.0.1:1"}):
        row = await until(lambda: owner.fetchrow("SELECT * FROM webhooks.backfill WHERE failures > 0"))
    assert "APIConnectionError" in row["last_error"]
    assert row["due_at"] > began + timedelta(seconds=2)


async def test_a_database_that_was_away_makes_a_look_due_at_once(stripe, open_door, asking, rows, wire, clean):
    slow = {**asking, "backfill_interval_s": 600, "backfill_idle_s": 600, "outage_after_s": 0.5}
    async with open_door(**slow, database_url=SecretStr(wire.url), store_timeout_s=0.5) as door:
        await stripe.sends_to(door.url, PAID)
        await stripe.pay()
        await rows.until("published", 1)

        async def is_up():  # who has never been up can't have been away
            return await rows.auditor.fetchval("SELECT seen_at IS NOT NULL FROM webhooks.backfill")

        await until(is_up)

        async def is_settled():  # what was fetched before it was delivered is still on its way
            return (await stripe.control("GET", "state"))["deliveries_waiting"] == 0

        await until(is_settled)
        before = (await stripe.control("GET", "state"))["events_undelivered"]  # a slow machine refuses the first, too
        await wire.cut()
        await stripe.pay(2)  # the stand-in of these tests tries once

        async def are_refused():
            state = await stripe.control("GET", "state")
            return state["deliveries_waiting"] == 0 and state["events_undelivered"] == before + 2

        await until(are_refused)
        await asyncio.sleep(0.6)
        await wire.mend()
        await rows.until("published", 3)


async def test_without_a_key_nothing_is_asked_and_that_is_said(stripe, open_door, caplog):
    async with open_door() as door, door.session.get(f"{door.url}/healthz") as response:
        assert response.status == 200
    assert any("WEBHOOKS_STRIPE_SECRET_KEY" in record.getMessage() for record in caplog.records)


@pytest.fixture
async def step(stripe, clean, amqp_url):
    """A process of its own: how it sees the world, and what it does in one step."""
    async with (
        open_pool(clean.url("webhooks"), "webhooks", clean.prefix) as pool,
        open_bus(amqp_url, Options("webhooks")) as bus,
        open_stripe(Access("rk_test_standin", stripe.url, 20)) as client,
        leader.standing(clean.url("webhooks"), service="webhooks", role_prefix=clean.prefix, task="backfill") as first,
        leader.standing(clean.url("webhooks"), service="webhooks", role_prefix=clean.prefix, task="backfill") as second,
    ):
        await asyncio.wait_for(bus.wait_connected(), 40)
        pace = Pace(timedelta(0), timedelta(0), timedelta(hours=1))

        def process(candidate, per_day=100_000, version=API_VERSION):
            reader = Reader(pool, client, Expected(False, version), per_day)
            return Backfill(reader, candidate, bus, pace, timedelta(minutes=1))

        yield process(first), process(second), process


async def take_over(process) -> int:
    """The server notices a little later that the leader's connection is gone."""
    return await until(process.candidate.fence)


async def test_a_crash_between_two_pages_goes_on_behind_the_first(stripe, step, rows, owner):
    first, second, _ = step
    await stripe.sends_to(NOWHERE_URL, PAID)
    paid = await stripe.pay(250)
    await stripe.count_reads()
    assert await backfill.sweep(first) == 1
    assert await rows.count() == (100, 100)
    assert (await progress(owner))["cursor"]
    first.candidate.give_up()  # it died
    later = await stripe.pay(3)  # and what happens meanwhile is found by the next look
    await take_over(second)
    while await backfill.sweep(second):
        pass
    assert await rows.count() == (250, 250)
    assert await stripe.reads() == 3
    assert (await progress(owner))["fence"] == 2
    await backfill.sweep(second)
    found = {row["object_id"] for row in await rows.all()}
    assert found == {*paid, *later}


async def test_a_crash_in_the_middle_of_a_page_counts_each_event_once(stripe, step, rows, owner):
    first, second, _ = step
    await stripe.sends_to(NOWHERE_URL, PAID)
    await stripe.pay(20)
    await owner.execute(
        """
        CREATE FUNCTION webhooks.die() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            IF NEW.found = 8 THEN RAISE EXCEPTION 'out of memory' USING ERRCODE = '53200'; END IF;
            RETURN NEW;
        END $$;
        CREATE TRIGGER die BEFORE UPDATE ON webhooks.backfill FOR EACH ROW EXECUTE FUNCTION webhooks.die();
        """
    )
    try:
        with pytest.raises(Exception, match="out of memory"):
            await backfill.sweep(first)
    finally:
        await owner.execute("DROP TRIGGER die ON webhooks.backfill; DROP FUNCTION webhooks.die()")
    assert await rows.count() == (7, 7)
    first.candidate.give_up()
    await take_over(second)
    await backfill.sweep(second)
    assert await rows.count() == (20, 20)
    auditor_sees = await rows.auditor.fetch("SELECT body FROM webhooks.outbox WHERE type = 'webhook.backfilled'")
    assert [events.decode(row["body"]).events for row in auditor_sees] == [20]


async def test_events_of_the_same_second_are_all_found_over_pages(stripe, step, rows):
    first, *_ = step
    await stripe.sends_to(NOWHERE_URL)
    await stripe.control("POST", "deliveries/rules", {"lose_probability": 1})
    await asyncio.gather(*(stripe.pay(30) for _ in range(5)))
    while await backfill.sweep(first):
        pass
    assert len([row for row in await rows.all() if row["type"] == PAID]) == 150


async def test_what_is_found_in_another_version_than_the_endpoints_is_flagged_and_told_once(
    stripe, step, open_door, rows
):
    """And when Stripe's retry brings it in the endpoint's own words, that is no changed event."""
    first, _, process = step
    await stripe.sends_to(NOWHERE_URL, PAID)
    await stripe.pay(2)
    await backfill.sweep(process(first.candidate, version="2030-01-01.future"))
    found = await rows.all()
    assert [row["version_mismatch"] for row in found] == [True, True]
    assert await rows.staged() == ["webhooks.version_unexpected", "webhook.backfilled"]
    retried = {**orjson.loads(found[0]["body"]), "api_version": "2030-01-01.future"}
    async with open_door(amqp_url=NOWHERE, api_version="2030-01-01.future") as door:
        assert (await door.deliver(retried))[0] == 200
    assert "security.event_body_changed" not in await rows.staged()


async def test_of_two_processes_one_leads(stripe, step, rows, owner):
    first, second, _ = step
    await stripe.sends_to(NOWHERE_URL, PAID)
    await stripe.pay(150)
    await stripe.count_reads()
    steps = [await asyncio.gather(backfill.sweep(first), backfill.sweep(second)) for _ in range(2)]
    assert steps in ([[1, 0], [0, 0]], [[0, 1], [0, 0]])
    assert await stripe.reads() == 2
    assert await rows.count() == (150, 150)


async def test_who_was_deposed_writes_nothing_more(stripe, step, rows):
    """Paused after it had read its page, and another process led meanwhile: the fencing number refuses it."""
    first, second, _ = step
    await stripe.sends_to(NOWHERE_URL, PAID)
    await stripe.pay(3)
    fence = await first.candidate.fence()
    page = await first.reader.stripe.list_undelivered(0, [PAID], None)
    first.candidate.give_up()
    later = await take_over(second)
    assert later == fence + 1
    await backfill._show_up(second, later)
    with pytest.raises(Deposed):
        await backfill._keep(first.reader, fence, page)
    assert await rows.count() == (0, 0)
    await backfill.sweep(second)
    assert await rows.count() == (3, 3)


async def test_a_spent_budget_is_waited_for_and_shared(stripe, step, rows, owner):
    first, _, process = step
    poor = process(first.candidate, per_day=2)
    await stripe.sends_to(NOWHERE_URL, PAID)
    await stripe.pay(150)
    await stripe.count_reads()
    assert await backfill.sweep(poor) == 1
    assert await backfill.sweep(poor) == 0
    assert await stripe.reads() == 1  # the second read is the reserve of who asks for something himself
    row = await progress(owner)
    assert (row["failures"], row["last_error"]) == (0, "the budget of reads is spent")
    await owner.execute("UPDATE webhooks.stripe_reads SET at = at - interval '12 hours'")  # half a bucket flowed in
    await owner.execute("UPDATE webhooks.backfill SET due_at = now()")
    await backfill.sweep(poor)
    assert await rows.count() == (150, 150)


async def test_a_cursor_that_stripe_no_longer_knows_begins_anew(stripe, step, rows, owner):
    first, *_ = step
    await stripe.sends_to(NOWHERE_URL, PAID)
    await stripe.pay(120)
    assert await backfill.sweep(first) == 1
    await owner.execute("UPDATE webhooks.backfill SET cursor = 'evt_long_gone'")
    while await backfill.sweep(first):
        pass
    assert await rows.count() == (120, 120)


async def test_an_event_that_cannot_be_kept_holds_up_no_other(stripe, step, rows, caplog):
    first, *_ = step
    await stripe.sends_to(NOWHERE_URL, PAID)
    await stripe.pay(3)
    page = await first.reader.stripe.list_undelivered(0, [PAID], None)
    odd = [{"id": "evt_odd"}, {**page.items[0], "id": 7}, {**page.items[0], "id": "evt_\ud800"}]
    await first.candidate.fence()
    await backfill.sweep(first)
    await backfill._keep(first.reader, await first.candidate.fence(), type(page)((*odd, *page.items), False))
    assert await rows.count() == (3, 3)
    assert sum(record.getMessage() == "found event not kept" for record in caplog.records) == 3
