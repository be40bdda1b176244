"""Stored events are passed on again under the same ids, previewed first, audited, in batches."""

import asyncio
import os
import sys
from pathlib import Path

import aio_pika
import pytest

from services.webhooks.actions import redrive, resync
from services.webhooks.actions.redrive import Selection
from shared import topology
from shared.db import open_pool
from shared.errors import Invalid
from tests.stripe_events import an_event

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
async def pool(clean):
    async with open_pool(clean.url("webhooks"), "webhooks", clean.prefix) as pool:
        yield pool


async def ops(clean, amqp_url, *arguments, **env):
    given = {
        "PATH": os.environ["PATH"],
        "OPS_DATABASE_URL": clean.url("checkout"),
        "OPS_WEBHOOKS_DATABASE_URL": clean.url("webhooks"),
        "OPS_AMQP_URL": amqp_url,
        "OPS_ROLE_PREFIX": clean.prefix,
        **env,
    }
    process = await asyncio.create_subprocess_exec(
        sys.executable, *("-m", "deploy.ops"), *arguments, cwd=ROOT, env=given,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT,
    )  # fmt: skip
    async with asyncio.timeout(60):
        said, _ = await process.communicate()
    return process.returncode, said.decode()


async def test_a_published_event_is_published_again_under_the_same_id(door, rows, heard, clean, amqp_url, owner):
    event = an_event()
    await door.deliver(event)
    (first,) = await heard.at_least(1, "payment.succeeded")
    await rows.until("published")
    code, said = await ops(clean, amqp_url, "redrive-events", "--event", event["id"])
    assert code == 0
    assert "payment_intent.succeeded" in said
    assert "Nothing was changed" in said
    given = ("--yes", "--actor", "ada", "--reason", "lost")
    code, said = await ops(clean, amqp_url, "redrive-events", "--event", event["id"], *given)
    assert (code, "1 of 1 put back" in said) == (0, True)
    both = await heard.at_least(2, "payment.succeeded")
    assert {message.message_id for message in both} == {first.message_id}
    subject = f"stripe event {event['id']}"
    audited = await owner.fetchrow("SELECT actor, reason, service FROM audit.log WHERE subject = $1", subject)
    assert tuple(audited) == ("ada", "lost", "webhooks")


async def test_failed_ones_are_put_back_in_batches_and_nothing_else(door, rows, pool, owner):
    sent = [an_event() for _ in range(7)]
    for event in sent:
        await door.deliver(event)
    await rows.until("published", 7)
    failed = [event["id"] for event in sent[:5]]
    change = "UPDATE webhooks.stripe_events SET state = 'failed', error = 'bug', published_at = NULL"
    await owner.execute("ALTER TABLE webhooks.stripe_events NO FORCE ROW LEVEL SECURITY")
    try:
        await owner.execute(f"{change} WHERE stripe_event_id = ANY($1::text[])", failed)
    finally:
        await owner.execute("ALTER TABLE webhooks.stripe_events FORCE ROW LEVEL SECURITY")
    found = await redrive.preview(pool, Selection())
    assert (found.count, found.by_type) == (5, {"payment_intent.succeeded": 5})
    assert found.first <= found.last
    progress = [done async for done in redrive.redrive(pool, Selection(), "ada", "mended", batch=2)]
    assert progress == [2, 4, 5]
    await rows.until("published", 7)
    attempts = {row["stripe_event_id"]: row["attempts"] for row in await rows.all()}
    assert [attempts[event["id"]] for event in sent] == [2] * 5 + [1] * 2


async def test_published_ones_are_redriven_once_though_the_publisher_works_meanwhile(door, rows, pool):
    for _ in range(6):
        await door.deliver(an_event())
    await rows.until("published", 6)
    progress = []
    async for done in redrive.redrive(pool, Selection(("published",)), "ada", "again", batch=1):
        progress.append(done)
        await asyncio.sleep(0.15)  # the publisher marks it published meanwhile
    assert progress == [1, 2, 3, 4, 5, 6]
    await rows.until("published", 6)
    assert {row["attempts"] for row in await rows.all()} == {2}


async def test_an_event_of_the_other_mode_is_never_passed_on(open_door, rows, pool, heard):
    async with open_door(livemode=True) as door:
        event = an_event(livemode=False)
        await door.deliver(event)
        chosen = Selection(("ignored", "failed", "published"), event_id=event["id"])
        assert (await redrive.preview(pool, chosen)).count == 0
        assert [done async for done in redrive.redrive(pool, chosen, "ada", "try")] == []
        await asyncio.sleep(0.2)
    assert heard.of("payment.") == []


async def test_a_redrive_needs_a_reason_and_states_that_exist(pool):
    with pytest.raises(Invalid):
        [done async for done in redrive.redrive(pool, Selection(), "ada", " ")]
    with pytest.raises(Invalid):
        await redrive.preview(pool, Selection(("received",)))


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("redrive-events",), "say which"),
        (("redrive-events", "--since", "yesterday"), "is no time"),
        (("redrive-events", "--since", "2026-02-01", "--until", "2026-01-01"), "ends before it begins"),
        (("resync", "cus_1", "--reason", "x"), "is wanted"),
        (("redrive",), "name a queue"),
        (("redrive", "nobody.on_nothing"), "there is no queue"),
    ],
)
async def test_a_wrong_command_says_what_to_do(clean, amqp_url, arguments, says):
    code, said = await ops(clean, amqp_url, *arguments)
    assert code == 1
    assert says in said
    assert "Traceback" not in said


async def test_a_resync_that_nobody_would_carry_out_is_asked_for_with_a_warning(clean, amqp_url, pool, owner):
    code, said = await ops(clean, amqp_url, "resync", "pi_1", "--reason", "he paid")
    assert (code, "is asked for" in said, "Warning" in said) == (0, True, True)
    await owner.execute("INSERT INTO webhooks.backfill (seen_at) VALUES (now())")
    async with pool.worker() as conn:
        assert await resync.is_served(conn)
    await owner.execute("UPDATE webhooks.backfill SET seen_at = now() - interval '6 minutes'")
    async with pool.worker() as conn:
        assert not await resync.is_served(conn)


async def test_without_the_login_of_webhooks_the_command_says_which_setting(clean, amqp_url):
    given = {"OPS_WEBHOOKS_DATABASE_URL": ""}
    code, said = await ops(clean, amqp_url, "redrive-events", "--failed", **given)
    assert code != 0
    assert "OPS_WEBHOOKS_DATABASE_URL" in said


async def test_dead_letters_of_all_queues_are_previewed_first(clean, amqp_url, heard, owner):
    async with await aio_pika.connect(amqp_url) as connection:
        channel = await connection.channel()
        await topology.declare(channel, (5, 30, 300), topology.QUEUES)
        for name in topology.QUEUES:
            await (await channel.get_queue(topology.dead_queue(name))).purge()
        dead = topology.dead_queue("checkout.on_mail")
        await channel.default_exchange.publish(aio_pika.Message(b"{}", message_id="m"), routing_key=dead)
        code, said = await ops(clean, amqp_url, "redrive", "--all")
        assert code == 0
        assert "1 of 1  checkout.on_mail (hears mail.accepted" in said
        code, said = await ops(clean, amqp_url, "redrive", "--all", "--yes", "--reason", "mended")
        assert (code, "1 messages put back into checkout.on_mail" in said) == (0, True)
    audited = await owner.fetchval("SELECT reason FROM audit.log WHERE subject = 'queue checkout.on_mail'")
    assert audited == "mended"
