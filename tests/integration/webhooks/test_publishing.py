"""From the stored row to the broker: nothing that was accepted is left lying, nothing acts twice."""

import asyncio
from collections.abc import Sequence
from uuid import UUID

import asyncpg
import pytest

from services.webhooks import jobs
from services.webhooks.actions import publishing
from services.webhooks.actions.counting import EVENTS
from services.webhooks.app import BUS, RECEIVED
from services.webhooks.handlers import POOL
from services.webhooks.store import deliveries
from services.webhooks.store import publishing as store
from shared import events, inbox
from shared.bus import Message, Options, open_bus
from shared.db import open_pool
from shared.errors import Unavailable
from tests.integration.webhooks.conftest import NOWHERE
from tests.stripe_events import a_payment_intent, an_event, body_of, signature


@pytest.fixture
async def pool(clean):
    async with open_pool(clean.url("webhooks"), "webhooks", clean.prefix) as pool:
        yield pool


@pytest.fixture
async def bus(amqp_url):
    async with open_bus(amqp_url, Options(service="webhooks")) as bus:
        await asyncio.wait_for(bus.wait_connected(), 40)
        yield bus


@pytest.fixture
async def mute_door(open_door):
    """Takes events and has no broker to tell of them."""
    async with open_door(amqp_url=NOWHERE) as door:
        yield door


class DyingBus:
    """Stands in front of the bus; after a publish that got through, the process 'dies' before it can note it."""

    is_connected = True

    def __init__(self, bus) -> None:
        self._bus = bus

    async def publish(self, messages: Sequence[Message]) -> dict[UUID, str]:
        await self._bus.publish(messages)
        raise Unavailable("killed here")


class RefusingBus:
    """A broker that takes nothing."""

    is_connected = True

    async def publish(self, messages: Sequence[Message]) -> dict[UUID, str]:
        return {message.id: "no queue" for message in messages}


async def test_what_a_dead_process_left_is_published_by_the_next_one(open_door, rows, heard):
    async with open_door(amqp_url=NOWHERE) as door:
        sent = [an_event() for _ in range(5)]
        for event in sent:
            assert (await door.deliver(event))[0] == 200
    assert {row["state"] for row in await rows.all()} == {"received"}

    async with open_door():  # nobody rings: it looks by itself
        await rows.until("published", 5)
    told = [events.decode(message.body) for message in await heard.at_least(5, "payment.")]
    assert sorted(event.stripe_event_id for event in told) == sorted(event["id"] for event in sent)


async def test_a_crash_between_publishing_and_noting_it_acts_once(mute_door, rows, heard, pool, bus):
    await mute_door.deliver(an_event())
    with pytest.raises(Unavailable):
        await publishing.publish_batch(pool, DyingBus(bus))
    assert (await rows.one())["state"] == "received"

    assert await publishing.publish_batch(pool, bus) == 1
    twice = await heard.at_least(2, "payment.")
    ids = {events.decode(message.body).id for message in twice}
    assert len(ids) == 1
    async with pool.worker() as conn:
        (event_id,) = ids
        claims = [await inbox.claim(conn, "checkout.on_payment_succeeded", event_id) for _ in twice]
    assert claims == [True, False]


async def test_a_row_that_can_not_be_translated_fails_alone(mute_door, rows, heard, pool, bus, caplog):
    await mute_door.deliver(an_event())
    poison = an_event(subject=a_payment_intent(amount="a lot"))
    await mute_door.deliver(poison)
    await mute_door.deliver(an_event())
    failed_before = EVENTS.labels(type=poison["type"], outcome="failed")._value.get()

    assert await publishing.publish_batch(pool, bus) == 3
    states = {row["stripe_event_id"]: (row["state"], row["error"]) for row in await rows.all()}
    assert states.pop(poison["id"]) == ("failed", "amount is missing or misstated")
    assert set(states.values()) == {("published", None)}
    assert len(await heard.at_least(2, "payment.")) == 2
    assert [line.levelname for line in caplog.records if line.getMessage() == "event not translated"] == ["ERROR"]
    assert EVENTS.labels(type=poison["type"], outcome="failed")._value.get() == failed_before + 1
    assert await publishing.publish_batch(pool, bus) == 0  # and is not tried for ever


async def test_a_row_that_breaks_the_translation_fails_alone_and_repeats_nothing_of_itself(
    mute_door, rows, heard, pool, bus
):
    async with pool.request() as conn:
        await conn.execute(
            """
            INSERT INTO stripe_events (stripe_event_id, type, body, state)
            VALUES ('evt_broken', 'payment_intent.succeeded', 'jane@example.com', 'received')
            """
        )
    await mute_door.deliver(an_event())
    assert await publishing.publish_batch(pool, bus) == 2
    (broken,) = await rows.until("failed")
    assert broken["error"] == "not translated: JSONDecodeError"
    await rows.until("published")


async def test_what_the_broker_refuses_rests_and_is_tried_again(mute_door, rows, heard, pool, bus):
    await mute_door.deliver(an_event())
    assert await publishing.publish_batch(pool, RefusingBus()) == 0
    row = await rows.one()
    assert (row["state"], row["attempts"], row["error"]) == ("received", 1, "no queue")
    assert await publishing.publish_batch(pool, bus) == 0  # it rests

    async with pool.worker() as conn:
        await conn.execute("UPDATE stripe_events SET due_at = now()")
    assert await publishing.publish_batch(pool, bus) == 1
    assert (await rows.one())["state"] == "published"


async def test_two_publishers_share_the_work(mute_door, rows, heard, pool, bus):
    for _ in range(20):
        await mute_door.deliver(an_event())
    await asyncio.gather(*(publishing.publish_batch(pool, bus, limit=7) for _ in range(4)))
    assert {row["state"] for row in await rows.all()} == {"published"}
    messages = await heard.at_least(20, "payment.")
    assert len({message.message_id for message in messages}) == len(messages) == 20


