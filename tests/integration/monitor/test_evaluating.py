"""Facts become incidents: once, with everything that follows, by however many monitors."""

import asyncio
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import asyncpg
import pytest

from services.monitor import actions, jobs
from services.monitor.actions import evaluating
from services.monitor.actions.evaluating import Context, judge
from services.monitor.domain.incidents import Open, Patience, plan
from services.monitor.domain.rules import NO_DATA, Alert, Rule, Severity, Verdict
from services.monitor.store import incidents as store
from shared.events import MailAccepted, MailRefused, SecurityBadSignatures
from shared.metrics import Family, Sample, Snapshot
from tests.unit.monitor.builders import a_snapshot

ALERT = Alert("service_silent", "checkout", Severity.CRITICAL, "checkout has not been heard")
CHANNELS = ("slack", "mail")


def hush(desk, service: str = "checkout") -> None:
    desk.sightings.heard[service] = datetime.now(UTC) - timedelta(minutes=5)


def speak(desk, service: str = "checkout") -> None:
    desk.sightings.heard[service] = datetime.now(UTC)


async def incidents(owner) -> list:
    return await owner.fetch("SELECT * FROM monitor.incidents ORDER BY opened_at")


async def told(owner) -> list[tuple[str, str]]:
    rows = await owner.fetch("SELECT transition, channel FROM monitor.notifications ORDER BY created_at, channel DESC")
    return [(row["transition"], row["channel"]) for row in rows]


async def staged(owner) -> list[str]:
    return [row["type"] for row in await owner.fetch("SELECT type FROM monitor.outbox ORDER BY staged_at")]


async def time_passes(owner, seconds: float) -> None:
    """As if what was noted so far had been noted so much earlier: a pause would be too short or too long somewhere."""
    back = f"interval '{seconds} seconds'"
    await owner.execute(f"UPDATE monitor.incidents SET clear_since = clear_since - {back}")
    await owner.execute(f"UPDATE monitor.seen_events SET seen_at = seen_at - {back}")


async def audited(owner, incident_id) -> list[str]:
    rows = await owner.fetch("SELECT action FROM audit.log WHERE subject = $1 ORDER BY at", f"incident {incident_id}")
    return [row["action"] for row in rows]


async def test_a_silent_service_opens_one_incident_with_messages_event_and_audit(desk, owner):
    hush(desk)

    await actions.evaluate(desk)
    await actions.evaluate(desk)

    (incident,) = await incidents(owner)
    assert (incident["rule"], incident["subject"], incident["severity"]) == ("service_silent", "checkout", "critical")
    assert incident["occurrences"] == 2
    assert await told(owner) == [("opened", "slack"), ("opened", "mail")]
    assert await staged(owner) == ["incident.opened"]
    assert await audited(owner, incident["id"]) == ["open incident"]


async def test_it_is_resolved_after_it_was_well_for_a_while_and_not_before(make_desk, owner):
    desk = make_desk(clear_for_s=60)
    hush(desk)
    await actions.evaluate(desk)

    speak(desk)
    await actions.evaluate(desk)
    await actions.evaluate(desk)
    assert (await incidents(owner))[0]["resolved_at"] is None

    await time_passes(owner, 61)
    await actions.evaluate(desk)
    (incident,) = await incidents(owner)
    assert incident["resolved_at"] is not None
    assert await told(owner) == [(each, channel) for each in ("opened", "resolved") for channel in CHANNELS]
    assert await staged(owner) == ["incident.opened", "incident.resolved"]
    assert await audited(owner, incident["id"]) == ["open incident", "resolve incident"]


async def test_a_circuit_that_opened_is_an_incident_until_it_closes(make_desk, owner):
    desk = make_desk(clear_for_s=60)
    for state in (2, 1, 0, 0):
        desk.sightings.hear("checkout", "host:1", a_snapshot(stripe_circuit_state=state), datetime.now(UTC))
        await actions.evaluate(desk)
        (incident,) = await incidents(owner)
        if state == 0:
            await time_passes(owner, 61)
    assert (incident["rule"], incident["subject"], incident["occurrences"]) == ("stripe_circuit", "checkout", 2)
    assert incident["resolved_at"] is not None


