"""The signing secrets of a running service: which one verified, a changed file, and secrets that end."""

import asyncio
import logging
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest

from services.webhooks.actions.keyring import EXPIRING, FILE_PROBLEM, NONE_USABLE, TAKEOVERS, VERIFIED
from services.webhooks.domain.secrets import SigningSecret, write
from services.webhooks.handlers import KEYRING, SIGNATURE_FAILURES
from shared import events
from tests.stripe_events import OTHER_SECRET, SECRET, an_event

NEW, OLD = SigningSecret("2026-11", OTHER_SECRET), SigningSecret("2026-05", SECRET)


def ending_in(seconds: float, of: SigningSecret = OLD) -> SigningSecret:
    return SigningSecret(of.name, of.value, datetime.now(UTC) + timedelta(seconds=seconds))


async def until(condition: Callable[[], bool], within_s: float = 40) -> None:
    async with asyncio.timeout(within_s):
        while not condition():
            await asyncio.sleep(0.02)


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "secrets"
    path.write_text(write([OLD]))
    return path


@pytest.fixture
async def door(open_door, file):
    async with open_door(stripe_secrets=(OLD,), stripe_secrets_file=file, secrets_look_s=0.02) as door:
        yield door


def names(door) -> list[str]:
    return [each.name for each in door.app[KEYRING].secrets]


async def test_the_name_of_the_secret_is_kept_with_the_delivery_and_counted(open_door, rows):
    before = VERIFIED.labels(secret="2026-05")._value.get()
    async with open_door(stripe_secrets=(NEW, OLD)) as door:
        await door.deliver(an_event(), SECRET)
    assert '"signed-by": "2026-05"' in (await rows.one())["headers"]
    assert VERIFIED.labels(secret="2026-05")._value.get() == before + 1


async def test_a_changed_file_is_taken_over_while_running(door, file):
    assert (await door.deliver(an_event(), OTHER_SECRET))[0] == 400
    file.write_text(write([NEW, OLD]))
    await until(lambda: names(door) == ["2026-11", "2026-05"])
    assert (await door.deliver(an_event(), OTHER_SECRET))[0] == 200
    assert (await door.deliver(an_event(), SECRET))[0] == 200
    file.write_text(write([NEW]))
    await until(lambda: names(door) == ["2026-11"])
    assert (await door.deliver(an_event(), SECRET))[0] == 400


BAD = {
    "empty": b"",
    "blank": b"\n\n",
    "half": write([NEW, OLD]).encode()[:-20],
    "not text": b"\xff\xfe\x00",
    "some other key": b"sk_test_abcdefgh",
    "all expired": b"a=whsec_abc; until=2020-01-01T00:00Z",
    "huge": b"#" * 70_000,
}


@pytest.mark.parametrize("case", [*BAD, "gone", "a folder"])
async def test_a_file_that_is_no_good_changes_nothing_and_is_shown(door, file, caplog, case):
    before = TAKEOVERS.labels(outcome="refused")._value.get()
    with caplog.at_level(logging.INFO):
        file.unlink()
        if case == "a folder":
            file.mkdir()
        elif case in BAD:
            file.write_bytes(BAD[case])
        await until(lambda: door.app[KEYRING].problem is not None)
        await asyncio.sleep(0.1)
        assert (await door.deliver(an_event(), SECRET))[0] == 200
    assert FILE_PROBLEM._value.get() == 1
    assert TAKEOVERS.labels(outcome="refused")._value.get() == before + 1
    (line,) = [record for record in caplog.records if record.getMessage() == "signing secrets not taken over"]
    assert line.levelno == logging.ERROR
    assert "whsec" not in caplog.text
    if case == "a folder":
        file.rmdir()
    file.write_text(write([NEW]))
    await until(lambda: names(door) == ["2026-11"])
    assert door.app[KEYRING].problem is None
    assert FILE_PROBLEM._value.get() == 0


