"""What became of a mail."""

from typing import ClassVar
from uuid import UUID

from shared.events.base import Event


class MailEvent(Event):
    """What became of a mail. The recipient's address is not in it."""

    letter_id: UUID
    order_id: UUID
    kind: str
    message_id: str


class MailAccepted(MailEvent):
    type: ClassVar[str] = "mail.accepted"


class MailRefused(MailEvent):
    type: ClassVar[str] = "mail.refused"

    reply: str


class MailUnknown(MailEvent):
    """The server may or may not have it: its reply was lost."""

    type: ClassVar[str] = "mail.unknown"
