"""Limits, bans and threats at the door: what is Stripe's always comes in, everybody else soon doesn't."""

import argparse
import asyncio
import contextlib
import time

import pytest
from pydantic import SecretStr

from deploy.ops import bans as ops_bans
from deploy.ops.settings import OpsSettings
from services.webhooks import app as webhooks_app
from services.webhooks import jobs
from services.webhooks.actions import guarding
from services.webhooks.domain.senders import SHIPPED
from services.webhooks.domain.threats import MOST_TOLD, Kind
from services.webhooks.handlers import GUARD, POOL
from shared import events
from shared.errors import Invalid, NotFound
from shared.web.wire import FIRST_REQUEST_S
from tests.integration.webhooks.conftest import NOWHERE
from tests.stripe_events import an_event, body_of, signature

STRANGER, OTHER, STRIPE = "203.0.113.7", "203.0.113.8", min(SHIPPED)
# Windows begin at fixed times of the day: one of five minutes would now and then end in the middle of a test.
A_DAY = {"threat_window_s": 86400}
BEHIND_A_PROXY = {"trusted_hops": 1, "amqp_url": NOWHERE, "unverified_per_minute": 1000, **A_DAY}
BODY = body_of(an_event())


@pytest.fixture(autouse=True)
def only_when_told(monkeypatch):
    """The jobs themselves rest: what one of them has just taken in hand, `settle` would not find."""
    for name in ("SHARE_S", "LEARN_S"):
        monkeypatch.setattr(webhooks_app, name, 3600.0)


async def bad(door, address: str, count: int = 1, **changes) -> list[int]:
    """Requests that look fresh and signed, and aren't."""
    forged = f"t={int(time.time())},v1={'a' * 64}"
    return [(await door.post(BODY, forged, **{"X-Forwarded-For": address}, **changes))[0] for _ in range(count)]


async def good(door, address: str) -> int:
    body = body_of(an_event())
    return (await door.post(body, signature(body), **{"X-Forwarded-For": address}))[0]


async def settle(door) -> None:
    """What the jobs do every second or two."""
    await guarding.share(door.app[POOL], door.app[GUARD])
    await jobs.learn(door.app[POOL], door.app[GUARD])


async def staged(rows, type_: str = "security.") -> list[events.SecurityEvent]:
    found = await rows.auditor.fetch("SELECT body FROM webhooks.outbox ORDER BY staged_at")
    told = [events.decode(bytes(row["body"])) for row in found]
    return [event for event in told if isinstance(event, events.SecurityEvent) and event.type.startswith(type_)]


async def test_who_is_not_stripe_is_limited_and_stripe_never(open_door, rows):
    async with open_door(**{**BEHIND_A_PROXY, "unverified_per_minute": 5}) as door:
        assert await bad(door, STRANGER, 8) == [400] * 5 + [429] * 3
        assert await bad(door, OTHER) == [400], "others have their own allowance"
        for address in (STRANGER, OTHER, STRIPE):
            assert await good(door, address) == 200
        async with door.session.get(f"{door.url}/nowhere", headers={"X-Forwarded-For": STRANGER}) as response:
            assert (response.status, int(response.headers["Retry-After"]) in range(1, 13)) == (429, True)
        assert await bad(door, STRIPE, 8) == [400] * 8, "what fails from Stripe's own address has to say why"
    assert await rows.count() == (3, 3)


async def test_all_who_are_not_stripe_are_limited_together(open_door):
    async with open_door(**{**BEHIND_A_PROXY, "unverified_in_all_per_minute": 10}) as door:
        statuses = await asyncio.gather(*(bad(door, f"203.0.113.{n}") for n in range(14)))
        assert sorted(statuses) == [[400]] * 10 + [[429]] * 4
        assert await good(door, STRANGER) == 200


async def test_one_64_of_ipv6_has_one_allowance(open_door):
    async with open_door(**{**BEHIND_A_PROXY, "unverified_per_minute": 3}) as door:
        statuses = [(await bad(door, f"2001:db8::{n + 1:x}"))[0] for n in range(4)]
        assert statuses == [400, 400, 400, 429]
        assert await bad(door, "2001:db8:0:1::1") == [400]


