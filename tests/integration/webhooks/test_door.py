"""What happens to an event that is Stripe's: stored once, before it is answered."""

import asyncio
import time

import pytest

from services.webhooks.actions.counting import EVENTS
from services.webhooks.actions.receiving import EVENT_AGE
from shared import events, tracing
from tests.stripe_events import (
    OTHER_SECRET,
    SECRET,
    a_payment_intent,
    a_refused_intent,
    an_event,
    body_of,
    signature,
)

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_an_event_is_stored_as_it_came_and_published(door, rows, heard):
    event = an_event()
    body = body_of(event)
    assert await door.post(body, signature(body)) == (200, {"received": True})

    (message,) = await heard.at_least(1)
    told = events.decode(message.body)
    assert isinstance(told, events.PaymentSucceeded)
    assert told.stripe_event_id == event["id"]
    assert str(told.payment.order_id) == event["data"]["object"]["metadata"]["order_id"]
    assert (message.message_id, message.type) == (str(told.id), "payment.succeeded")

    (row,) = await rows.until("published")
    assert row["body"] == body
    assert (row["stripe_event_id"], row["type"]) == (event["id"], event["type"])
    assert (row["object_id"], row["api_version"]) == (event["data"]["object"]["id"], event["api_version"])
    assert (row["livemode"], row["client_address"]) == (False, "127.0.0.1")
    assert "application/json" in row["headers"]
    assert row["published_at"] is not None


async def test_the_row_is_there_when_the_answer_is(open_door, rows):
    async with open_door(amqp_url="amqp://127.0.0.1:1/") as door:  # a broker that is away holds nothing up
        for sent in range(1, 6):
            assert (await door.deliver(an_event()))[0] == 200
            assert await rows.count() == (sent, sent)
    assert {row["state"] for row in await rows.all()} == {"received"}


async def test_the_same_event_again_has_no_effect(door, rows, heard):
    event = an_event()
    for _ in range(3):
        assert (await door.deliver(event))[0] == 200
    await rows.until("published")
    await heard.at_least(1, "payment.")
    await asyncio.sleep(0.3)
    assert await rows.count() == (1, 1)
    assert len(heard.of("payment.")) == 1
    assert await rows.staged() == []


async def test_the_same_event_with_fewer_deliveries_pending_is_the_same_event(door, rows):
    event = an_event()
    await door.deliver(event)
    assert (await door.deliver({**event, "pending_webhooks": 0}))[0] == 200
    assert await rows.staged() == []


async def test_the_same_id_with_another_body_raises_an_alarm_and_changes_nothing(door, rows, heard):
    event = an_event()
    await door.deliver(event)
    other = {**event, "data": {"object": a_payment_intent(amount_received=1)}}
    assert (await door.deliver(other))[0] == 200

    (alarm,) = await heard.at_least(1, "security.")
    told = events.decode(alarm.body)
    assert isinstance(told, events.SecurityEventBodyChanged)
    assert event["id"] in told.detail
    assert (await rows.one())["body"] == body_of(event)
    assert len(await heard.at_least(1, "payment.")) == 1


async def test_an_event_of_an_unknown_type_is_stored_and_answered(door, rows, heard):
    assert (await door.deliver(an_event("treasury.something_new", {"id": "tr_1"})))[0] == 200
    row = await rows.one()
    assert (row["type"], row["state"]) == ("treasury.something_new", "ignored")
    await asyncio.sleep(0.2)
    assert heard.messages == []


async def test_a_payment_that_is_not_of_this_shop_is_stored_and_left_alone(door, rows, heard):
    assert (await door.deliver(an_event(subject=a_payment_intent(metadata={}))))[0] == 200
    await rows.until("ignored")
    assert heard.messages == []