async def test_no_more_bodies_are_in_hand_than_fit(mute_door, pool):
    sent = [an_event() for _ in range(6)]
    for event in sent:
        await mute_door.deliver(event)
    size = len(body_of(sent[0]))
    for most_bytes, expected in ((size * 3 - 10, 3), (1, 1), (size * 100, 5)):
        async with pool.worker() as conn:
            claimed = await store.claim_waiting(conn, 5, most_bytes)
        assert [row.stripe_event_id for row in claimed] == [event["id"] for event in sent[:expected]]


async def test_a_request_wakes_the_publisher(door, rows, heard):
    await asyncio.wait_for(door.app[BUS].wait_connected(), 40)
    assert not door.app[RECEIVED].is_set()
    await door.deliver(an_event())
    await heard.at_least(1, "payment.")


async def test_the_bell_is_heard_at_once_and_silence_is_left_soon(pool):
    class NoBus:
        is_connected = False

    rung = asyncio.Event()
    waiting = asyncio.create_task(jobs.publish_received(pool, NoBus(), rung, rest_s=30))
    await asyncio.sleep(0.05)
    assert not waiting.done()
    rung.set()
    assert await asyncio.wait_for(waiting, 15) == 0
    assert await asyncio.wait_for(jobs.publish_received(pool, NoBus(), rung, rest_s=0.01), 15) == 0


async def test_what_waits_is_measured(mute_door, pool):
    await mute_door.deliver(an_event())
    await mute_door.deliver(an_event("payout.paid"))  # waits for nothing
    await jobs.measure_backlog(pool)
    assert jobs.BACKLOG._value.get() == 1
    assert jobs.BACKLOG_AGE._value.get() > 0


async def test_fifty_at_once_are_one_event(door, rows, heard):
    event = an_event()
    body = body_of(event)
    answers = await asyncio.gather(*(door.post(body, signature(body)) for _ in range(50)))
    assert {status for status, _ in answers} == {200}
    await rows.until("published")
    await heard.at_least(1, "payment.")
    await asyncio.sleep(0.3)
    assert await rows.count() == (1, 1)
    assert len(heard.of("payment.")) == 1


async def test_without_the_unique_id_the_race_would_be_lost(door, rows, clean):
    """The guard off: look first, then insert. All look before the first one has inserted."""
    event_id = "evt_raced"
    together = asyncio.Barrier(5)

    async def look_then_insert() -> None:
        async with door.app[POOL].request() as conn:
            if not await deliveries.select_known(conn, [event_id]):
                await together.wait()
                await conn.execute(
                    """
                    INSERT INTO stripe_events (stripe_event_id, received_at, type, body, state)
                    VALUES ($1, clock_timestamp(), 'payout.paid', '{}', 'ignored')
                    """,
                    event_id,
                )

    await asyncio.gather(*(look_then_insert() for _ in range(5)))
    assert await rows.count() == (0, 5)  # the bug

    event = an_event("payout.paid")
    await asyncio.gather(*(door.deliver(event) for _ in range(5)))
    stored = [row for row in await rows.all() if row["stripe_event_id"] == event["id"]]
    assert len(stored) == 1  # the guard


async def test_a_repeat_that_overtakes_its_original_takes_over_when_that_one_fails(door, rows, owner):
    """While the first holds the id the second waits: its 2xx never rests on something that is then rolled back."""
    event = an_event()
    first = owner.transaction()
    await first.start()
    await owner.execute(
        "INSERT INTO webhooks.stripe_event_ids (id, content_digest) VALUES ($1, $2)", event["id"], b"0" * 32
    )
    second = asyncio.create_task(door.deliver(event))
    await asyncio.sleep(0.2)
    assert not second.done()
    await first.rollback()
    assert (await second)[0] == 200
    assert await rows.count() == (1, 1)


async def test_a_request_may_add_events_and_read_none(mute_door, clean, pool):
    await mute_door.deliver(an_event())
    async with pool.request() as conn:  # it has no session of staff behind it
        assert await conn.fetch("SELECT * FROM stripe_events") == []
    for statement in (
        "SELECT received_at FROM stripe_event_ids",
        "UPDATE stripe_events SET state = 'ignored'",
        "DELETE FROM stripe_events",
        "DELETE FROM stripe_event_ids",
        "SELECT * FROM stripe_events_default",
        "SELECT make_event_partitions(1)",
        "SELECT drop_event_partition('2020-01-01')",
        "INSERT INTO stripe_events (stripe_event_id, type, body, state) VALUES ('e', 't', '', 'published')",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with pool.request() as conn:
                await conn.execute(statement)


async def test_a_worker_may_mark_events_and_change_nothing_else(mute_door, pool):
    await mute_door.deliver(an_event())
    for statement in (
        "UPDATE stripe_events SET body = ''",
        "INSERT INTO stripe_events (stripe_event_id, type, body) VALUES ('e', 't', '')",  # not as if it were delivered
        "SELECT * FROM stripe_events_default",
        "SELECT make_event_partition(now(), true)",
        "DROP TABLE stripe_events_default",
    ):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with pool.worker() as conn:
                await conn.execute(statement)


async def test_row_security_is_forced_on_what_holds_customers_data(owner):
    rows = await owner.fetch(
        """
        SELECT relname FROM pg_class JOIN pg_namespace ON pg_namespace.oid = relnamespace
        WHERE nspname = 'webhooks' AND relname LIKE 'stripe_events%' AND relkind IN ('r', 'p')
          AND NOT (relrowsecurity AND relforcerowsecurity)
        """
    )
    assert rows == []