async def test_a_relapse_while_it_clears_starts_the_time_anew(make_desk, owner):
    desk = make_desk(clear_for_s=60)
    hush(desk)
    await actions.evaluate(desk)
    speak(desk)
    await actions.evaluate(desk)
    await time_passes(owner, 61)
    hush(desk)
    await actions.evaluate(desk)
    speak(desk)
    await actions.evaluate(desk)

    assert (await incidents(owner))[0]["resolved_at"] is None


async def test_the_same_thing_again_is_a_new_incident_that_knows_the_last_one(make_desk, owner):
    desk = make_desk(clear_for_s=0.01)
    hush(desk)
    await actions.evaluate(desk)
    speak(desk)
    await actions.evaluate(desk)
    await asyncio.sleep(0.02)
    await actions.evaluate(desk)
    hush(desk)
    await actions.evaluate(desk)

    first, second = await incidents(owner)
    assert second["previous_incident_id"] == first["id"]
    assert (first["resolved_at"] is None, second["resolved_at"] is None) == (False, True)


async def test_the_same_thing_again_soon_is_the_same_incident_told_twice_and_not_every_time(make_desk, owner):
    desk = make_desk(clear_for_s=1, reopen_within_s=600)
    for _ in range(4):
        hush(desk)
        await actions.evaluate(desk)
        speak(desk)
        for _ in range(2):
            await actions.evaluate(desk)
            await time_passes(owner, 2)
    await time_passes(owner, 600)
    await actions.evaluate(desk)

    (incident,) = await incidents(owner)
    assert incident["resolved_at"] is not None
    told_of = ("opened", "resolved", "reopened", "resolved")
    assert await told(owner) == [(each, channel) for each in told_of for channel in CHANNELS]
    assert await staged(owner) == [f"incident.{each}" for each in told_of]
    assert await audited(owner, incident["id"]) == [
        f"{each} incident" for each in ("open", "resolve", "reopen", "resolve")
    ]


async def test_two_monitors_reopen_it_once(make_desk, owner):
    desks = [make_desk(clear_for_s=0.01, reopen_within_s=60) for _ in range(2)]
    hush(desks[0])
    await actions.evaluate(desks[0])
    speak(desks[0])
    for _ in range(2):
        await actions.evaluate(desks[0])
        await asyncio.sleep(0.02)
    for desk in desks:
        hush(desk)
    await asyncio.gather(*map(actions.evaluate, desks))

    assert await staged(owner) == ["incident.opened", "incident.resolved", "incident.reopened"]


async def test_while_the_broker_is_away_incidents_neither_open_nor_resolve(make_desk, owner, amqp_url):
    desk = make_desk(clear_for_s=0.01)
    hush(desk)
    await actions.evaluate(desk)
    desk.sightings.broker = desk.sightings.broker.__class__(is_connected=True, since=datetime.now(UTC))
    speak(desk)
    hush(desk, "webhooks")
    for _ in range(3):
        await asyncio.sleep(0.02)
        await actions.evaluate(desk)

    assert [(each["subject"], each["resolved_at"]) for each in await incidents(owner)] == [("checkout", None)]


async def test_two_monitors_at_the_same_instant_open_one_incident(pool, owner):
    await _race(pool)

    assert len(await incidents(owner)) == 1
    assert await told(owner) == [("opened", "slack"), ("opened", "mail")]
    assert await staged(owner) == ["incident.opened"]


async def test_without_the_unique_index_the_same_race_opens_two(pool, owner):
    definition = await owner.fetchval("SELECT pg_get_indexdef('monitor.incidents_open_once'::regclass)")
    await owner.execute("DROP INDEX monitor.incidents_open_once")
    try:
        await _race(pool)
        assert len(await incidents(owner)) == 2
    finally:
        await owner.execute("TRUNCATE monitor.incidents CASCADE")
        await owner.execute(definition)


