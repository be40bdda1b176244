"""Many senders, and senders that die: one copy each, or an honest `unknown`."""

import asyncio
from datetime import timedelta

import asyncpg
import pytest

from services.notifier import actions, jobs, store
from services.notifier.actions import Claim
from services.notifier.domain import Outcome, Reason, Result
from services.notifier.smtp_api import envelope
from shared import events
from shared.ids import uuid7
from tests.integration.notifier.desk import attempts, hear, make_due, only_letter, staged
from tests.unit.notifier.letters import an_order, order_paid, payment_failed

SENDERS = 20


async def send_without_claiming(post, letter) -> None:
    """The obvious program: look what is due, send it, mark it."""
    mail = envelope(letter, post.writer.write(letter, letter.date), post.settings)
    await post.smtp.send(mail)


async def test_without_claims_twenty_senders_send_twenty_copies_and_with_them_one(post, smtp, owner):
    await hear(post, order_paid())
    async with post.pool.worker() as conn:
        (due,) = await store.select_due_for_update(conn, 1)
    await asyncio.gather(*(send_without_claiming(post, due.letter) for _ in range(SENDERS)))
    assert len(smtp.mailbox.all()[0].copies) == SENDERS

    smtp.clear()
    claimed = await asyncio.gather(*(jobs.send_due(post) for _ in range(SENDERS)))

    assert sum(claimed) == 1
    (mail,) = smtp.mailbox.all()
    assert len(mail.copies) == 1
    assert (await only_letter(owner))["state"] == "accepted"


async def test_many_letters_among_many_senders_go_once_each(post, smtp):
    await hear(post, *(order_paid(an_order(email=f"shopper{number}@example.com")) for number in range(60)))

    async def send_all() -> int:
        sent = 0
        while done := await jobs.send_due(post):
            sent += done
        return sent

    assert sum(await asyncio.gather(*(send_all() for _ in range(SENDERS)))) == 60
    mails = smtp.mailbox.all()
    assert len(mails) == 60
    assert all(len(mail.copies) == 1 for mail in mails)


async def test_even_a_sender_that_forgot_the_lock_is_stopped_by_the_database(post):
    await hear(post, order_paid())
    (claim,) = await actions.claim_due(post, 1)

    with pytest.raises(asyncpg.UniqueViolationError, match="attempts"):
        async with post.pool.worker() as conn:
            await store.insert_attempt(conn, uuid7(), claim.letter, "another:1")


async def die_while_sending(post, smtp) -> Claim:
    """The mail went; its sender died before it could write that down."""
    (claim,) = await actions.claim_due(post, 1)
    await send_without_claiming(post, claim.letter)
    return claim


async def run_out_of_lease(owner) -> None:
    await owner.execute("UPDATE notifier.letters SET lease_until = now() - interval '1 second'")


async def test_a_sender_that_died_leaves_an_unknown_that_is_sent_again_only_later(post, smtp, owner):
    await hear(post, order_paid())
    await die_while_sending(post, smtp)

    assert await jobs.give_up_lost(post) == 0  # its lease runs
    await run_out_of_lease(owner)
    assert await jobs.give_up_lost(post) == 1

    letter = await only_letter(owner)
    assert (letter["state"], letter["reason"], letter["unknowns"]) == ("unknown", "sender_died", 1)
    assert timedelta(seconds=870) < letter["due_in"] <= timedelta(seconds=900)
    assert await jobs.send_due(post) == 0
    assert isinstance((await staged(owner))[0], events.MailUnknown)

    await make_due(owner)
    await jobs.send_due(post)

    assert [copy.reply for copy in smtp.mailbox.all()[0].copies] == ["250", "250"]
    assert [(row["outcome"], row["after_unknown"]) for row in await attempts(owner)] == [
        ("unknown", False),
        ("accepted", True),
    ]


async def test_a_failure_mail_whose_sender_died_is_not_sent_again(post, smtp, owner):
    await hear(post, payment_failed())
    await die_while_sending(post, smtp)
    await run_out_of_lease(owner)
    await jobs.give_up_lost(post)

    assert ((await only_letter(owner))["state"], (await only_letter(owner))["due_at"]) == ("unknown", None)


ACCEPTED = Outcome(Result.ACCEPTED, code=250)


async def test_a_sender_given_up_too_early_corrects_the_guess(post, smtp, owner):
    await hear(post, order_paid())
    claim = await die_while_sending(post, smtp)
    await run_out_of_lease(owner)
    await jobs.give_up_lost(post)

    async with post.pool.worker() as conn:
        await actions.record(conn, claim, ACCEPTED, post.terms)

    letter = await only_letter(owner)
    assert (letter["state"], letter["unknowns"], letter["due_at"]) == ("accepted", 0, None)
    assert isinstance((await staged(owner))[-1], events.MailAccepted)


async def test_a_late_outcome_moves_nothing_once_the_letter_went_again(post, smtp, owner):
    await hear(post, order_paid())
    claim = await die_while_sending(post, smtp)
    await run_out_of_lease(owner)
    await jobs.give_up_lost(post)
    await make_due(owner)
    await jobs.send_due(post)
    before = await only_letter(owner)

    async with post.pool.worker() as conn:
        await actions.record(conn, claim, Outcome(Result.REFUSED, Reason.POLICY, 550), post.terms)

    after = await only_letter(owner)
    assert (after["state"], after["attempts"], after["unknowns"]) == ("accepted", 2, before["unknowns"])


async def test_an_outcome_recorded_twice_counts_once(post, owner):
    await hear(post, order_paid())
    (claim,) = await actions.claim_due(post, 1)
    for _ in range(2):
        async with post.pool.worker() as conn:
            await actions.record(conn, claim, ACCEPTED, post.terms)

    assert len(await staged(owner)) == 1


async def test_a_database_put_back_to_before_sends_nothing_again(make_post, smtp, owner, tmp_path):
    journal = tmp_path / "sent"
    await hear(make_post(journal=journal), order_paid(order := an_order()))
    await jobs.send_due(make_post(journal=journal))
    assert len(smtp.mailbox.all()) == 1

    await owner.execute("TRUNCATE notifier.letters, notifier.paid_orders, notifier.outbox CASCADE")
    restarted = make_post(journal=journal)
    await hear(restarted, order_paid(order))
    await jobs.send_due(restarted)

    (mail,) = smtp.mailbox.all()
    assert len(mail.copies) == 1
    letter = await only_letter(owner)
    assert (letter["state"], letter["reason"], letter["due_at"]) == ("unknown", "journalled", None)
    assert await owner.fetchval("SELECT count(*) FROM audit.log WHERE action = 'hold_letter'") == 1


async def test_the_journal_lets_ordinary_retries_through_also_after_a_restart(make_post, smtp, owner, tmp_path):
    journal = tmp_path / "sent"
    smtp.faults.order("storage_full")
    await hear(make_post(journal=journal), order_paid())
    await jobs.send_due(make_post(journal=journal))
    await make_due(owner)
    await jobs.send_due(make_post(journal=journal))

    assert (await only_letter(owner))["state"] == "accepted"
