"""From a letter that is due to a mail that a server took, or did not."""

import re
from datetime import timedelta

import pytest

from services.notifier import actions, jobs
from services.notifier.smtp_api import envelope
from shared import events
from tests.integration.notifier.desk import attempts, hear, make_due, only_letter, staged
from tests.unit.notifier.letters import an_order, order_paid, payment_failed


async def test_a_paid_order_is_confirmed_once_accepted(post, smtp, owner):
    event = order_paid()
    await hear(post, event)

    assert await jobs.send_due(post) == 1

    (mail,) = smtp.mailbox.all()
    letter = await only_letter(owner)
    assert (letter["state"], letter["due_at"], letter["lease_until"]) == ("accepted", None, None)
    assert mail.message_id == letter["message_id"]
    assert mail.recipients == (event.order.email,)
    (attempt,) = await attempts(owner)
    assert (attempt["outcome"], attempt["code"], attempt["after_unknown"]) == ("accepted", 250, False)
    (told,) = await staged(owner)
    assert isinstance(told, events.MailAccepted)
    assert (told.order_id, told.kind) == (event.order.order_id, "order_confirmation")


async def test_nothing_is_sent_when_nothing_is_due(post, smtp):
    assert await jobs.send_due(post) == 0
    assert smtp.mailbox.all() == []


async def test_greylisting_is_waited_out_as_long_as_the_server_asked(post, smtp, owner):
    smtp.faults.order("greylist", seconds=300)
    await hear(post, order_paid())

    await jobs.send_due(post)

    letter = await only_letter(owner)
    assert letter["state"] == "pending"
    assert timedelta(seconds=280) < letter["due_in"] < timedelta(seconds=365)
    assert await jobs.send_due(post) == 0

    await make_due(owner)
    await jobs.send_due(post)

    assert (await only_letter(owner))["state"] == "accepted"
    assert [row["outcome"] for row in await attempts(owner)] == ["deferred", "accepted"]
    assert len(smtp.mailbox.all()[0].copies) == 1


@pytest.mark.parametrize(
    ("fault", "code", "enhanced", "reason"),
    [
        ("unknown_recipient", 550, "5.1.1", "address"),
        ("policy", 550, "5.7.1", "policy"),
        ("bad_content", 554, "5.6.0", "content"),
    ],
)
async def test_a_refusal_is_final_and_says_what_it_is_about(post, smtp, owner, fault, code, enhanced, reason):
    smtp.faults.order(fault)
    await hear(post, order_paid())

    await jobs.send_due(post)

    letter = await only_letter(owner)
    assert (letter["state"], letter["reason"], letter["due_at"]) == ("refused", reason, None)
    (attempt,) = await attempts(owner)
    assert (attempt["outcome"], attempt["code"], attempt["enhanced_code"]) == ("refused", code, enhanced)
    (told,) = await staged(owner)
    assert isinstance(told, events.MailRefused)
    assert reason in told.reply
    assert "ada@example.com" not in told.reply
    assert smtp.mailbox.all() == []


@pytest.mark.parametrize(("fault", "reason"), [("storage_full", "system"), ("drop_before_data", "connection")])
async def test_not_now_is_tried_again_by_the_schedule(post, smtp, owner, fault, reason):
    smtp.faults.order(fault)
    await hear(post, order_paid())

    await jobs.send_due(post)

    letter = await only_letter(owner)
    assert (letter["state"], letter["reason"]) == ("pending", reason)
    assert timedelta(seconds=40) < letter["due_in"] < timedelta(seconds=73)  # a minute, give or take a fifth
    assert await staged(owner) == []


async def test_a_server_that_is_not_there_costs_an_attempt_and_no_letter(make_post, smtp, owner):
    post = make_post(smtp_port=1)
    await hear(post, order_paid())

    await jobs.send_due(post)

    assert (await only_letter(owner))["state"] == "pending"
    (attempt,) = await attempts(owner)
    assert (attempt["outcome"], attempt["reason"]) == ("deferred", "connection")