@pytest.mark.parametrize(
    ("setting", "spoofed"),
    [("X-Forwarded-For", {"Forwarded": "for=198.51.100.{n}"}), ("Forwarded", {"X-Forwarded-For": "198.51.100.{n}"})],
)
async def test_a_spoofed_header_gives_no_new_allowance(open_door, setting, spoofed):
    changes = {"forwarded_header": setting, "unverified_per_minute": 3}
    async with open_door(**{**BEHIND_A_PROXY, **changes}) as door:
        statuses = []
        for n in range(5):
            ours = {"X-Forwarded-For": f"198.51.100.{n}, {STRANGER}"}
            if setting == "Forwarded":
                ours = {"Forwarded": f'for="198.51.100.{n}, for={STRANGER}'}
            fake = {name: value.format(n=n) for name, value in spoofed.items()}
            statuses.append((await door.post(BODY, "nonsense", **ours, **fake))[0])
        assert statuses == [400, 400, 400, 429, 429]


async def test_an_address_that_goes_on_is_banned_everywhere_for_a_while_and_across_restarts(open_door, rows):
    settings = {**BEHIND_A_PROXY, "ban_after": 10, "ban_s": 600}
    async with open_door(**settings) as first, open_door(**settings) as second:
        assert set(await bad(first, STRANGER, 7) + await bad(second, STRANGER, 7)) == {400}
        for door in (first, second, first):
            await settle(door)
        for door in (first, second):
            assert await bad(door, STRANGER) == [403]
            assert await bad(door, OTHER) == [400]
            assert await good(door, STRANGER) == 200, "what is validly signed is never refused"
            async with door.session.get(f"{door.url}/healthz", headers={"X-Forwarded-For": STRANGER}) as response:
                assert response.status == 200
    async with open_door(**settings) as third:
        status, problem = await third.post(BODY, "nonsense", **{"X-Forwarded-For": STRANGER})
        assert (status, problem["code"]) == (403, "address_banned")
    (banned,) = await staged(rows, "security.address_banned")
    assert (banned.client_address, banned.severity, banned.count) == (STRANGER, "info", 14)


async def test_a_ban_ends_and_the_next_one_is_twice_as_long(open_door, owner):
    settings = {**BEHIND_A_PROXY, "ban_after": 5, "ban_s": 60}
    async with open_door(**settings) as door:
        await bad(door, STRANGER, 5)
        await settle(door)
        assert await bad(door, STRANGER) == [403]
        await owner.execute("UPDATE webhooks.bans SET banned_at = now() - interval '2 min', until = now()")
        await settle(door)
        assert await bad(door, STRANGER) == [400]
        await owner.execute("DELETE FROM webhooks.threats")
        await bad(door, STRANGER, 5)
        await settle(door)
        row = await owner.fetchrow("SELECT bans, until - banned_at AS length FROM webhooks.bans")
        assert (row["bans"], row["length"].total_seconds()) == (2, 120)


@pytest.mark.parametrize("address", [STRIPE, "127.0.0.9", "10.1.2.3", "unknown"])
async def test_stripe_and_our_own_networks_are_never_banned(open_door, owner, address):
    settings = {**A_DAY, "trusted_networks": "127.0.0.0/8, 10.0.0.0/8", "amqp_url": NOWHERE, "ban_after": 3}
    async with open_door(**settings) as door:
        await bad(door, address, 10)
        await settle(door)
        assert await bad(door, address) == [400]
    assert await owner.fetchval("SELECT count(*) FROM webhooks.bans") == 0


async def test_a_ban_of_an_address_that_becomes_stripes_is_void(open_door, owner):
    await owner.execute(
        "INSERT INTO webhooks.bans (address, kind, sightings, until) VALUES ($1, 'x', 1, 'infinity')", STRIPE
    )
    async with open_door(**BEHIND_A_PROXY) as door:
        assert await bad(door, STRIPE) == [400]


