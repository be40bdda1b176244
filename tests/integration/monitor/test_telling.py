"""Messages reach Slack and the mail server: at least once, in order, at the receiver's pace."""

import asyncio
import logging
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta

import pytest

from services.monitor import actions
from services.monitor.actions import Channel
from services.monitor.actions.evaluating import Context
from services.monitor.domain.delivery import Delivered
from services.monitor.domain.incidents import Open, Resolve
from services.monitor.domain.rules import Alert, Severity
from services.monitor.slack_api import Slack
from services.monitor.smtp_api import Mailer
from services.monitor.store import incidents as store
from shared import http_client

NO_PACE, LEASE = timedelta(0), timedelta(seconds=60)


@pytest.fixture
async def to_slack(settings) -> AsyncIterator[Channel]:
    """A channel that waits for an answer as long as a busy machine may take: what times out is sent again."""
    async with slack_within(30, settings()) as channel:
        yield channel


@asynccontextmanager
async def slack_within(timeout_s: float, chosen) -> AsyncIterator[Channel]:
    async with http_client.session(timeout_s, peer="slack") as session:
        sender = Slack(session, chosen.slack_url.get_secret_value(), chosen.page)
        yield Channel("slack", sender, NO_PACE, LEASE)


@pytest.fixture
def by_mail(settings) -> Channel:
    return Channel("mail", Mailer(settings()), NO_PACE, LEASE)


async def open_incident(pool, subject: str = "checkout", channels: tuple[str, ...] = ("slack",)) -> None:
    alert = Alert("service_silent", subject, Severity.CRITICAL, f"{subject} has not been heard since 12:00:00 UTC")
    async with pool.worker() as conn:
        await actions.make(conn, Open(alert), Context(datetime.now(UTC), channels))


async def resolve_all(pool, channels: tuple[str, ...] = ("slack",)) -> None:
    async with pool.worker() as conn:
        now = await store.select_clock(conn)
        for incident in await store.select_current_incidents(conn, timedelta(0)):
            await store.update_clear(conn, incident.id, now)
        for incident in await store.select_current_incidents(conn, timedelta(0)):
            await actions.make(conn, Resolve(incident), Context(now, channels))


async def tell_all(pool, channel: Channel) -> int:
    """What the job does until it rests."""
    sent = 0
    while await actions.tell(pool, channel):
        sent += 1
    return sent


async def rows(owner) -> list:
    return await owner.fetch("SELECT * FROM monitor.notifications ORDER BY created_at, id")


async def make_due(owner) -> None:
    """As if the pause were over, and the lease of a sender that died, and the channel's rest."""
    await owner.execute("UPDATE monitor.notifications SET due_at = '-infinity'")
    await owner.execute("UPDATE monitor.notifications SET leased_until = '-infinity' WHERE state = 'sending'")
    await owner.execute("UPDATE monitor.channels SET next_at = '-infinity'")


async def test_slack_is_told_what_since_when_and_what_to_do(pool, to_slack, slack, owner):
    await open_incident(pool)

    assert await tell_all(pool, to_slack) == 1

    (message,) = slack.messages.all()
    assert message.text == ("CRITICAL: Service silent (checkout). checkout has not been heard since 12:00:00 UTC")
    assert any("*Next:*" in line for line in message.lines)
    assert any("<https://monitor.example.com/|Open the monitor>" in line for line in message.lines)
    assert (await rows(owner))[0]["state"] == "delivered"


async def test_a_mail_tells_the_same(pool, by_mail, smtp, owner):
    await open_incident(pool, channels=("mail",))

    await tell_all(pool, by_mail)

    (mail,) = smtp.mailbox.all()
    assert (mail.subject, mail.recipients) == ("CRITICAL: Service silent (checkout)", ("oncall@example.com",))
    assert "Next: Check that its process runs" in mail.text
    assert mail.html is None
    assert mail.message_id == f"<{(await rows(owner))[0]['id']}@example.com>"


