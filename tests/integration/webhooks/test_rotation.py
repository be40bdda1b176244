"""The signing secret is rotated under load, with the command that an operator uses: nothing is refused in between."""

import asyncio
import os
import stat
import sys
from collections import Counter
from pathlib import Path

import aiohttp
import orjson
import pytest

from deploy.ops.safe_file import changing
from services.webhooks.domain.secrets import SigningSecret, parse, write
from shared.errors import Conflict
from tests.integration.webhooks.test_process import ROOT, port_of, start
from tests.stripe_events import an_event, body_of, signature

OLD, NEW = "whsec_test_old_one_of_the_shop", "whsec_test_new_one_of_the_shop"
RATE_PER_S = 200
pytestmark = pytest.mark.timeout(400)  # many commands, each a process of its own
SENDERS = 16


@pytest.fixture
def file(tmp_path) -> Path:
    """As somebody wrote it by hand, readable for the container's user."""
    path = tmp_path / "stripe_webhook_secret"
    path.write_text(OLD + "\n")
    path.chmod(0o644)
    return path


@pytest.fixture
def environment(clean, amqp_url, file):
    return {
        "PATH": os.environ["PATH"],
        "WEBHOOKS_PORT": "0",
        "WEBHOOKS_DATABASE_URL": clean.url("webhooks"),
        "WEBHOOKS_AMQP_URL": amqp_url,
        "WEBHOOKS_ROLE_PREFIX": clean.prefix,
        "WEBHOOKS_STRIPE_SECRETS_FILE": str(file),
        "WEBHOOKS_LIVEMODE": "false",
        "WEBHOOKS_STORE_TIMEOUT_S": "20",  # a machine that stalls for seconds is no outage
        "OPS_DATABASE_URL": clean.url("checkout"),
        "OPS_WEBHOOKS_DATABASE_URL": clean.url("webhooks"),
        "OPS_AMQP_URL": amqp_url,
        "OPS_ROLE_PREFIX": clean.prefix,
    }


@pytest.fixture
def rotate(environment, file):
    async def rotate(*arguments: str, secret: str = "") -> tuple[int, str]:
        """The command; its code and all that it said."""
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "deploy.ops", "rotate-webhook-secret", "--file", str(file), *arguments),
            cwd=ROOT,
            env=environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        async with asyncio.timeout(60):
            said, _ = await process.communicate(secret.encode() + b"\n")
        assert b"whsec_test" not in said
        assert b"Traceback" not in said
        assert process.returncode is not None
        return process.returncode, said.decode()

    return rotate


class Signer:
    """Stripe, sending events at a steady rate and signing them with the secrets that are alive on its side."""

    def __init__(self, port: int, *secrets: str) -> None:
        self.url = f"http://127.0.0.1:{port}/webhooks/stripe"
        self.secrets = secrets
        self.answers: Counter[int] = Counter()
        self.is_over = False

    async def deliver(self, session: aiohttp.ClientSession, *secrets: str) -> int:
        body = body_of(an_event())
        headers = {"Stripe-Signature": signature(body, *(secrets or self.secrets))}
        async with session.post(self.url, data=body, headers=headers) as response:
            return response.status

    async def send(self, session: aiohttp.ClientSession) -> None:
        loop = asyncio.get_running_loop()
        due = loop.time()
        while not self.is_over:
            self.answers[await self.deliver(session)] += 1
            due = max(due + SENDERS / RATE_PER_S, loop.time() - 1)
            await asyncio.sleep(due - loop.time())


async def until_said(rotate, words: str) -> str:
    async with asyncio.timeout(60):
        while words not in (said := (await rotate("--status"))[1]):
            await asyncio.sleep(0.2)
    return said


async def test_the_drill(environment, rotate, file, owner):
    """Rolled at Stripe, which then signs with both; taken over here; Stripe lets the old one go; it is retired here."""
    process = await start(environment)
    assert process.stdout is not None
    log = b""

    async def drain() -> None:
        nonlocal log
        async for line in process.stdout:
            log += line

    try:
        async with asyncio.timeout(90):
            signer = Signer(await port_of(process), OLD)
        async with asyncio.TaskGroup() as tasks, aiohttp.ClientSession() as session:
            tasks.create_task(drain())
            sending = [tasks.create_task(signer.send(session)) for _ in range(SENDERS)]
            await asyncio.sleep(1)
            signer.secrets = (NEW, OLD)
            await asyncio.sleep(1)
            code, said = await rotate("--name", "2026-11", "--old-until", "1h", secret=NEW)
            assert (code, "Roll secret" in said) == (0, True)
            await until_said(rotate, "holds what the file says")
            await asyncio.sleep(3)
            signer.secrets = (NEW,)
            await asyncio.sleep(3)
            code, said = await rotate("--retire", parse(OLD)[0].name)
            assert (code, "2026-11" in said) == (0, True)
            await until_said(rotate, "holds what the file says")
            signer.is_over = True
            await asyncio.gather(*sending)
            refused = [await signer.deliver(session, OLD) for _ in range(5)]
            assert await signer.deliver(session, NEW) == 200
            status = await until_said(rotate, "2026-11")
            process.terminate()
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()
    assert set(signer.answers) == {200}
    assert signer.answers[200] > 200
    assert refused == [400] * 5
    assert "never used" not in status
    assert OLD.encode() not in log
    assert NEW.encode() not in log
    taken = [entry for entry in map(orjson.loads, log.splitlines()) if entry["message"] == "signing secrets taken over"]
    assert [len(entry["secret_names"]) for entry in taken] == [2, 1]
    assert await owner.fetchval("SELECT count(*) FROM webhooks.stripe_event_ids") == signer.answers[200] + 1