async def _race(pool) -> None:
    both_looked = asyncio.Barrier(2)

    async def monitor() -> None:
        async with pool.worker() as conn:
            found = await store.select_current_incidents(conn, timedelta(0))
        await both_looked.wait()
        context = Context(datetime.now(UTC), CHANNELS)
        for change in plan({ALERT.rule: Verdict((ALERT,))}, found, context.now, Patience()):
            async with pool.worker() as conn:
                await actions.make(conn, change, context)

    await asyncio.gather(monitor(), monitor())


async def test_five_monitors_that_evaluate_for_a_while_open_and_resolve_once(make_desk, owner):
    desks = [make_desk(clear_for_s=0.05) for _ in range(5)]
    for desk in desks:
        hush(desk)
    for _ in range(5):
        await asyncio.gather(*map(actions.evaluate, desks))
    for desk in desks:
        speak(desk)
    for _ in range(5):
        await asyncio.gather(*map(actions.evaluate, desks))
        await asyncio.sleep(0.03)

    assert len(await incidents(owner)) == 1
    assert await told(owner) == [(each, channel) for each in ("opened", "resolved") for channel in CHANNELS]


async def test_one_monitor_that_hears_nothing_keeps_another_from_resolving(make_desk, owner):
    deaf, hearing = make_desk(clear_for_s=0.05), make_desk(clear_for_s=0.05)
    hush(deaf)
    for _ in range(4):
        await actions.evaluate(deaf)
        await actions.evaluate(hearing)
        await asyncio.sleep(0.04)

    assert [each["resolved_at"] for each in await incidents(owner)] == [None]


async def test_ten_times_as_many_dead_letters_are_told_once_by_two_monitors(make_desk, owner):
    context = Context(datetime.now(UTC), CHANNELS)
    desk = make_desk()
    few, many = (
        Alert("dead_letters", "checkout.on_mail", Severity.WARNING, f"{count} messages", count) for count in (1, 10)
    )
    async with desk.pool.worker() as conn:
        await actions.make(conn, Open(few), context)
    async with desk.pool.worker() as conn:
        (incident,) = await store.select_current_incidents(conn, timedelta(0))
    later = Context(context.now + timedelta(seconds=61), CHANNELS)
    for _ in range(2):
        (change,) = plan({"dead_letters": Verdict((many,))}, [incident], later.now, desk.settings.patience())
        async with desk.pool.worker() as conn:
            await actions.make(conn, change, later)

    assert await told(owner) == [(each, channel) for each in ("opened", "updated") for channel in CHANNELS]
    assert (await incidents(owner))[0]["summary"] == "10 messages"


async def test_a_change_that_fails_does_not_hold_up_the_others(desk, owner):
    hush(desk)
    hush(desk, "webhooks")
    await owner.execute("ALTER TABLE monitor.incidents ADD CONSTRAINT broken CHECK (subject <> 'checkout')")
    try:
        with pytest.raises(Exception, match="broken"):
            await actions.evaluate(desk)
    finally:
        await owner.execute("ALTER TABLE monitor.incidents DROP CONSTRAINT broken")

    assert [each["subject"] for each in await incidents(owner)] == ["webhooks"]


async def test_a_rule_that_breaks_says_nothing_and_the_others_speak(desk):
    def broken(facts, limits):
        raise ZeroDivisionError

    rules = (Rule("broken", "Broken", broken, "-"), *evaluating.RULES)
    verdicts = judge(await actions.gather(desk), desk.settings.limits(), rules)

    assert verdicts["broken"] == NO_DATA
    assert verdicts["dead_letters"] == Verdict()