async def test_a_429_neither_drops_nor_multiplies_and_is_not_asked_again_too_early(pool, to_slack, slack, owner):
    fault = slack.faults.order("rate_limit", times=1, seconds=2)
    await open_incident(pool)
    await open_incident(pool, "webhooks")
    started = time.monotonic()

    while len(slack.messages.all()) < 2 and time.monotonic() - started < 60:
        await tell_all(pool, to_slack)
        await asyncio.sleep(0.02)

    assert time.monotonic() - started > 1.9
    assert fault.struck == 1
    await make_due(owner)
    await tell_all(pool, to_slack)
    assert sorted(message.text.split("(")[1][:8] for message in slack.messages.all()) == ["checkout", "webhooks"]
    assert [row["state"] for row in await rows(owner)] == ["delivered", "delivered"]


async def test_all_monitors_keep_to_what_slack_asked_one_of_them(pool, to_slack, slack):
    slack.faults.order("rate_limit", times=1, seconds=30)
    await open_incident(pool)
    await open_incident(pool, "webhooks")

    assert await actions.tell(pool, to_slack) == 1
    assert [await actions.tell(pool, to_slack) for _ in range(3)] == [0, 0, 0]
    assert slack.messages.all() == []


async def test_what_happens_while_slack_is_down_is_told_later_in_order(pool, to_slack, slack, owner):
    slack.faults.order("server_error", times=3)
    slack.faults.order("drop_before", times=1)
    await open_incident(pool)
    await tell_all(pool, to_slack)
    await resolve_all(pool)
    for _ in range(6):
        await make_due(owner)
        await tell_all(pool, to_slack)

    assert [message.text.split(":")[0] for message in slack.messages.all()] == ["CRITICAL", "RESOLVED"]
    assert [(row["transition"], row["attempts"]) for row in await rows(owner)] == [("opened", 5), ("resolved", 1)]


async def test_between_tries_there_is_a_pause(pool, to_slack, slack, owner):
    slack.faults.order("server_error", times=1)
    await open_incident(pool)
    before = await store.select_clock(owner)

    assert await actions.tell(pool, to_slack) == 1
    (row,) = await rows(owner)
    assert row["due_at"] - before >= timedelta(seconds=1)
    await owner.execute("UPDATE monitor.notifications SET due_at = due_at + interval '1 hour'")
    assert await actions.tell(pool, to_slack) == 0
    assert slack.messages.all() == []


async def test_a_revoked_webhook_fails_for_good_with_an_error_in_the_log(pool, to_slack, slack, owner, caplog):
    slack.faults.order("gone", times=None)
    await open_incident(pool)

    with caplog.at_level(logging.INFO):
        await tell_all(pool, to_slack)

    (row,) = await rows(owner)
    assert (row["state"], row["last_error"]) == ("failed", "Slack answered 404")
    assert [record.levelname for record in caplog.records if record.message == "could not tell"] == ["ERROR"]


@pytest.mark.parametrize("fault", ["server_error", "gone", "rate_limit", "drop_before", "slow_reply"])
async def test_the_address_of_the_webhook_is_in_no_log_and_no_row(pool, settings, slack, owner, caplog, fault):
    slack.faults.order(fault, times=1, seconds=1)
    await open_incident(pool)
    async with slack_within(0.5, settings()) as hurried:
        with caplog.at_level(logging.DEBUG):
            await actions.tell(pool, hurried)

    logged = "".join(str(record.__dict__) for record in caplog.records)
    assert "TSTANDIN" not in logged + str(await rows(owner))


async def test_a_lost_answer_is_sent_again_since_twice_is_better_than_never(pool, to_slack, slack, owner):
    slack.faults.order("drop_after", times=1)
    await open_incident(pool)
    await tell_all(pool, to_slack)
    await make_due(owner)
    await tell_all(pool, to_slack)

    assert len(slack.messages.all()) == 2
    assert (await rows(owner))[0]["state"] == "delivered"


