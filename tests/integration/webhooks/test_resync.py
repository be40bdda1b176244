"""Somebody asks for an object; what Stripe says of it now is announced as a fresh hint."""

import asyncio
from uuid import UUID, uuid4

import pytest

from services.webhooks.actions import resync
from services.webhooks.domain import NotResyncable
from shared import events
from shared.db import open_pool
from shared.errors import Invalid
from tests.stripe_events import an_event


@pytest.fixture
async def pool(clean):
    async with open_pool(clean.url("webhooks"), "webhooks", clean.prefix) as pool:
        yield pool


@pytest.fixture
def ask(pool):
    async def ask(object_id):
        async with pool.request() as conn:  # as a page of the staff does
            return await resync.request(conn, object_id, "staff ada", "the customer says he paid")

    return ask


@pytest.fixture
def ended(owner):
    async def ended(resync_id):
        async with asyncio.timeout(40):
            while True:
                row = await owner.fetchrow("SELECT * FROM webhooks.resyncs WHERE id = $1", resync_id)
                if row["finished_at"]:
                    return row
                await asyncio.sleep(0.03)

    return ended


async def test_a_payment_is_told_as_it_is_now_each_time_anew(stripe, open_door, asking, ask, ended, heard, owner):
    (paid,) = await stripe.pay()
    async with open_door(**asking):
        ids = [await ask(paid), await ask(paid)]
        rows = [await ended(each) for each in ids]
        messages = await heard.at_least(2, "payment.succeeded")
    told = [events.decode(message.body) for message in messages]
    assert [row["state"] for row in rows] == ["told", "told"]
    assert {each.payment.payment_intent_id for each in told} == {paid}
    assert len({each.id for each in told}) == 2
    assert {each.stripe_event_id for each in told} == {f"{paid} at resync {each}" for each in ids}
    audited = await owner.fetch("SELECT actor, reason FROM audit.log WHERE subject = $1", f"stripe {paid}")
    assert [tuple(row) for row in audited] == [("staff ada", "the customer says he paid")] * 2


async def test_an_event_and_an_order_name_their_payment(stripe, open_door, asking, ask, ended, heard):
    await stripe.sends_to("http://127.0.0.1:1")
    (paid,) = await stripe.pay()
    await stripe.control("POST", "search", {"lag_s": 0})
    intent = (await stripe.control("GET", "payment_intents"))["payment_intents"][0]
    async with stripe.http.get(
        f"{stripe.url}/v1/events?type=payment_intent.succeeded", headers={"Authorization": "Bearer sk_test_standin"}
    ) as response:
        event_id = (await response.json())["data"][0]["id"]
    async with open_door(**{**asking, "backfill_step_s": 0.2}):
        for object_id in (event_id, intent["metadata"]["order_id"]):
            assert (await ended(await ask(object_id)))["state"] == "told"
        messages = await heard.at_least(2, "payment.succeeded")
    assert {events.decode(message.body).payment.payment_intent_id for message in messages} == {paid}


async def test_an_unknown_object_is_recorded_and_not_asked_for_again(stripe, open_door, asking, ask, ended):
    async with open_door(**asking):
        row = await ended(await ask("pi_nobody_knows"))
        event = await ended(await ask("evt_nobody_knows"))
    assert (row["state"], row["tries"]) == ("unknown_object", 1)
    assert event["state"] == "unknown_object"


@pytest.mark.parametrize("metadata", [{}, {"metadata[order_id]": "4711"}])
async def test_a_payment_of_somebody_else_is_not_ours(stripe, open_door, asking, ask, ended, heard, metadata):
    form = {"amount": "900", "currency": "usd", "confirm": "true", "payment_method": "pm_card_visa", **metadata}
    intent = await stripe.post("payment_intents", **form, return_url="http://127.0.0.1/")
    async with open_door(**asking):
        row = await ended(await ask(intent["id"]))
    assert row["state"] == "not_ours"
    assert heard.of("payment.") == []


async def test_one_that_nobody_has_begun_to_pay_says_nothing(stripe, open_door, asking, ask, ended, heard):
    intent = await stripe.post("payment_intents", amount="900", currency="usd", **{"metadata[order_id]": str(uuid4())})
    async with open_door(**asking):
        row = await ended(await ask(intent["id"]))
    assert row["state"] == "nothing_to_tell"
    assert "requires_payment_method" in row["detail"]


async def test_it_waits_until_stripe_is_back(stripe, open_door, asking, ask, ended, owner):
    (paid,) = await stripe.pay()
    fault = {"kind": "error_before", "method": "GET", "path": f"/v1/payment_intents/{paid}", "times": None}
    await stripe.control("POST", "faults", fault)
    async with open_door(**asking):
        wanted = await ask(paid)
        for tries in (1, 2):
            async with asyncio.timeout(40):
                while not await owner.fetchval(  # while it is under way it is due in a minute; it also comes by itself
                    "SELECT tries >= $2 AND detail IS NOT NULL AND due_at < now() + interval '30 s' "
                    "FROM webhooks.resyncs WHERE id = $1", wanted, tries,
                ):  # fmt: skip
                    await asyncio.sleep(0.03)
            if tries == 2:
                await stripe.control("DELETE", "faults")
            await owner.execute("UPDATE webhooks.resyncs SET due_at = now()")
        row = await ended(wanted)
    assert (row["state"], row["tries"] >= 3) == ("told", True)


async def test_an_order_is_searched_for_as_long_as_stripes_search_may_lag(stripe, open_door, asking, ask, ended, owner):
    await stripe.control("POST", "search", {"lag_s": 3600})
    await stripe.pay()
    intent = (await stripe.control("GET", "payment_intents"))["payment_intents"][0]
    late, none = await ask(intent["metadata"]["order_id"]), await ask(str(uuid4()))
    await owner.execute("UPDATE webhooks.resyncs SET tries = 9")  # whatever they were spent on
    await owner.execute("UPDATE webhooks.resyncs SET requested_at = now() - interval '61 min' WHERE id = $1", none)
    async with open_door(**asking):
        assert (await ended(none))["state"] == "unknown_object"
        async with asyncio.timeout(40):
            while not await owner.fetchval("SELECT detail FROM webhooks.resyncs WHERE id = $1", late):
                await asyncio.sleep(0.03)
        await stripe.control("POST", "search", {"lag_s": 0})
        await owner.execute("UPDATE webhooks.resyncs SET due_at = now() WHERE state = 'waiting'")
        assert (await ended(late))["state"] == "told"


@pytest.mark.parametrize("object_id", ["", "cus_123", "pi_", "pi_1; DROP", "pi_\u0000", "x" * 500])
async def test_what_names_no_payment_is_refused(ask, object_id):
    with pytest.raises(NotResyncable):
        await ask(object_id)


async def test_a_reason_is_needed(pool):
    async with pool.worker() as conn:
        with pytest.raises(Invalid):
            await resync.request(conn, "pi_1", "ada", "  ")
        assert isinstance(await resync.request(conn, "pi_1", "ada", "why not"), UUID)


async def test_an_event_that_is_stored_needs_no_read_to_find_its_payment(stripe, open_door, asking, ask, ended):
    (paid,) = await stripe.pay()
    event = an_event()
    event["data"]["object"]["id"] = paid
    await stripe.count_reads("/v1/events/*")
    async with open_door(**asking) as door:
        assert (await door.deliver(event))[0] == 200
        assert (await ended(await ask(event["id"])))["state"] == "told"
    assert await stripe.reads("/v1/events/*") == 0
