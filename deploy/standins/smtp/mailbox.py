"""The mails taken, and how often each was taken."""

import asyncio
import time
import zlib
from dataclasses import dataclass, field
from datetime import UTC, datetime
from email import policy
from email.message import EmailMessage
from email.parser import BytesHeaderParser, BytesParser
from fnmatch import fnmatchcase


@dataclass(frozen=True)
class Copy:
    """One acceptance of a mail. `reply` is what the client heard of it: 250, or the fault instead."""

    received_at: datetime
    reply: str


@dataclass
class Mail:
    id: int
    message_id: str
    sender: str
    recipients: tuple[str, ...]
    subject: str
    packed: bytes = field(repr=False)
    copies: list[Copy]

    @property
    def content(self) -> bytes:
        return zlib.decompress(self.packed)

    @property
    def received_at(self) -> datetime:
        return self.copies[0].received_at

    def parse(self) -> EmailMessage:
        return BytesParser(policy=policy.default).parsebytes(self.content)

    @property
    def text(self) -> str | None:
        return _body(self.parse(), "plain")

    @property
    def html(self) -> str | None:
        return _body(self.parse(), "html")


class Mailbox:
    """Mails are told apart by Message-ID and recipients: the same again is a copy, not another mail."""

    def __init__(self) -> None:
        self._mails: list[Mail] = []
        self._known: dict[tuple[str, tuple[str, ...]], Mail] = {}
        self._next_id = 1
        self.refused = 0  # attempts answered 4xx or 5xx, of which nothing was kept

    def take(self, sender: str, recipients: tuple[str, ...], content: bytes, reply: str) -> Mail:
        headers = BytesHeaderParser(policy=policy.compat32).parsebytes(content)
        message_id = str(headers.get("Message-ID", "")).strip()
        copy = Copy(datetime.now(UTC), reply)
        known = self._known.get((message_id, recipients)) if message_id else None
        if known is not None:
            known.copies.append(copy)
            return known
        packed = zlib.compress(content, level=1)
        mail = Mail(self._next_id, message_id, sender, recipients, _subject(content), packed, [copy])
        self._next_id += 1
        self._mails.append(mail)
        self._known[message_id, recipients] = mail
        return mail

    def all(self, to: str = "*") -> list[Mail]:
        """Oldest first; `to` is a pattern for one of the recipients."""
        if to == "*":
            return list(self._mails)
        return [mail for mail in self._mails if any(fnmatchcase(each.lower(), to.lower()) for each in mail.recipients)]

    def get(self, identifier: str) -> Mail | None:
        return next((mail for mail in reversed(self._mails) if str(mail.id) == identifier), None)

    def clear(self) -> None:
        self._mails.clear()
        self._known.clear()
        self.refused = 0

    async def wait_for(self, count: int, to: str = "*", within_s: float = 30) -> list[Mail]:
        """The mails to a recipient, as soon as there are `count` of them."""
        deadline = time.monotonic() + within_s
        while len(found := self.all(to)) < count:
            if time.monotonic() > deadline:
                raise TimeoutError(f"{len(found)} of {count} mails to {to} after {within_s:g} s")
            await asyncio.sleep(0.02)
        return found


def _subject(content: bytes) -> str:
    try:
        return str(BytesHeaderParser(policy=policy.default).parsebytes(content).get("Subject", ""))
    except (ValueError, LookupError, AttributeError):  # what the parser raises on some broken headers
        return "(a subject that cannot be read)"


def _body(message: EmailMessage, kind: str) -> str | None:
    part = message.get_body((kind,))
    if part is None:
        return None
    try:
        return str(part.get_content())
    except (LookupError, ValueError):  # a charset nobody knows
        payload = part.get_payload(decode=True)
        return payload.decode("utf-8", "replace") if isinstance(payload, bytes) else None