async def test_a_crash_between_send_and_mark_sends_again(pool, to_slack, slack, owner):
    class Crash(BaseException):
        pass

    class DiesAfterSending:
        async def send(self, notice, message_id):
            await to_slack.sender.send(notice, message_id)
            raise Crash

    await open_incident(pool)
    with pytest.raises(Crash):
        await actions.tell(pool, Channel("slack", DiesAfterSending(), NO_PACE, LEASE))
    assert (await rows(owner))[0]["state"] == "sending"
    assert await tell_all(pool, to_slack) == 0, "its lease still runs"

    await make_due(owner)
    await tell_all(pool, to_slack)
    assert len(slack.messages.all()) == 2
    assert (await rows(owner))[0]["state"] == "delivered"


async def test_a_sender_that_lost_its_lease_changes_nothing_any_more(pool, to_slack, owner):
    class IsOvertaken:
        async def send(self, notice, message_id):
            await make_due(owner)
            await tell_all(pool, to_slack)
            return Delivered()

    await open_incident(pool)
    await actions.tell(pool, Channel("slack", IsOvertaken(), NO_PACE, LEASE))

    (row,) = await rows(owner)
    assert (row["state"], row["attempts"]) == ("delivered", 2)


async def test_eight_senders_at_once_send_each_message_once(pool, to_slack, slack):
    for number in range(20):
        await open_incident(pool, f"service-{number}")

    async def sender() -> None:
        while await actions.tell(pool, to_slack) or len(slack.messages.all()) < 20:
            await asyncio.sleep(0)

    await asyncio.gather(*(sender() for _ in range(8)))

    texts = [message.text for message in slack.messages.all()]
    assert len(texts) == len(set(texts)) == 20


async def test_slack_gets_at_most_one_message_per_pace(pool, to_slack, slack):
    paced = Channel("slack", to_slack.sender, timedelta(seconds=0.3), LEASE)
    for number in range(4):
        await open_incident(pool, f"service-{number}")
    began = datetime.now(UTC)
    deadline = time.monotonic() + 60
    while len(slack.messages.all()) < 4 and time.monotonic() < deadline:
        await actions.tell(pool, paced)
        await asyncio.sleep(0.01)

    # The pace runs from claim to claim; how long each is on its way then is up to the machine.
    waits = [(message.received_at - began).total_seconds() for message in slack.messages.all()]
    assert len(waits) == 4
    assert all(wait >= 0.3 * paces for paces, wait in enumerate(waits))


@pytest.mark.parametrize(
    ("fault", "state", "error"),
    [
        ("greylist", "pending", "the mail server answered 451"),
        ("storage_full", "pending", "the mail server answered 452"),
        ("drop_before_data", "pending", "SMTPServerDisconnected"),
        ("unknown_recipient", "failed", "the mail server answered 550"),
        ("bad_content", "failed", "the mail server answered 554"),
    ],
)
async def test_a_mail_is_tried_again_or_given_up(pool, by_mail, smtp, owner, fault, state, error):
    smtp.faults.order(fault, times=1)
    await open_incident(pool, channels=("mail",))

    await actions.tell(pool, by_mail)

    (row,) = await rows(owner)
    assert (row["state"], row["last_error"]) == (state, error)


async def test_a_mail_that_is_sent_again_has_the_same_message_id(pool, by_mail, smtp, owner):
    smtp.faults.order("drop_after_data", times=1)
    await open_incident(pool, channels=("mail",))
    await tell_all(pool, by_mail)
    await make_due(owner)
    await tell_all(pool, by_mail)

    (mail,) = smtp.mailbox.all()
    assert len(mail.copies) == 2


async def test_news_that_could_not_be_told_for_a_day_is_given_up(pool, to_slack, slack, owner):
    slack.faults.order("server_error", times=None)
    await open_incident(pool)
    await owner.execute("UPDATE monitor.notifications SET created_at = now() - interval '25 hours'")

    await tell_all(pool, to_slack)

    assert [(row["state"], row["last_error"]) for row in await rows(owner)] == [
        ("failed", "given up: Slack answered 500")
    ]


async def test_a_channel_that_is_down_does_not_hold_up_the_other(pool, to_slack, by_mail, slack, smtp):
    slack.faults.order("server_error", times=None)
    await open_incident(pool, channels=("slack", "mail"))

    await tell_all(pool, to_slack)
    await tell_all(pool, by_mail)

    assert (len(slack.messages.all()), len(smtp.mailbox.all())) == (0, 1)