@pytest.mark.parametrize("fault", ["drop_after_data", "slow_reply"])
async def test_a_lost_reply_is_unknown_and_a_confirmation_goes_once_more_the_same(make_post, smtp, owner, fault):
    smtp.faults.order(fault, seconds=60)
    post = make_post()
    await hear(post, order_paid())

    await jobs.send_due(make_post(smtp_timeout_s=1) if fault == "slow_reply" else post)

    letter = await only_letter(owner)
    assert (letter["state"], letter["reason"], letter["unknowns"]) == ("unknown", "reply_lost", 1)
    assert timedelta(seconds=870) < letter["due_in"] <= timedelta(seconds=900)
    first = smtp.mailbox.all()[0]
    contents = first.content
    assert isinstance((await staged(owner))[0], events.MailUnknown)

    await make_due(owner)
    await jobs.send_due(post)

    (mail,) = smtp.mailbox.all()
    assert [copy.reply for copy in mail.copies] == [fault, "250"]
    assert mail.content == contents
    assert (await only_letter(owner))["state"] == "accepted"
    assert [(row["outcome"], row["after_unknown"]) for row in await attempts(owner)] == [
        ("unknown", False),
        ("accepted", True),
    ]


async def test_the_copy_sent_again_is_the_same_to_the_byte(post, smtp, owner):
    smtp.faults.order("bad_content")  # the stand-in keeps the first copy's text only: so compare what we send
    await hear(post, order_paid())
    (claim,) = await actions.claim_due(post, 1)
    now = claim.letter.date
    first, again = (
        envelope(claim.letter, post.writer.write(claim.letter, now + timedelta(hours=hours)), post.settings)
        for hours in (0, 1)
    )
    assert first.as_bytes() == again.as_bytes()
    assert re.search(rb"^Date: .+\r\nMessage-ID: <order_confirmation\.[^\r\n]+>\r\n", first.as_bytes(), re.M)


async def test_a_second_unknown_is_the_end(post, smtp, owner):
    smtp.faults.order("drop_after_data", times=2)
    await hear(post, order_paid())
    await jobs.send_due(post)
    await make_due(owner)
    await jobs.send_due(post)

    letter = await only_letter(owner)
    assert (letter["state"], letter["unknowns"], letter["due_at"]) == ("unknown", 2, None)
    await make_due(owner)
    assert await jobs.send_due(post) == 0


async def test_an_unknown_failure_mail_is_not_sent_again(post, smtp, owner):
    smtp.faults.order("drop_after_data")
    await hear(post, payment_failed())

    await jobs.send_due(post)

    letter = await only_letter(owner)
    assert (letter["state"], letter["due_at"]) == ("unknown", None)
    assert len(smtp.mailbox.all()) == 1


async def test_a_letter_that_is_deferred_for_too_long_expires_and_says_so(post, smtp, owner):
    smtp.faults.order("storage_full")
    await hear(post, payment_failed())
    await owner.execute("UPDATE notifier.letters SET expires_at = now() + interval '30 seconds'")

    await jobs.send_due(post)

    assert (await only_letter(owner))["state"] == "expired"
    (told,) = await staged(owner)
    assert isinstance(told, events.MailRefused)
    assert told.reply.startswith("expired")


async def test_a_letter_that_waited_too_long_is_not_sent(post, smtp, owner):
    await hear(post, order_paid())
    await owner.execute("UPDATE notifier.letters SET expires_at = now()")

    await jobs.send_due(post)

    assert (await only_letter(owner))["state"] == "expired"
    assert smtp.mailbox.all() == []
    assert await attempts(owner) == []


async def test_an_address_that_no_mail_can_go_to_is_refused_without_asking_a_server(make_post, owner):
    post = make_post(smtp_port=1)
    await hear(post, order_paid(an_order(email="jürgen@example.com")))

    await jobs.send_due(post)

    letter = await only_letter(owner)
    assert (letter["state"], letter["reason"]) == ("refused", "address")