async def test_who_is_banned_is_refused_before_the_body_is_read(open_door, owner):
    await owner.execute(
        "INSERT INTO webhooks.bans (address, kind, sightings, until) VALUES ($1, 'x', 1, now() + interval '1000 s')",
        STRANGER,
    )
    async with open_door(**BEHIND_A_PROXY) as door:
        reader, writer = await asyncio.open_connection("127.0.0.1", int(door.url.rpartition(":")[2]))
        head = f"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: {STRANGER}\r\n"
        writer.write(f"{head}Stripe-Signature: t=1,v1=aa\r\nContent-Length: 500000\r\n\r\n".encode())
        async with asyncio.timeout(FIRST_REQUEST_S / 2):
            answer = await reader.readuntil(b"}")
        writer.transport.abort()
    assert answer.startswith(b"HTTP/1.1 403 ")
    retry_after = next(line for line in answer.split(b"\r\n") if line.startswith(b"Retry-After: "))
    assert 900 <= int(retry_after.split()[1]) <= 1000


async def test_a_burst_of_bad_signatures_is_told_once_for_a_window_whatever_follows(open_door, rows):
    async with open_door(**{**BEHIND_A_PROXY, "ban_after": 1000}) as door:
        for _ in range(4):
            await bad(door, STRANGER, 6)
            await settle(door)
    (told,) = await staged(rows)
    assert isinstance(told, events.SecurityBadSignatures)
    assert (told.client_address, told.severity, told.count, told.window_s) == (STRANGER, "warning", 12, 86400)
    assert told.detail == f"12 requests without a valid signature from {STRANGER} within 1440 minutes"


async def test_two_processes_count_together_and_one_of_them_tells(open_door, rows):
    async with open_door(**BEHIND_A_PROXY) as first, open_door(**BEHIND_A_PROXY) as second:
        await asyncio.gather(bad(first, STRANGER, 6), bad(second, STRANGER, 6))
        await asyncio.gather(settle(first), settle(second))
    assert [(event.type, event.count) for event in await staged(rows)] == [("security.bad_signatures", 12)]


async def test_a_flood_from_many_addresses_makes_few_events_and_no_long_statement(open_door, rows, owner):
    async with open_door(**{**BEHIND_A_PROXY, "ban_after": 10}) as door:
        guard = door.app[GUARD]
        for n in range(3000):
            for _ in range(12 if n < 500 else 2):
                guard.note(Kind.BAD_SIGNATURE, f"198.{n >> 16}.{n >> 8 & 255}.{n & 255}")
        await settle(door)
        await settle(door)
        assert await owner.fetchval("SELECT count(*) FROM webhooks.bans") == 500
    told = await staged(rows, "security.bad_signatures")
    named = [event for event in told if event.client_address]
    assert MOST_TOLD - 1 <= len(named) <= MOST_TOLD
    assert len(told) == len(named) + 2, "one for those who aren't named, one for everybody"
    assert {event.severity for event in told if not event.client_address} == {"critical", "warning"}
    assert len(await staged(rows, "security.address_banned")) <= MOST_TOLD
    counted = await owner.fetchval("SELECT count(*) FROM webhooks.threats WHERE kind = 'bad_signature'")
    assert counted == 502, "who was seen twice is not worth a row; everybody and the unnamed are one each"


async def test_scanning_and_what_is_no_http_is_noticed(open_door, rows):
    settings = {**A_DAY, "amqp_url": NOWHERE, "ban_after": 1000}
    async with open_door(**settings) as door:
        for n in range(25):
            async with door.session.get(f"{door.url}/wp-admin/{n}") as response:
                assert response.status == 404
        port = int(door.url.rpartition(":")[2])
        for _ in range(25):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03")
            await reader.read()
            writer.close()
        await settle(door)
    told = await staged(rows, "security.scanning")
    assert {(event.client_address, event.severity) for event in told} == {("127.0.0.1", "info")}
    assert {event.detail.partition(" ")[2].partition(" from")[0] for event in told} == {
        "requests for paths or methods that don't exist",
        "requests that aren't HTTP",
    }


async def test_replays_have_no_effect_and_a_burst_of_them_is_told(open_door, rows):
    async with open_door(**BEHIND_A_PROXY) as door:
        for _ in range(12):
            guarding.note_outcome(door.app[GUARD], "replayed", STRANGER)
        for outcome in ("received", "ignored", "duplicate", "body_changed", None):
            guarding.note_outcome(door.app[GUARD], outcome, STRANGER)
        await settle(door)
    assert [(event.type, event.count) for event in await staged(rows)] == [("security.replays", 12)]


