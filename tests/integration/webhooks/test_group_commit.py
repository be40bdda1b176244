"""Many requests, one commit: each has the outcome it would have had alone, and what waits is bounded."""

import asyncio
import time
from dataclasses import replace
from functools import partial

import pytest
from pydantic import SecretStr

from services.webhooks import domain
from services.webhooks.actions import group_commit
from services.webhooks.actions.group_commit import GroupCommit, Limits, NotStorable, NotStored, Overloaded
from services.webhooks.store.deliveries import Delivery
from shared import events
from shared.db import open_session
from tests.integration.webhooks.conftest import NOWHERE
from tests.integration.webhooks.wire import Wire
from tests.stripe_events import a_payment_intent, an_event, body_of, signature

VERSION = "2026-09-30.endive"
LIMITS = Limits(waiting_rows=1000, waiting_bytes=2**24, batch_rows=256, batch_bytes=2**22, timeout_s=20)


def a_delivery(event=None, signed_at: int = 1, **changes) -> Delivery:
    body = body_of(event or an_event())
    delivery = Delivery(domain.read(body), body, {}, "127.0.0.1", signed_at, None, "received")
    return replace(delivery, **changes)


def session_to(database, url: str | None = None):
    role = f"{database.prefix}_webhooks_request"
    return partial(open_session, url or database.url("webhooks"), "webhooks", role, timeout_s=20)


@pytest.fixture
async def held(clean):
    """A queue whose writer is started by the test, so that what gathers before is one batch."""
    return GroupCommit(session_to(clean), VERSION, LIMITS)


async def together(commits: GroupCommit, *deliveries: Delivery, writers: int = 1) -> list[object]:
    """Lets all of them gather, then starts the writers; answers outcomes and errors in the order of the deliveries."""
    stores = [asyncio.ensure_future(commits.store(delivery)) for delivery in deliveries]
    await asyncio.sleep(0)
    async with group_commit.running(commits, writers, drain_s=5):
        return await asyncio.gather(*stores, return_exceptions=True)


def commits_so_far() -> float:
    return group_commit.BATCH_ROWS._sum.get(), sum(bucket.get() for bucket in group_commit.BATCH_ROWS._buckets)


async def test_what_has_gathered_is_stored_by_one_commit(held, rows):
    rows_before, commits_before = commits_so_far()
    assert await together(held, *(a_delivery() for _ in range(50))) == ["received"] * 50
    assert await rows.count() == (50, 50)
    assert len({row["received_at"] for row in await rows.all()}) == 1  # one transaction, one time
    rows_after, commits_after = commits_so_far()
    assert (rows_after - rows_before, commits_after - commits_before) == (50, 1)


async def test_each_of_a_batch_has_the_outcome_it_would_have_had_alone(held, rows):
    old, twice, changed = an_event(), an_event(), an_event()
    assert await together(held, a_delivery(old)) == ["received"]
    other = {**changed, "data": {"object": a_payment_intent(amount_received=1)}}
    outcomes = await together(
        GroupCommit(held._session, VERSION, LIMITS),
        a_delivery(twice),
        a_delivery(old, signed_at=2),
        a_delivery(twice, signed_at=2),
        a_delivery(old, signed_at=1),
        a_delivery(changed),
        a_delivery(other, signed_at=2),
        a_delivery(state="ignored", error="no other service hears of this"),
        a_delivery(state="ignored", error="the event is of the other mode"),
        a_delivery(twice, signed_at=1),
    )
    assert outcomes == [
        *("received", "duplicate", "duplicate", "replayed", "received", "body_changed"),
        *("ignored", "other_mode", "replayed"),
    ]
    assert sorted(await rows.staged()) == ["security.event_body_changed"]  # the guard tells of the other mode
    assert await rows.count() == (5, 5)
    assert body_of(changed) in [row["body"] for row in await rows.all()]