@pytest.mark.parametrize("ours", [False, True])
async def test_an_event_of_the_other_mode_is_stored_raises_an_alarm_and_is_not_published(open_door, rows, heard, ours):
    async with open_door(livemode=ours) as door:
        assert (await door.deliver(an_event(livemode=not ours)))[0] == 200
        (alarm,) = await heard.at_least(1, "security.livemode_mismatch")
        await asyncio.sleep(0.2)
    row = await rows.one()
    assert (row["state"], row["livemode"]) == ("ignored", not ours)
    assert "mode" in row["error"]
    assert heard.of("payment.") == []
    assert events.decode(alarm.body).client_address == "127.0.0.1"


async def test_a_secret_can_be_rolled_without_losing_an_event(open_door, rows):
    async with open_door(stripe_secrets=(SECRET, OTHER_SECRET)) as door:
        assert (await door.deliver(an_event(), SECRET))[0] == 200  # before
        assert (await door.deliver(an_event(), OTHER_SECRET, SECRET))[0] == 200  # while both are alive
        assert (await door.deliver(an_event(), OTHER_SECRET))[0] == 200  # after
    async with open_door(stripe_secrets=(OTHER_SECRET,)) as door:
        assert (await door.deliver(an_event(), SECRET))[0] == 400
    assert await rows.count() == (3, 3)


@pytest.mark.parametrize("traceparent", [TRACEPARENT, "nonsense", None])
async def test_the_trace_of_the_payment_goes_on(open_door, rows, heard, traceparent):
    tracing.configure("webhooks", "test")
    intent = a_payment_intent()
    intent["metadata"]["traceparent"] = traceparent
    try:
        async with open_door() as door:
            await door.deliver(an_event(subject=intent))
            (message,) = await heard.at_least(1)
    finally:
        tracing.shutdown()
    stored = (await rows.one())["traceparent"]
    assert message.headers["traceparent"] == stored
    goes_on = stored.split("-")[1] == TRACEPARENT.split("-")[1]
    assert goes_on is (traceparent == TRACEPARENT)


@pytest.mark.parametrize(
    ("stripe_type", "type_"),
    [
        ("payment_intent.payment_failed", "payment.failed"),
        ("payment_intent.processing", "payment.processing"),
        ("payment_intent.requires_action", "payment.action_required"),
        ("payment_intent.canceled", "payment.canceled"),
    ],
)
async def test_each_kind_of_news_travels_under_its_own_name(door, heard, stripe_type, type_):
    await door.deliver(an_event(stripe_type, a_refused_intent()))
    await heard.at_least(1, type_)


async def test_healthz_and_readyz_answer(door):
    async with asyncio.timeout(30):
        for path in ("/healthz", "/readyz"):
            while True:
                async with door.session.get(door.url + path) as response:
                    if response.status == 200:
                        break
                await asyncio.sleep(0.1)


async def test_events_are_counted_by_known_types_and_measured_by_age(door):
    def count(type_: str, outcome: str) -> float:
        return EVENTS.labels(type=type_, outcome=outcome)._value.get()

    paid = "payment_intent.succeeded"
    series = [(paid, "received"), (paid, "duplicate"), ("other", "ignored")]
    before = [count(*each) for each in series]
    aged_before = EVENT_AGE._sum.get()
    event = an_event(created=int(time.time()) - 60)
    again = signature(body_of(event), at=time.time() + 60)  # Stripe signs a retry anew
    await door.deliver(event)
    await door.post(body_of(event), again)
    await door.deliver(an_event("treasury.something_new"))
    assert [count(*each) for each in series] == [value + 1 for value in before]
    assert EVENT_AGE._sum.get() - aged_before >= 59


@pytest.mark.parametrize(("trusted_hops", "address"), [(0, "127.0.0.1"), (1, "3.18.12.63")])
async def test_the_address_kept_is_the_one_our_own_proxy_saw(open_door, rows, trusted_hops, address):
    body = body_of(an_event())
    async with open_door(trusted_hops=trusted_hops) as door:
        await door.post(body, signature(body), **{"X-Forwarded-For": "10.9.8.7, 3.18.12.63"})
    assert (await rows.one())["client_address"] == address