async def test_many_events_of_the_other_mode_are_one_alarm(open_door, rows):
    async with open_door(**{**BEHIND_A_PROXY, "sender_mode": "off"}) as door:
        for _ in range(5):
            body = body_of(an_event(livemode=True))
            assert (await door.post(body, signature(body), **{"X-Forwarded-For": STRANGER}))[0] == 200
        await settle(door)
    (told,) = await staged(rows, "security.livemode_mismatch")
    assert (told.severity, told.client_address) == ("critical", STRANGER)


async def test_what_can_not_be_written_is_counted_when_the_database_is_back(open_door, rows, wire, clean):
    async with open_door(**BEHIND_A_PROXY, database_url=SecretStr(wire.url)) as door:
        door.app[GUARD].tally.take(0)
        for _ in range(12):
            door.app[GUARD].note(Kind.BAD_SIGNATURE, STRANGER)
        await wire.cut()
        with contextlib.suppress(Exception):
            await guarding.share(door.app[POOL], door.app[GUARD])
        await wire.mend()
        async with asyncio.timeout(40):
            while not await staged(rows):
                with contextlib.suppress(Exception):
                    await settle(door)
                await asyncio.sleep(0.05)
    assert [event.count for event in await staged(rows)] == [12]


async def test_what_was_seen_last_is_told_when_the_process_stops(open_door, rows):
    async with open_door(**BEHIND_A_PROXY) as door:
        await bad(door, STRANGER, 10)
    assert [event.type for event in await staged(rows)] == ["security.bad_signatures"]


async def test_the_operator_sees_bans_and_lifts_one(open_door, owner, clean, capsys):
    settings = OpsSettings(
        database_url="unused", amqp_url="unused", role_prefix=clean.prefix, webhooks_database_url=clean.url("webhooks")
    )

    async def ops(lift: str | None = None) -> str:
        await ops_bans.run(settings, argparse.Namespace(lift=lift))
        return capsys.readouterr().out

    assert await ops() == "No address is banned.\n"
    await owner.execute(
        """
        INSERT INTO webhooks.bans (address, kind, sightings, until, bans) VALUES
            ('203.0.113.7', 'bad_signature', 41, now() + interval '10 min', 1),
            ('2001:db8::/64', 'scanning', 80, now() + interval '20 min', 2)
        """
    )
    first, second = (await ops()).splitlines()
    assert first.startswith("2001:db8::/64 ")
    assert first.endswith("80 scanning, for the 2th time")
    assert second.endswith("41 bad_signature")
    async with open_door(**BEHIND_A_PROXY) as door:
        assert await bad(door, "2001:db8::1") == [403]
        assert "2001:db8::/64 is let in again" in await ops("2001:db8::1")
        await settle(door)
        assert await bad(door, "2001:db8::1") == [400]
        assert await bad(door, STRANGER) == [403]
    assert len((await ops()).splitlines()) == 1
    with pytest.raises(NotFound, match="is not banned"):
        await ops("2001:db8::/64")
    with pytest.raises(Invalid, match="no address"):
        await ops("everybody")
    assert await owner.fetchval("SELECT count(*) FROM audit.log WHERE subject = 'address 2001:db8::/64'") == 1


async def test_what_is_long_over_is_forgotten(open_door, owner):
    await owner.execute(
        """
        INSERT INTO webhooks.threats (window_at, kind, address, sightings) VALUES
            (now() - interval '2 days', 'scanning', 'a', 1), (now(), 'scanning', 'a', 1);
        INSERT INTO webhooks.bans (address, kind, sightings, banned_at, until) VALUES
            ('old', 'x', 1, now() - interval '9 days', now() - interval '8 days'),
            ('new', 'x', 1, now() - interval '2 days', now() - interval '1 day')
        """
    )
    async with open_door(**BEHIND_A_PROXY) as door:
        await jobs.forget_threats(door.app[POOL])
    assert await owner.fetchval("SELECT count(*) FROM webhooks.threats") == 1
    assert await owner.fetchval("SELECT string_agg(address, ',') FROM webhooks.bans") == "new"
