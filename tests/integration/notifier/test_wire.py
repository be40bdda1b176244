"""Servers that behave in ways the stand-in does not: spoken to over a socket, line by line."""

import asyncio
import ssl
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, closing, suppress
from pathlib import Path
from socket import socket

import pytest
from aiosmtpd.handlers import Sink
from aiosmtpd.smtp import SMTP, AuthResult

from services.notifier.domain import Outcome
from services.notifier.smtp_api import Smtp, envelope
from services.notifier.templates import Writer
from tests.unit.notifier import letters
from tests.unit.notifier.letters import NOON

OK = "250 ok"
DIALOGUE = {
    "banner": "220 here",
    "EHLO": OK,
    "MAIL": OK,
    "RCPT": OK,
    "DATA": "354 go",
    "content": OK,
    "QUIT": "221 bye",
}
HANG_UP = ""


class Script:
    """One server with its lines; `heard` is what came as mails."""

    def __init__(self, replies: dict[str, str]) -> None:
        self.replies = DIALOGUE | replies
        self.heard: list[bytes] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError, asyncio.IncompleteReadError):
            await self._converse(reader, writer)
        writer.close()
        with suppress(ConnectionError):
            await writer.wait_closed()

    async def _converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        said = self.replies["banner"]
        while said:
            writer.write(f"{said}\r\n".encode())
            command = (await reader.readline())[:4].decode().strip().upper()
            if command == "DATA" and self.replies["DATA"].startswith("354"):
                writer.write(f"{self.replies['DATA']}\r\n".encode())
                self.heard.append(await reader.readuntil(b"\r\n.\r\n"))
                command = "content"
            said = self.replies.get(command, "500 what?") if command else HANG_UP


@asynccontextmanager
async def server(replies: dict[str, str], heard: list[bytes]) -> AsyncIterator[int]:
    script = Script(replies)
    talks: set[asyncio.Task[None]] = set()
    listening = await asyncio.start_server(
        lambda reader, writer: talks.add(asyncio.ensure_future(script.talk(reader, writer))), "127.0.0.1", 0
    )
    async with listening:
        yield listening.sockets[0].getsockname()[1]
    await asyncio.gather(*talks)
    heard += script.heard


async def send(port: int, trust: ssl.SSLContext | None = None, **changed) -> Outcome:
    settings = letters.settings(**({"smtp_port": port, "smtp_timeout_s": 30} | changed))
    letter = letters.a_letter()
    mail = envelope(letter, Writer(settings).write(letter, NOON), settings)
    return await Smtp(settings, trust).send(mail)


@pytest.mark.parametrize(
    ("replies", "result", "reason", "code"),
    [
        ({}, "accepted", None, 250),
        ({"content": "251 will forward"}, "accepted", None, 251),
        # before there was a letter to judge
        ({"banner": "554 no service for you"}, "deferred", "connection", 554),
        ({"banner": "421 too busy"}, "deferred", "connection", 421),
        ({"banner": HANG_UP}, "deferred", "connection", None),
        ({"banner": "hello"}, "deferred", "connection", None),
        ({"EHLO": "550 no", "HELO": "550 no"}, "deferred", "connection", 550),
        ({"MAIL": HANG_UP}, "deferred", "connection", None),
        # about our own address, whoever the mail is for
        ({"MAIL": "550 5.7.1 sender not allowed"}, "deferred", "sender", 550),
        ({"MAIL": "553 sender not owned by this login"}, "deferred", "sender", 553),
        ({"MAIL": "451 4.3.0 not now"}, "deferred", "system", 451),
        ({"MAIL": "530 5.7.0 log in first"}, "deferred", "configuration", 530),
        # about the letter
        ({"RCPT": "550 5.7.1 not wanted here"}, "refused", "policy", 550),
        ({"RCPT": "450 4.2.1 mailbox busy"}, "deferred", "mailbox", 450),
        ({"RCPT": HANG_UP}, "deferred", "connection", None),
        # asked for the mail, but never got it
        ({"DATA": "451 4.3.0 not now"}, "deferred", "system", 451),
        ({"DATA": "554 5.5.1 no valid recipients"}, "refused", "protocol", 554),
        ({"DATA": HANG_UP}, "deferred", "connection", None),
        # got it
        ({"content": "421 4.3.2 shutting down"}, "deferred", "system", 421),
        ({"content": "552 5.3.4 too big"}, "refused", "content", 552),
        ({"content": HANG_UP}, "unknown", "reply_lost", None),
        ({"content": "what?"}, "unknown", "reply_lost", None),
        ({"content": "354 go on"}, "unknown", "reply_lost", None),
        # what comes after the yes is nobody's business
        ({"QUIT": HANG_UP}, "accepted", None, 250),
        ({"QUIT": "500 what?"}, "accepted", None, 250),
    ],
)
async def test_every_step_has_its_outcome(replies, result, reason, code):
    heard: list[bytes] = []
    async with server(replies, heard) as port:
        outcome = await send(port)
    assert (outcome.result, outcome.reason, outcome.code) == (result, reason, code)
    assert (outcome.result == "unknown") <= bool(heard)


