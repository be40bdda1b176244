"""From events to letters: one fact, one letter, and none that is untrue by the time it goes."""

import asyncio

import asyncpg
import pytest

from services.notifier import actions, consumers, jobs, store
from services.notifier.domain import State
from shared import inbox
from shared.ids import uuid7
from tests.integration.notifier.desk import hear, make_due, only_letter
from tests.unit.notifier.letters import (
    an_order,
    order_paid,
    order_refunded,
    order_shipped,
    payment_failed,
    refund_failed,
)


async def states(owner) -> dict[str, str]:
    rows = await owner.fetch("SELECT kind, state FROM notifier.letters")
    return {row["kind"]: row["state"] for row in rows}


async def test_the_same_event_twice_makes_one_mail(post, smtp):
    event = order_paid()
    await hear(post, event, event)
    await jobs.send_due(post)

    (mail,) = smtp.mailbox.all()
    assert len(mail.copies) == 1


async def test_two_event_ids_for_one_fact_make_one_mail(post, smtp):
    order = an_order()
    await hear(post, order_paid(order), order_paid(order))
    failure = payment_failed(an_order(email="bob@example.com"))
    await hear(post, failure, failure.model_copy(update={"id": uuid7()}))

    await jobs.send_due(post)

    assert sorted(mail.recipients[0] for mail in smtp.mailbox.all()) == ["ada@example.com", "bob@example.com"]
    assert all(len(mail.copies) == 1 for mail in smtp.mailbox.all())


async def test_events_heard_at_the_same_instant_make_one_letter(post, owner):
    order = an_order()
    events = [order_paid(order) for _ in range(10)]
    await asyncio.gather(*(hear(post, event) for event in events))

    assert await owner.fetchval("SELECT count(*) FROM notifier.letters") == 1


async def test_two_declines_are_two_facts_and_two_mails(post, smtp):
    order = an_order()
    await hear(post, payment_failed(order), payment_failed(order))
    await jobs.send_due(post)

    assert len(smtp.mailbox.all()) == 2


async def test_a_failure_mail_waits_for_another_card(make_post, smtp, owner):
    post = make_post(failure_grace_s=120)
    await hear(post, payment_failed())

    assert await jobs.send_due(post) == 0
    seconds = (await only_letter(owner))["due_in"].total_seconds()
    assert 110 < seconds <= 120


async def test_a_failure_mail_is_withdrawn_when_the_order_is_paid_in_time(post, smtp, owner):
    order = an_order()
    await hear(post, payment_failed(order), order_paid(order))
    await jobs.send_due(post)

    assert await states(owner) == {"payment_failed": "withdrawn", "order_confirmation": "accepted"}
    (mail,) = smtp.mailbox.all()
    assert "thank you" in mail.subject


async def test_a_failure_heard_after_the_payment_is_never_sent(post, smtp, owner):
    order = an_order()
    await hear(post, order_paid(order), payment_failed(order))
    await jobs.send_due(post)

    assert await states(owner) == {"payment_failed": "withdrawn", "order_confirmation": "accepted"}
    assert len(smtp.mailbox.all()) == 1


async def test_truth_is_checked_again_when_the_letter_goes(post, smtp, owner):
    """Both consumers ran at once and neither saw the other's rows: what is left is the check before sending."""
    order = an_order()
    await hear(post, payment_failed(order))
    async with post.pool.worker() as conn:
        await store.insert_paid_order(conn, order_paid(order))

    await jobs.send_due(post)

    assert await states(owner) == {"payment_failed": "withdrawn"}
    assert smtp.mailbox.all() == []


async def test_a_deferred_failure_mail_is_withdrawn_too(post, smtp, owner):
    order = an_order()
    smtp.faults.order("greylist", seconds=60)
    await hear(post, payment_failed(order))
    await jobs.send_due(post)
    await hear(post, order_paid(order))
    await make_due(owner)
    await jobs.send_due(post)

    assert await states(owner) == {"payment_failed": "withdrawn", "order_confirmation": "accepted"}


async def test_a_failed_payment_of_another_order_stays_true(post, smtp):
    await hear(post, payment_failed(), order_paid(an_order(email="bob@example.com")))
    await jobs.send_due(post)

    assert len(smtp.mailbox.all()) == 2


async def test_hearing_touches_nothing_when_its_transaction_fails(post, owner):
    async def hear_and_die() -> None:
        async with post.pool.worker() as conn:
            event = order_paid()
            assert await inbox.claim(conn, "notifier.on_order_paid", event.id)
            await consumers.on_order_paid(conn, event, terms=post.terms)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        await hear_and_die()
    assert await owner.fetchval("SELECT count(*) FROM notifier.letters") == 0
    assert await owner.fetchval("SELECT count(*) FROM notifier.inbox") == 0


async def test_a_request_role_sees_no_letter_at_all(post):
    await hear(post, order_paid())
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with post.pool.request(order_id=uuid7()) as conn:
            await conn.fetch("SELECT * FROM letters")


