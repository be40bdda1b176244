"""What a server refused goes again when an operator says so, and what may have arrived only when he insists."""

from argparse import ArgumentParser

import pytest

from deploy.ops import letters as command
from deploy.ops.settings import OpsSettings
from services.notifier import jobs
from shared.errors import Invalid
from tests.integration.notifier.desk import attempts, hear, make_due, only_letter
from tests.unit.notifier.letters import an_order, order_paid, order_refunded, payment_failed, refund_failed


@pytest.fixture
def ops(clean):
    async def run(*arguments: str) -> None:
        parser = ArgumentParser()
        command.add_to(parser.add_subparsers())
        settings = OpsSettings(
            database_url="unused",
            amqp_url="unused",
            role_prefix=clean.prefix,
            notifier_database_url=clean.url("notifier"),
        )
        await command.resend_letters(settings, parser.parse_args(["resend-letters", *arguments]))

    return run


ALL = ("--since", "2026-01-01")
YES = ("--yes", "--actor", "ada", "--reason", "the relay knows us again")


async def test_what_was_refused_is_shown_and_then_sent_again_and_audited(post, smtp, owner, ops, capsys):
    smtp.faults.order("policy")
    await hear(post, order_paid(), payment_failed())
    await owner.execute("UPDATE notifier.letters SET due_at = NULL, state = 'expired' WHERE kind = 'payment_failed'")
    await jobs.send_due(post)

    await ops(*ALL)
    said = capsys.readouterr().out
    assert "1  order_confirmation  refused policy" in said
    assert "1  in all" in said
    assert "Nothing was changed" in said
    assert await jobs.send_due(post) == 0

    await owner.execute("UPDATE notifier.letters SET expires_at = now() - interval '1 hour'")
    await ops(*ALL, *YES)
    await jobs.send_due(post)

    assert [mail.recipients for mail in smtp.mailbox.all()] == [("ada@example.com",)]
    states = await owner.fetch("SELECT kind, state FROM notifier.letters ORDER BY kind")
    assert [tuple(row) for row in states] == [("order_confirmation", "accepted"), ("payment_failed", "expired")]
    audited = await owner.fetchrow("SELECT * FROM audit.log WHERE action = 'resend letters' ORDER BY at DESC LIMIT 1")
    assert (audited["actor"], audited["reason"]) == ("ada", "the relay knows us again")


async def test_what_may_have_arrived_goes_again_only_by_name_and_counts_as_possible_double(
    post, smtp, owner, ops, capsys
):
    await hear(post, order_paid())
    await jobs.send_due(post)
    for arguments in (ALL, (*ALL, "--also", "unknown")):
        await ops(*arguments, *YES)
        assert await jobs.send_due(post) == 0
    await ops(*ALL, "--also", "accepted", *YES)
    assert "Careful: 1 of them may have arrived" in capsys.readouterr().out
    await jobs.send_due(post)

    assert len(smtp.mailbox.all()[0].copies) == 2
    assert [(row["outcome"], row["after_unknown"]) for row in await attempts(owner)] == [
        ("accepted", False),
        ("accepted", True),
    ]


async def test_a_refusal_after_an_unknown_outcome_may_have_arrived_too(post, smtp, owner, ops):
    smtp.faults.order("drop_after_data")
    await hear(post, order_paid())
    await jobs.send_due(post)
    smtp.faults.order("policy")
    await make_due(owner)
    await jobs.send_due(post)
    assert (await only_letter(owner))["state"] == "refused"

    await ops(*ALL, *YES)
    assert await jobs.send_due(post) == 0
    await ops(*ALL, "--also", "unknown", *YES)
    assert await jobs.send_due(post) == 1


async def test_an_address_that_no_server_knows_is_tried_again_only_for_an_order_that_is_named(post, smtp, ops):
    smtp.faults.order("unknown_recipient")
    await hear(post, order_paid(an_order(number="K-7")))
    await jobs.send_due(post)

    await ops(*ALL, *YES)
    await ops("--order", "K-8", *YES)
    assert await jobs.send_due(post) == 0
    await ops("--order", "K-7", *YES)
    assert await jobs.send_due(post) == 1


async def test_what_became_untrue_meanwhile_and_what_the_journal_holds_are_not_sent(make_post, smtp, owner, ops):
    post = make_post()
    smtp.faults.order("policy")
    refunded = order_refunded()
    await hear(post, refunded)
    await jobs.send_due(post)
    await hear(post, refund_failed(refunded))
    await ops(*ALL, *YES)
    await jobs.send_due(post)
    assert ((await only_letter(owner))["state"], smtp.mailbox.all()) == ("withdrawn", [])

    await owner.execute("UPDATE notifier.letters SET state = 'unknown', reason = 'journalled', unknowns = 1")
    await ops(*ALL, "--also", "unknown", *YES)
    assert (await only_letter(owner))["state"] == "unknown"


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        ((), "say which"),
        ((*ALL, "--yes"), "say why"),
        (("--since", "yesterday"), "is no time"),
        ((*ALL, "--hours", "0"), "more than 0"),
    ],
)
async def test_a_wrong_command_says_what_to_do(ops, arguments, says):
    with pytest.raises(Invalid, match=says):
        await ops(*arguments)


async def test_without_the_login_of_the_notifier_the_command_says_which_setting():
    with pytest.raises(Invalid, match="OPS_NOTIFIER_DATABASE_URL"):
        OpsSettings(database_url="unused", amqp_url="unused").notifier_database()
