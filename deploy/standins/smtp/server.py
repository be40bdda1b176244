"""The SMTP side: what is accepted, and what goes wrong at which step."""

import asyncio
from typing import Any

from aiosmtpd.smtp import SMTP, Envelope, Session

from deploy.standins.faults import Fault, Faults
from deploy.standins.smtp.mailbox import Mailbox

KINDS = {
    "greylist": "451 4.7.1 at RCPT",
    "unknown_recipient": "550 5.1.1 at RCPT",
    "policy": "550 5.7.1 at RCPT",
    "drop_before_data": "the link is dropped at the DATA command; nothing is kept",
    "storage_full": "452 4.3.1 after the data; nothing is kept",
    "bad_content": "554 5.6.0 after the data; nothing is kept",
    "drop_after_data": "the mail is kept, then the link is dropped without a reply",
    "slow_reply": "the mail is kept, the reply comes after `seconds`",
}

AT_RCPT = {
    "greylist": "451 4.7.1 Greylisted, please try again in {seconds:g} seconds",
    "unknown_recipient": "550 5.1.1 The mailbox does not exist",
    "policy": "550 5.7.1 Refused by the policy of this host",
}
AFTER_DATA = {
    "storage_full": "452 4.3.1 Insufficient system storage",
    "bad_content": "554 5.6.0 The content cannot be accepted",
}
MAIL_KEPT = ("drop_after_data", "slow_reply")

ACCEPTED = "250 2.0.0 Accepted by the stand-in"


class Handler:
    def __init__(self, mailbox: Mailbox, faults: Faults) -> None:
        self._mailbox = mailbox
        self._faults = faults

    async def handle_RCPT(
        self, _server: SMTP, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if fault := self._faults.take(AT_RCPT, [address]):
            self._mailbox.refused += 1
            return AT_RCPT[fault.kind].format(seconds=fault.seconds)
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server: SMTP, _session: Session, envelope: Envelope) -> str:
        recipients = tuple(envelope.rcpt_tos)
        if fault := self._faults.take(AFTER_DATA, recipients):
            self._mailbox.refused += 1
            return AFTER_DATA[fault.kind]
        fault = self._faults.take(MAIL_KEPT, recipients)
        reply = fault.kind if fault else "250"
        self._mailbox.take(envelope.mail_from or "", recipients, envelope.original_content or b"", reply)
        if fault:
            await _go_wrong(server, fault)
        return ACCEPTED


class StandInServer(SMTP):
    """aiosmtpd's protocol; it can also drop the link when the client asks to send its data."""

    def __init__(self, handler: Handler, faults: Faults, open_links: set[asyncio.BaseTransport]) -> None:
        super().__init__(handler, hostname="stand-in.invalid", ident="stand-in for a mail server", enable_SMTPUTF8=True)
        self._faults = faults
        self._open_links = open_links

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._open_links.add(transport)
        super().connection_made(transport)

    def connection_lost(self, error: Exception | None) -> None:
        if self.transport is not None:
            self._open_links.discard(self.transport)
        super().connection_lost(error)

    async def smtp_DATA(self, arg: str) -> None:
        if self.envelope and self._faults.take(["drop_before_data"], self.envelope.rcpt_tos):
            await _drop(self)
        await super().smtp_DATA(arg)


async def _go_wrong(server: Any, fault: Fault) -> None:
    if fault.kind == "slow_reply":
        await asyncio.sleep(fault.seconds)
    else:
        await _drop(server)


async def _drop(server: Any) -> None:
    """Cut the link. Never returns: the protocol cancels the conversation when it notices."""
    server.transport.abort()
    await asyncio.Event().wait()