async def test_a_rotation_keeps_inode_and_permissions_and_leaves_a_record_and_nothing_else(rotate, file, owner):
    before = file.stat()
    code, _ = await rotate("--name", "2026-11", "--old-until", "90m", secret=NEW)
    after = file.stat()
    assert code == 0
    assert (after.st_ino, stat.S_IMODE(after.st_mode)) == (before.st_ino, 0o644)
    new, old = parse(file.read_text())
    assert (new.name, new.value, new.until, old.value) == ("2026-11", NEW, None, OLD)
    assert old.until is not None
    assert [each.name for each in file.parent.iterdir()] == [file.name]
    row = await owner.fetchrow(
        "SELECT * FROM audit.log WHERE action = 'rotate signing secret' ORDER BY at DESC LIMIT 1"
    )
    assert (row["subject"], row["service"]) == ("signing secret 2026-11", "webhooks")
    assert "whsec" not in row["details"]


@pytest.mark.parametrize(
    ("arguments", "secret", "word"),
    [
        (("--name", "2026-11"), "", "whsec_"),
        (("--name", "2026-11"), "sk_test_" + "a" * 40, "whsec_"),
        (("--name", "2026-11"), "whsec_abc", "too short"),
        (("--name", "a b"), NEW, "name"),
        (("--name", "whsec_in_the_wrong_place=x"), NEW, "name"),
        (("--name", ""), NEW, "name"),
        (("--name", "a,b"), NEW, ""),
        (("--name", "2026-11", "--old-until", "soon"), NEW, "invalid"),
        (("--name", "2026-11", "--old-until", "-5h"), NEW, ""),
        (("--name", "2026-11"), OLD, "twice"),
        (("--retire", "nothing"), "", "there is no secret nothing"),
        (("--status", "--retire", "x"), "", "not allowed"),
        ((), "", "required"),
    ],
)
async def test_what_is_wrong_is_said_and_the_file_stays(rotate, file, arguments, secret, word):
    code, said = await rotate(*arguments, secret=secret)
    assert code != 0
    assert word in said
    assert file.read_text() == OLD + "\n"


async def test_the_last_secret_is_not_retired(rotate, file):
    code, said = await rotate("--retire", parse(OLD)[0].name)
    assert (code, "rotate first" in said) == (1, True)


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b"nonsense", None])
async def test_a_file_that_is_none_is_told(rotate, file, content):
    file.unlink()
    if content is not None:
        file.write_bytes(content)
    for arguments in (("--status",), ("--name", "2026-11"), ("--retire", "x")):
        code, said = await rotate(*arguments, secret=NEW)
        assert code == 1
        assert str(file) in said


async def test_status_names_what_is_there_and_says_when_nobody_listens(rotate, file):
    file.write_text(f"2026-11 = {NEW}\n2026-05 = {OLD}; until=2026-05-31T00:00:00Z\n")
    code, said = await rotate("--status")
    assert code == 0
    assert "never used" in said
    assert "expired" in said
    assert "No running service" in said


def test_a_change_that_was_cut_short_is_finished_by_the_next_command(tmp_path):
    path = tmp_path / "secrets"
    new = write([SigningSecret("new", NEW), SigningSecret("old", OLD)])
    half = new.index("old =")
    path.write_text(new[:half] + write([SigningSecret("old", OLD)])[half:])
    (tmp_path / ".secrets.new").write_text(new)
    with pytest.raises(ValueError, match="whole"):
        parse(path.read_text())
    with changing(path, parse) as file:
        assert file.text == new
    assert path.read_text() == new
    assert [each.name for each in tmp_path.iterdir()] == ["secrets"]


@pytest.mark.parametrize("beside", ["", "half"])
def test_a_change_that_had_not_begun_is_forgotten(tmp_path, beside):
    path, text = tmp_path / "secrets", write([SigningSecret("old", OLD)])
    path.write_text(text)
    (tmp_path / ".secrets.new").write_text(beside or write([SigningSecret("new", NEW)]))
    with changing(path, parse) as file:
        assert file.text == text
    assert [each.name for each in tmp_path.iterdir()] == ["secrets"]


def test_two_commands_do_not_change_it_at_once(file):
    with changing(file, parse), pytest.raises(Conflict), changing(file, parse):
        pass