async def test_a_line_that_begins_with_a_dot_arrives_with_its_dot():
    letter, settings = letters.a_letter(), letters.settings()
    page = Writer(settings).write(letter, NOON)
    mail = envelope(letter, page, settings)
    mail.get_payload()[0].set_content(".\n.hidden\n")  # type: ignore[union-attr]
    async with server({}, heard := []) as port:
        await Smtp(letters.settings(smtp_port=port)).send(mail)
    assert b"\r\n..\r\n..hidden\r\n" in heard[0]


async def test_a_server_that_says_nothing_is_left_in_time():
    with closing(socket()) as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        port = silent.getsockname()[1]
        for limits in ({"smtp_timeout_s": 0.2}, {"smtp_timeout_s": 5, "conversation_s": 0.2}):
            outcome = await send(port, **limits)
            assert (outcome.result, outcome.reason) == ("deferred", "connection")


async def test_a_reply_is_kept_without_the_recipient_and_without_the_links_token():
    reply = "550 5.7.1 <ada@example.com> spam: https://x.example/orders/1?token=1803229200." + "A" * 43
    async with server({"content": reply}, []) as port:
        outcome = await send(port)
    assert outcome.reply.startswith("5.7.1 <[address]> spam")
    assert "A" * 43 not in outcome.reply


@pytest.fixture(scope="module")
def certificate(tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=127.0.0.1",
         "-addext", "subjectAltName=IP:127.0.0.1", "-keyout", "key.pem", "-out", "certificate.pem"],
        cwd=folder, check=True, capture_output=True,
    )  # fmt: skip
    return folder


@pytest.fixture
async def tls_port(certificate) -> AsyncIterator[int]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "certificate.pem", certificate / "key.pem")

    def judge(_server, _session, _envelope, _mechanism, given) -> AuthResult:
        return AuthResult(success=given.password == b"right_standin", handled=False)

    options = {"tls_context": context, "require_starttls": True, "auth_required": True, "authenticator": judge}
    loop = asyncio.get_running_loop()
    async with await loop.create_server(lambda: SMTP(Sink(), hostname="here", **options), "127.0.0.1", 0) as listening:
        yield listening.sockets[0].getsockname()[1]


@pytest.mark.parametrize(
    ("password", "trusts", "result", "reason"),
    [
        ("right_standin", True, "accepted", None),
        ("wrong_standin", True, "deferred", "configuration"),
        ("right_standin", False, "deferred", "configuration"),
    ],
)
async def test_our_password_and_our_trust_are_never_the_letters_fault(
    tls_port, certificate, password, trusts, result, reason
):
    trust = ssl.create_default_context(cafile=certificate / "certificate.pem" if trusts else None)
    outcome = await send(tls_port, trust, smtp_tls="starttls", smtp_username="kct", smtp_password=password)
    assert (outcome.result, outcome.reason) == (result, reason)


async def test_a_server_without_starttls_gets_no_mail_in_the_clear():
    async with server({}, heard := []) as port:
        outcome = await send(port, smtp_tls="starttls")
    assert (outcome.result, outcome.reason) == ("deferred", "configuration")
    assert heard == []
