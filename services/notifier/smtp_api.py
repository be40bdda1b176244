"""The only file that talks to the mail server: one mail, one conversation, one outcome that can be relied on.

Whether a failure came before or after the mail itself was handed over is what everything else depends on, so the
steps are taken one by one: up to RCPT nothing can have been accepted; from DATA on, no reply means that it may
have been.
"""

import asyncio
import re
import ssl
from binascii import b2a_qp
from dataclasses import dataclass, replace
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from hashlib import sha256

import aiosmtplib

from services.notifier.domain import (
    Letter,
    Outcome,
    Page,
    Reason,
    Result,
    classify,
    one_line,
    without_addresses,
)
from services.notifier.settings import ADDRESS, NotifierSettings
from shared.redaction import redact

# "Message-ID" would be folded at 78 characters, and not every mailbox puts it together again; 998 is the limit.
POLICY = SMTP.clone(max_line_length=300)

LONGEST_NAME = 100

GO_AHEAD = 354
LINE_START_DOT = re.compile(rb"(?m)^\.")


class UnwritableAddress(ValueError):
    """No mail can be addressed to this."""


def envelope(letter: Letter, page: Page, settings: NotifierSettings) -> EmailMessage:
    """The mail itself, byte for byte the same for the same letter and page.

    `EmailMessage` refuses line ends in headers; names and addresses are built from parts, never from text.
    """
    mail = EmailMessage(policy=POLICY)
    mail["MIME-Version"] = "1.0"
    mail.make_alternative()  # before the other Content- headers, which would go into a part of their own
    sender = settings.sender
    mail["From"] = Address(settings.shop_name, addr_spec=sender)
    mail["To"] = _recipient(letter)
    if settings.support_email is not None:
        mail["Reply-To"] = Address(settings.shop_name, addr_spec=settings.support_email)
    mail["Subject"] = one_line(page.subject, 200)
    mail["Date"] = format_datetime(letter.date)
    mail["Message-ID"] = letter.message_id
    # RFC 3834, and Exchange's own: no holiday notice answers a receipt.
    mail["Auto-Submitted"] = "auto-generated"
    mail["X-Auto-Response-Suppress"] = "All"
    mail["Content-Language"] = page.language
    mail.attach(_part("plain", page.text))
    mail.attach(_part("html", page.html))
    mail.set_boundary(f"kct-{sha256(letter.message_id.encode()).hexdigest()[:40]}")
    return mail


def _part(subtype: str, content: str) -> EmailMessage:
    # Encoded here: `set_content` makes lines as long as a header may be, and RFC 2045 allows 76.
    part = EmailMessage(policy=POLICY)
    part["Content-Type"] = f'text/{subtype}; charset="utf-8"'
    part["Content-Transfer-Encoding"] = "quoted-printable"
    part.set_payload(b2a_qp(content.encode(), istext=True).decode("ascii"))
    return part


def _recipient(letter: Letter) -> Address:
    local, _, domain = letter.order.email.strip().rpartition("@")
    try:
        # A domain travels in its ASCII form; a local part beyond ASCII would need SMTPUTF8 all the way.
        address = f"{local}@{domain.encode('idna').decode('ascii')}"
    except UnicodeError as error:
        raise UnwritableAddress("the recipient's domain is none") from error
    if not re.fullmatch(ADDRESS, address):
        raise UnwritableAddress("the recipient's address can't be written to")
    return Address(one_line(letter.order.shipping_address.name, LONGEST_NAME), addr_spec=address)