@pytest.mark.parametrize("severity", ["info", "warning", "critical"])
async def test_a_security_event_that_asks_for_a_person_opens_an_incident_until_it_is_quiet(make_desk, owner, severity):
    desk = make_desk(clear_for_s=0.01, security_window_s=60)
    for detail in ("the first", "the latest"):
        async with desk.pool.worker() as conn:
            event = SecurityBadSignatures(severity=severity, service="webhooks", detail=detail)
            await actions.note_event(conn, event)
    await actions.evaluate(desk)
    found = [(each["rule"], each["severity"], each["summary"]) for each in await incidents(owner)]
    expected = ("security_bad_signatures", severity, "the latest (event 2 of the last 1 minutes)")
    assert found == ([] if severity == "info" else [expected])

    await time_passes(owner, 61)
    for _ in range(2):
        await actions.evaluate(desk)
        await asyncio.sleep(0.05)
    assert all(each["resolved_at"] for each in await incidents(owner))


async def test_a_security_event_that_was_long_on_its_way_opens_an_incident_all_the_same(desk, owner):
    before = datetime.now(UTC) - timedelta(hours=30)
    event = SecurityBadSignatures(severity="critical", service="webhooks", detail="late", occurred_at=before)
    async with desk.pool.worker() as conn:
        await actions.note_event(conn, event)
    await jobs.purge(desk.pool, timedelta(hours=24))
    await actions.evaluate(desk)

    assert [each["rule"] for each in await incidents(owner)] == ["security_bad_signatures"]


async def test_mails_that_are_refused_one_after_the_other_open_an_incident(desk, owner):
    for number in range(4):
        letter = {"letter_id": uuid4(), "order_id": uuid4(), "kind": "order_confirmation", "message_id": f"<{number}>"}
        event = MailAccepted(**letter) if number == 0 else MailRefused(**letter, reply="550 5.7.1 not from you")
        async with desk.pool.worker() as conn:
            await actions.note_event(conn, event)
    await actions.evaluate(desk)

    (incident,) = await incidents(owner)
    assert (incident["rule"], incident["subject"], incident["severity"]) == ("mail_lost", "refused", "critical")
    assert "3 of 4 mails" in incident["summary"]


def a_counter(name: str, **labels: str) -> Family:
    sample = Sample(name=f"{name}_total", labels=labels, value=12)
    return Family(name=name, type="counter", doc="", samples=(sample,))


@pytest.mark.parametrize(
    ("service", "family", "rule"),
    [
        (
            "checkout",
            a_counter("http_requests", route="/v1/orders", method="POST", status_class="5xx"),
            ("answers_failing", "checkout POST /v1/orders"),
        ),
        (
            "checkout",
            a_counter("http_client_requests", peer="stripe", method="POST", outcome="denied"),
            ("stripe_denies", "checkout"),
        ),
        (
            "notifier",
            a_counter("notifier_letters", kind="order_confirmation", outcome="deferred"),
            ("mail_failing", "customers"),
        ),
        (
            "notifier",
            a_snapshot(notifier_letters_overdue_seconds=700).families[-1],
            ("mail_overdue", "customers"),
        ),
    ],
    ids=lambda value: value[0] if isinstance(value, tuple) else "",
)
async def test_figures_of_a_process_that_fails_open_an_incident(desk, owner, service, family, rule):
    now = datetime.now(UTC)
    started = a_snapshot(started_at=now.timestamp()).families[-1]
    desk.sightings.hear(service, "host:1", Snapshot(taken_at=0, families=(started, family)), now)
    await actions.evaluate(desk)

    assert [(each["rule"], each["subject"]) for each in await incidents(owner)] == [rule]


async def test_the_request_role_may_read_and_change_nothing(pool):
    async with pool.request() as conn:
        assert await store.select_recent_incidents(conn, 5) == []
    with pytest.raises(asyncpg.InsufficientPrivilegeError):
        async with pool.request() as conn:
            await store.insert_incident(conn, "00000000-0000-0000-0000-000000000001", ALERT, datetime.now(UTC))