@pytest.mark.parametrize("place", [0, 17, 49])
async def test_a_row_that_the_database_refuses_fails_alone(held, rows, caplog, place):
    deliveries = [a_delivery() for _ in range(50)]
    deliveries[place] = a_delivery(client_address="a" * 65)  # longer than its column's check lets through
    outcomes = await together(held, *deliveries)
    refused = outcomes.pop(place)
    assert isinstance(refused, NotStorable)
    assert (refused.status, refused.code) == (500, "event_not_storable")
    assert outcomes == ["received"] * 49
    assert await rows.count() == (49, 49)
    (line,) = [record for record in caplog.records if record.getMessage() == "event not storable"]
    assert (line.stripe_event_id, line.sqlstate) == (deliveries[place].event.id, "23514")


async def test_what_can_not_even_be_sent_fails_alone(held, rows, caplog):
    outcomes = await together(held, a_delivery(), a_delivery(client_address="\ud800"), a_delivery())
    assert [type(outcome) for outcome in outcomes] == [str, NotStorable, str]
    assert await rows.count() == (2, 2)
    assert "\\ud800" not in caplog.text


async def test_two_batches_with_the_same_events_do_not_wait_for_each_other_for_ever(clean, rows):
    """In different orders, by different processes: both insert in the order of the ids."""
    happened = [an_event() for _ in range(60)]
    queues = [GroupCommit(session_to(clean), VERSION, LIMITS) for _ in range(4)]
    orders = (happened, happened[::-1], happened[30:] + happened[:30], happened[::-1])
    async with asyncio.timeout(60):
        outcomes = await asyncio.gather(
            *(
                together(queue, *(a_delivery(event, signed_at=number) for event in order), writers=2)
                for number, (queue, order) in enumerate(zip(queues, orders, strict=True))
            )
        )
    counted = [outcome for some in outcomes for outcome in some]
    assert counted.count("received") == 60
    assert counted.count("duplicate") == 180
    assert await rows.count() == (60, 60)


@pytest.mark.parametrize(
    "changes", [{"waiting_rows": 5}, {"waiting_bytes": 5 * (len(body_of(an_event())) + 2048) + 99}]
)
async def test_what_would_be_too_much_is_turned_away_at_once(clean, rows, changes):
    commits = GroupCommit(session_to(clean), VERSION, replace(LIMITS, **changes))
    outcomes = await together(commits, *(a_delivery() for _ in range(20)))
    assert outcomes[:5] == ["received"] * 5
    assert {type(outcome) for outcome in outcomes[5:]} == {Overloaded}
    assert {(outcome.status, outcome.code, outcome.retry_after_s) for outcome in outcomes[5:]} == {
        (503, "overloaded", 5)
    }
    assert await rows.count() == (5, 5)
    assert await together(GroupCommit(session_to(clean), VERSION, LIMITS), a_delivery()) == ["received"]


async def test_a_batch_has_no_more_rows_or_bytes_than_it_may(held):
    limited = GroupCommit(held._session, VERSION, replace(LIMITS, batch_rows=7, timeout_s=0.05))
    stores = [asyncio.ensure_future(limited.store(a_delivery())) for _ in range(10)]
    await asyncio.sleep(0)
    assert [len(limited._gathered()), len(limited._gathered()), len(limited._gathered())] == [7, 3, 0]
    await asyncio.gather(*stores, return_exceptions=True)
    small = GroupCommit(held._session, VERSION, replace(LIMITS, batch_bytes=5000, timeout_s=0.05))
    stores = [asyncio.ensure_future(small.store(a_delivery(body=b"x" * 9000))) for _ in range(3)]
    await asyncio.sleep(0)
    assert [len(small._gathered()) for _ in range(4)] == [1, 1, 1, 0]  # at least one, however large
    await asyncio.gather(*stores, return_exceptions=True)


