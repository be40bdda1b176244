"""The jobs when something is wrong: with a row, with the database, with one slow server, with the process itself."""

import asyncio
import contextlib

import asyncpg

from services.notifier import actions, jobs
from shared.loop import Stop
from shared.metrics import REGISTRY
from tests.integration.notifier.desk import attempts, hear, make_due, only_letter
from tests.unit.notifier.letters import an_order, order_paid


async def test_a_letter_that_can_not_be_read_holds_up_no_other(post, smtp, owner, caplog):
    await hear(post, order_paid(an_order(email="bad@example.com")), order_paid())
    await owner.execute("UPDATE notifier.letters SET facts = '{\"order\": {}}' WHERE recipient = 'bad@example.com'")

    await jobs.send_due(post)

    assert [mail.recipients for mail in smtp.mailbox.all()] == [("ada@example.com",)]
    assert "letter unreadable" in caplog.text
    assert await jobs.send_due(post) == 0


async def test_a_letter_that_can_not_be_composed_is_tried_later_and_holds_up_no_other(post, smtp, owner, caplog):
    await hear(post, order_paid(an_order(email="bad@example.com", currency="xyz")), order_paid())

    await jobs.send_due(post)

    assert [mail.recipients for mail in smtp.mailbox.all()] == [("ada@example.com",)]
    assert "letter not composed" in caplog.text
    reasons = await owner.fetch("SELECT state, reason FROM notifier.letters WHERE recipient = 'bad@example.com'")
    assert [tuple(row) for row in reasons] == [("pending", "not_composed")]


WAITERS = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'kct notifier' AND wait_event_type = 'Lock'"
STOP_WAITERS = WAITERS.replace("*", "pg_terminate_backend(pid)")


async def test_an_outcome_survives_a_database_that_goes_away_while_it_is_written(post, smtp, owner, database):
    await hear(post, order_paid())
    (claim,) = await actions.claim_due(post, 1)
    holder = await asyncpg.connect(database.owner_url)
    async with holder.transaction():
        await holder.execute("SELECT FROM notifier.letters FOR UPDATE")
        delivering = asyncio.create_task(actions.deliver(post, claim))
        async with asyncio.timeout(60):
            while not await owner.fetchval(STOP_WAITERS):
                await asyncio.sleep(0.02)
    await holder.close()
    await delivering

    assert (await only_letter(owner))["state"] == "accepted"
    assert len(smtp.mailbox.all()[0].copies) == 1


async def test_an_outcome_survives_a_deadlock(post, smtp, owner, database):
    await hear(post, order_paid())
    (claim,) = await actions.claim_due(post, 1)
    holder = await asyncpg.connect(database.owner_url)
    # On a very busy machine the sender looks too soon, and the other one steps back.
    with contextlib.suppress(asyncpg.DeadlockDetectedError):
        async with holder.transaction():
            await holder.execute("SELECT FROM notifier.attempts FOR UPDATE")
            delivering = asyncio.create_task(actions.deliver(post, claim))
            async with asyncio.timeout(60):
                while not await owner.fetchval(WAITERS):
                    await asyncio.sleep(0.02)
            # Whoever has waited longest looks for a deadlock first, and steps back: the sender.
            await holder.execute("SELECT FROM notifier.letters FOR UPDATE")
    await holder.close()
    await delivering

    assert (await only_letter(owner))["state"] == "accepted"
    assert len(smtp.mailbox.all()[0].copies) == 1


async def test_nothing_is_sent_while_the_journal_can_not_be_written(make_post, smtp, owner, tmp_path, caplog):
    post = make_post(journal=tmp_path / "sent")
    post.journal._file.execute("PRAGMA query_only = ON")
    await hear(post, order_paid())
    await jobs.send_due(post)

    letter = await only_letter(owner)
    assert (letter["state"], letter["reason"], letter["unknowns"]) == ("pending", "journal", 0)
    assert "journal not written" in caplog.text
    assert smtp.mailbox.all() == []

    post.journal._file.execute("PRAGMA query_only = OFF")
    await make_due(owner)
    await jobs.send_due(post)

    assert (await only_letter(owner))["state"] == "accepted"
    assert len(smtp.mailbox.all()) == 1


async def test_figures_say_what_waits_and_what_became_of_it(post, smtp, owner):
    def count(outcome: str) -> float:
        name, labels = "notifier_letters_total", {"kind": "order_confirmation", "outcome": outcome}
        return REGISTRY.get_sample_value(name, labels) or 0.0

    before = {outcome: count(outcome) for outcome in ("written", "repeated", "deferred", "accepted")}
    event = order_paid()
    smtp.faults.order("storage_full")
    await hear(post, event, event)
    await jobs.send_due(post)
    await jobs.measure(post.pool)
    waiting = {"kind": "order_confirmation", "state": "pending"}
    assert REGISTRY.get_sample_value("notifier_letters_waiting", waiting) == 1
    await make_due(owner)
    await jobs.send_due(post)
    await jobs.measure(post.pool)

    assert {outcome: count(outcome) - before[outcome] for outcome in before} == dict.fromkeys(before, 1)
    assert REGISTRY.get_sample_value("notifier_letters_waiting", waiting) == 0


async def test_one_slow_server_holds_up_only_its_own_letter(make_post, smtp, owner):
    post = make_post(smtp_timeout_s=600, conversation_s=600, lease_s=900, concurrency=2)
    smtp.faults.order("slow_reply", recipient="slow@example.com", seconds=600)
    await hear(post, order_paid(an_order(email="slow@example.com")), *(order_paid() for _ in range(10)))
    desk = jobs.Desk(post)

    async with asyncio.timeout(90):
        while await count(owner, "accepted") < 10:
            await desk.send_due()
    assert await count(owner, "sending") == 1

    # A process that stops cuts what takes too long: its lease will tell.
    await desk.finish(Stop(0.1))
    assert [row["outcome"] for row in await attempts(owner)].count(None) == 1


async def count(owner, state: str) -> int:
    return await owner.fetchval("SELECT count(*) FROM notifier.letters WHERE state = $1", state)


async def test_an_outcome_that_can_not_be_written_leaves_an_open_attempt(post, smtp, owner, caplog):
    await hear(post, order_paid())
    await owner.execute("ALTER TABLE notifier.attempts ADD CONSTRAINT impossible CHECK (code IS NULL)")
    desk = jobs.Desk(post)
    try:
        assert await desk.send_due() == 1
        await desk.finish(Stop(60))
    finally:
        await owner.execute("ALTER TABLE notifier.attempts DROP CONSTRAINT impossible")

    assert "letter not settled" in caplog.text
    assert [row["outcome"] for row in await attempts(owner)] == [None]
    assert (await only_letter(owner))["state"] == "sending"


async def test_what_is_old_is_forgotten(post, owner):
    await owner.execute(
        "INSERT INTO notifier.inbox SELECT 'c', gen_random_uuid(), now() - make_interval(days => age) "
        "FROM unnest('{0, 44, 46}'::int[]) AS age"
    )
    assert await jobs.purge(post) == 1
    assert await owner.fetchval("SELECT count(*) FROM notifier.inbox") == 2