async def test_a_hand_that_is_still_writing_does_no_harm(open_door, file):
    """Looks come between the writes; only what two of them found is taken, and never a part of a secret."""
    async with open_door(stripe_secrets=(OLD,), stripe_secrets_file=file, secrets_look_s=0.2) as door:
        await asyncio.sleep(0.5)
        text = f"2026-11 = {OTHER_SECRET}\n2026-05 = {SECRET}\n"
        for end in range(1, len(text) + 1):
            file.write_text(text[:end])
            await asyncio.sleep(0.02)
            assert names(door) in (["2026-05"], ["2026-11", "2026-05"])
            assert {each.value for each in door.app[KEYRING].secrets} <= {SECRET, OTHER_SECRET}
        await until(lambda: names(door) == ["2026-11", "2026-05"])


async def test_when_the_last_secret_ends_everything_is_refused_and_readyz_says_why(open_door, rows, caplog):
    def refused() -> float:
        return SIGNATURE_FAILURES.labels(reason="no_usable_secret")._value.get()

    before = refused()
    async with open_door(stripe_secrets=(ending_in(3600),), secrets_look_s=0.05) as door:
        assert (await door.deliver(an_event()))[0] == 200
        door.app[KEYRING].take((ending_in(0.5),))
        await until(lambda: not door.app[KEYRING].has_usable)
        status, problem = await door.deliver(an_event())
        assert (status, problem["code"]) == (503, "no_usable_secret")
        async with door.session.get(f"{door.url}/readyz") as response:
            assert (response.status, "usable_signing_secret" in await response.text()) == (503, True)
    assert refused() == before + 1
    assert NONE_USABLE._value.get() == 1
    assert [each.getMessage() for each in caplog.records if each.levelno == logging.ERROR] == [
        "no usable signing secret"
    ]
    assert await rows.count() == (1, 1)


async def test_one_of_two_secrets_ends_by_itself(open_door):
    async with open_door(stripe_secrets=(NEW, ending_in(3600))) as door:
        assert (await door.deliver(an_event(), SECRET))[0] == 200
        door.app[KEYRING].take((NEW, ending_in(0.5)))
        await asyncio.sleep(0.6)
        assert (await door.deliver(an_event(), SECRET))[0] == 400
        assert (await door.deliver(an_event(), OTHER_SECRET))[0] == 200


async def test_a_secret_in_use_that_ends_soon_is_told_once(open_door, heard, rows):
    end = datetime.now(UTC).replace(microsecond=0) + timedelta(hours=1)
    for _ in range(2):  # a second process, or a restart, says nothing new
        async with open_door(stripe_secrets=(NEW, SigningSecret("2026-05", SECRET, end))) as door:
            await door.deliver(an_event(), SECRET)
            await until(lambda: EXPIRING._metrics.get(("2026-05",)) is not None)
            assert 0 < EXPIRING.labels(secret="2026-05")._value.get() <= 3600
            (told,) = await heard.at_least(1, "security.secret_expiring")
    assert "2026-05" in events.decode(told.body).detail
    assert SECRET.encode() not in told.body


async def test_what_is_held_and_used_is_written_down_by_name(open_door, database, rows):
    async with open_door(stripe_secrets=(NEW, OLD), instance="test:1") as door:
        for _ in range(3):
            await door.deliver(an_event(), SECRET)
        noted = "SELECT sum(requests) FROM webhooks.secret_uses"
        async with asyncio.timeout(40):  # the job may come between two of the requests
            while await rows.auditor.fetchval(noted) != 3:
                await asyncio.sleep(0.05)
    uses = await rows.auditor.fetch("SELECT name, requests FROM webhooks.secret_uses")
    (held,) = await rows.auditor.fetch("SELECT * FROM webhooks.keyrings")
    assert (held["instance"], held["names"], held["problem"]) == ("test:1", ["2026-11", "2026-05"], None)
    assert [tuple(row) for row in uses] == [("2026-05", 3)]