@dataclass(frozen=True)
class Smtp:
    """The mail server that the settings name."""

    settings: NotifierSettings
    trust: ssl.SSLContext | None = None  # None: the machine's certificate authorities

    async def send(self, mail: EmailMessage) -> Outcome:
        """Sends one mail over a connection of its own. Never raises for what a server or a network does.

        Being cancelled leaves the outcome open: the letter's lease then tells that it is unknown.
        """
        client = self._client()
        handed_over = False
        try:
            async with asyncio.timeout(self.settings.conversation_s):
                await client.connect()
                await client.mail(self.settings.sender)
                await client.rcpt(mail["To"].addresses[0].addr_spec)
                await _ask_for_data(client)
                handed_over = True
                reply = await _hand_over(client, mail.as_bytes(), self.settings.smtp_timeout_s)
            return Outcome(Result.ACCEPTED, code=reply.code, reply=_keepable(reply.message))
        except (aiosmtplib.SMTPException, OSError, TimeoutError, ValueError) as error:
            return _outcome(error, handed_over)
        finally:
            await _leave(client)

    def _client(self) -> aiosmtplib.SMTP:
        wanted = self.settings
        password = wanted.smtp_password
        return aiosmtplib.SMTP(
            hostname=wanted.smtp_host,
            port=wanted.smtp_port,
            username=wanted.smtp_username,
            password=password.get_secret_value() if password else None,
            # Given, so that no name server is asked for our own name.
            local_hostname=wanted.sender.rpartition("@")[2],
            timeout=wanted.smtp_timeout_s,
            use_tls=wanted.smtp_tls == "tls",
            start_tls=wanted.smtp_tls == "starttls",
            tls_context=self.trust,
        )


def _outcome(error: Exception, handed_over: bool) -> Outcome:
    if isinstance(error, aiosmtplib.SMTPRecipientsRefused) and error.recipients:
        error = error.recipients[0]
    if isinstance(error, aiosmtplib.SMTPResponseException) and 400 <= error.code <= 599:
        return _refusal(error, handed_over)
    text = _keepable(f"{type(error).__name__}: {error}")
    if handed_over:
        return Outcome(Result.UNKNOWN, Reason.REPLY_LOST, reply=text)
    # The library has no class of its own for "no STARTTLS here" and "no AUTH here".
    if isinstance(error, aiosmtplib.SMTPNotSupported | ssl.SSLError) or type(error) is aiosmtplib.SMTPException:
        return Outcome(Result.DEFERRED, Reason.CONFIGURATION, reply=text)
    return Outcome(Result.DEFERRED, Reason.CONNECTION, reply=text)


def _refusal(error: aiosmtplib.SMTPResponseException, handed_over: bool) -> Outcome:
    text = _keepable(error.message)
    found = classify(error.code, text)
    if isinstance(error, aiosmtplib.SMTPSenderRefused) and found.result is Result.REFUSED:
        # Whom the mail is for wasn't said yet: it is about our own address, for every letter until that is mended.
        return replace(found, result=Result.DEFERRED, reason=Reason.SENDER)
    if isinstance(error, aiosmtplib.SMTPSenderRefused | aiosmtplib.SMTPRecipientRefused | aiosmtplib.SMTPDataError):
        return found
    # Said before there was a letter to judge: "554 no service for you" is about us or the server.
    reason = Reason.CONFIGURATION if isinstance(error, aiosmtplib.SMTPAuthenticationError) else Reason.CONNECTION
    return Outcome(Result.DEFERRED, reason, error.code, found.enhanced_code, text)


def _keepable(text: str) -> str:
    """A reply without addresses, links' tokens or card numbers, and without bytes that are no text."""
    return without_addresses(redact(text.encode("utf-8", "replace").decode("utf-8")))


# aiosmtplib's own `data` sends the command and the mail in one step, and a link that drops between the two would
# count as unknown although nothing was sent.


async def _ask_for_data(client: aiosmtplib.SMTP) -> None:
    reply = await client.execute_command(b"DATA")
    if reply.code != GO_AHEAD:
        raise aiosmtplib.SMTPDataError(reply.code, reply.message)


async def _hand_over(client: aiosmtplib.SMTP, content: bytes, timeout_s: float) -> aiosmtplib.SMTPResponse:
    protocol = client.protocol
    if protocol is None:
        raise aiosmtplib.SMTPServerDisconnected("the link was lost")
    protocol.write(LINE_START_DOT.sub(b"..", content) + b".\r\n")
    reply = await protocol.read_response(timeout=timeout_s)
    if not 200 <= reply.code <= 299:
        raise aiosmtplib.SMTPDataError(reply.code, reply.message)
    return reply


async def _leave(client: aiosmtplib.SMTP) -> None:
    """Says goodbye if there is anybody to say it to; what comes of that matters to nobody."""
    try:
        if client.is_connected:
            await client.quit(timeout=2)
    except (aiosmtplib.SMTPException, OSError, TimeoutError):
        pass
    finally:
        client.close()