async def test_the_worker_can_neither_delete_letters_nor_rewrite_what_they_say(post):
    await hear(post, order_paid())
    for statement in ("DELETE FROM letters", "UPDATE letters SET recipient = 'eve@example.com'"):
        with pytest.raises(asyncpg.InsufficientPrivilegeError):
            async with post.pool.worker() as conn:
                await conn.execute(statement)


async def test_row_level_security_is_forced_and_the_auditor_reads_everything(post, owner, clean):
    await hear(post, order_paid())
    rows = await owner.fetch(
        "SELECT relname, relrowsecurity, relforcerowsecurity FROM pg_class "
        "WHERE relnamespace = 'notifier'::regnamespace AND "
        "relname IN ('letters', 'attempts', 'paid_orders', 'failed_refunds')"
    )
    assert len(rows) == 4
    assert all(row["relrowsecurity"] and row["relforcerowsecurity"] for row in rows)
    auditor = await asyncpg.connect(clean.auditor_url)
    try:
        assert await auditor.fetchval("SELECT state FROM notifier.letters") == State.PENDING
        assert await auditor.fetchval("SELECT count(*) FROM notifier.paid_orders") == 1
    finally:
        await auditor.close()


async def test_each_parcel_and_each_refund_is_one_mail_however_often_it_is_told(post, smtp):
    order = an_order()
    told = [order_shipped(order, "part_shipped"), order_shipped(order), order_refunded(order, amount_minor=500)]
    for event in told:
        await hear(post, event, event, event.model_copy(update={"id": uuid7()}))
    await jobs.send_due(post)
    assert sorted((mail.subject, len(mail.copies)) for mail in smtp.mailbox.all()) == [
        ("Order K-10042: your parcel is on its way", 1),
        ("Order K-10042: your parcel is on its way", 1),
        ("We have refunded $5.00 for your order K-10042", 1),
    ]


@pytest.mark.parametrize("order_of_events", [[0, 1], [1, 0], [0, 1, 0, 1]])
async def test_a_refund_that_failed_is_not_told_whatever_came_first(post, smtp, owner, order_of_events):
    refunded = order_refunded()
    told = [refunded, refund_failed(refunded)]
    for at in order_of_events:
        await hear(post, told[at])
    await jobs.send_due(post)
    assert await states(owner) == {"order_refunded": "withdrawn"}
    assert smtp.mailbox.all() == []


@pytest.mark.parametrize("order_of_events", [[0, 1], [1, 0]])
async def test_a_refused_refund_that_was_made_after_all_is_told(post, smtp, owner, order_of_events):
    refused = refund_failed(order_refunded())
    made = order_refunded(refused.order).model_copy(update={"refund": refused.refund})
    for at in order_of_events:
        await hear(post, (refused, made)[at])
    await jobs.send_due(post)
    assert await states(owner) == {"order_refunded": "accepted"}
    assert len(smtp.mailbox.all()) == 1


async def test_a_refused_refund_that_was_made_after_all_and_failed_then_is_not_told(post, smtp, owner):
    refused = refund_failed(order_refunded())
    made = order_refunded(refused.order).model_copy(update={"refund": refused.refund})
    await hear(post, refused, made, refund_failed(made))
    await jobs.send_due(post)
    assert await states(owner) == {"order_refunded": "withdrawn"}
    assert smtp.mailbox.all() == []


async def test_a_refund_that_failed_after_its_mail_makes_no_second_one(post, smtp, owner):
    refunded = order_refunded()
    await hear(post, refunded)
    await jobs.send_due(post)
    await hear(post, refund_failed(refunded), refunded)
    await jobs.send_due(post)
    assert await states(owner) == {"order_refunded": "accepted"}
    (mail,) = smtp.mailbox.all()
    assert len(mail.copies) == 1


async def test_success_and_failure_of_a_refund_at_the_same_instant(post, smtp, owner):
    for _ in range(5):
        refunded = order_refunded()
        await asyncio.gather(hear(post, refunded), hear(post, refund_failed(refunded)))
    await jobs.send_due(post)
    assert await states(owner) == {"order_refunded": "withdrawn"}
    assert await owner.fetchval("SELECT count(*) FROM notifier.letters WHERE state <> 'withdrawn'") == 0
    assert smtp.mailbox.all() == []


async def test_a_refund_that_fails_while_its_mail_is_tried_is_not_told_later(post, smtp, owner):
    smtp.faults.order("storage_full")
    refunded = order_refunded()
    await hear(post, refunded)
    (claim,) = await actions.claim_due(post, 1)
    await hear(post, refund_failed(refunded))
    await actions.deliver(post, claim)
    assert await states(owner) == {"order_refunded": "pending"}

    await make_due(owner)
    await jobs.send_due(post)

    assert await states(owner) == {"order_refunded": "withdrawn"}
    assert (await only_letter(owner))["reason"] == "refund_failed"
    assert smtp.mailbox.all() == []