async def test_while_the_database_is_away_nothing_piles_up_and_nobody_waits_longer_than_he_may(clean):
    async with Wire.to(clean.url("webhooks")) as wire:
        await wire.cut()
        limits = replace(LIMITS, timeout_s=0.6)
        commits = GroupCommit(session_to(clean, wire.url), VERSION, limits)
        async with group_commit.running(commits, 1, drain_s=1):
            for _ in range(3):
                started = time.monotonic()
                outcomes = await asyncio.gather(
                    *(commits.store(a_delivery()) for _ in range(100)), return_exceptions=True
                )
                assert {type(outcome) for outcome in outcomes} == {NotStored}
                assert time.monotonic() - started < 10  # half of what the others here may wait
            assert (commits._rows, commits._bytes) == (0, 0)
            assert len(commits._queue) <= 100  # those that gave up last; the next request clears them away
            await wire.mend()
            async with asyncio.timeout(40):  # Stripe sends it again; the writer tries twice a second
                while await asyncio.gather(commits.store(a_delivery()), return_exceptions=True) != ["received"]:
                    pass
            assert not commits._queue


async def test_a_request_outlasts_a_database_that_restarts(clean, rows):
    """Cut and mended within a request's time: the request is stored, and Stripe hears of nothing."""
    async with Wire.to(clean.url("webhooks")) as wire:
        commits = GroupCommit(session_to(clean, wire.url), VERSION, LIMITS)
        async with group_commit.running(commits, 1, drain_s=1):
            assert await commits.store(a_delivery()) == "received"
            await wire.cut()
            waiting = asyncio.gather(*(commits.store(a_delivery()) for _ in range(20)))
            await asyncio.sleep(0.3)
            await wire.mend()
            assert await waiting == ["received"] * 20
    assert await rows.count() == (21, 21)


async def test_a_commit_whose_answer_was_lost_is_not_taken_for_a_replay(clean, rows):
    async with Wire.to(clean.url("webhooks")) as wire:
        commits = GroupCommit(session_to(clean, wire.url), VERSION, LIMITS)
        async with group_commit.running(commits, 1, drain_s=1):
            delivery = a_delivery()
            await commits.store(a_delivery())
            wire.mute()  # what we say arrives; what is answered does not
            waiting = asyncio.ensure_future(commits.store(delivery))
            while await rows.count() != (2, 2):
                await asyncio.sleep(0.01)
            await wire.cut()
            await wire.mend()
            assert await waiting == "received"
            assert await commits.store(delivery) == "replayed"  # whereas this is one
    assert await rows.count() == (2, 2)


async def test_what_waits_when_told_to_stop_is_stored_and_answered(held, rows):
    stores = [asyncio.ensure_future(held.store(a_delivery())) for _ in range(30)]
    await asyncio.sleep(0)
    async with group_commit.running(held, 1, drain_s=5):
        pass  # told to stop before the first batch
    assert [store.done() and store.result() for store in stores] == ["received"] * 30
    assert await rows.count() == (30, 30)


async def test_an_answer_of_the_overloaded_says_when_to_come_back(open_door, clean):
    async with open_door(amqp_url=NOWHERE, waiting_rows=1, database_url=SecretStr(clean.url("webhooks"))) as door:
        bodies = [body_of(an_event()) for _ in range(40)]
        async with asyncio.TaskGroup() as group:
            sent = [group.create_task(door.post(body, signature(body))) for body in bodies]
        answers = {(status, problem.get("code")) for status, problem in (each.result() for each in sent)}
        assert (503, "overloaded") in answers
        assert answers <= {(200, None), (503, "overloaded")}
        for body in bodies:
            while (await door.post(body, signature(body)))[0] != 200:
                await asyncio.sleep(0.01)


async def test_another_api_version_is_stored_published_flagged_and_told_once_an_hour(door, rows, heard):
    for _ in range(3):
        assert (await door.deliver(an_event(api_version="2030-01-01.future")))[0] == 200
    assert (await door.deliver(an_event(api_version=None)))[0] == 200
    assert (await door.deliver(an_event()))[0] == 200
    stored = await rows.until("published", 5)
    assert sorted((row["api_version"] or "", row["version_mismatch"]) for row in stored) == [
        ("", True),
        (VERSION, False),
        *[("2030-01-01.future", True)] * 3,
    ]
    told = [events.decode(message.body) for message in await heard.at_least(2, "webhooks.")]
    await asyncio.sleep(0.2)
    assert len(heard.of("webhooks.")) == 2
    assert {(event.received_version, event.expected_version) for event in told} == {
        ("2030-01-01.future", VERSION),
        (None, VERSION),
    }
