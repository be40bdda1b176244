"""Something suspicious, seen by whichever service saw it."""

from typing import ClassVar, Literal

from shared.events.base import Event


class SecurityEvent(Event):
    """Something suspicious, seen by whichever service saw it.

    `count` is how often within `window_s`; `client_address` an address, a network in CIDR form, or nobody's.
    """

    severity: Literal["info", "warning", "critical"]
    service: str
    client_address: str | None = None
    detail: str
    count: int = 1
    window_s: int | None = None


class SecurityLivemodeMismatch(SecurityEvent):
    """A validly signed event of the other mode: a live event on a test system, or the reverse."""

    type: ClassVar[str] = "security.livemode_mismatch"


class SecurityEventBodyChanged(SecurityEvent):
    """A validly signed event whose id we hold with another body."""

    type: ClassVar[str] = "security.event_body_changed"


class SecuritySecretExpiring(SecurityEvent):
    """A signing secret expires soon, and Stripe still signs with it: it was not rolled there."""

    type: ClassVar[str] = "security.secret_expiring"


class SecurityBadSignatures(SecurityEvent):
    """A burst of requests to Stripe's door that are not Stripe's."""

    type: ClassVar[str] = "security.bad_signatures"


class SecurityScanning(SecurityEvent):
    """A burst of requests for what doesn't exist, or of what isn't HTTP."""

    type: ClassVar[str] = "security.scanning"


class SecurityReplays(SecurityEvent):
    """A burst of validly signed requests that were sent before, word for word."""

    type: ClassVar[str] = "security.replays"


class SecurityUnknownSender(SecurityEvent):
    """A validly signed request from an address that isn't on Stripe's list."""

    type: ClassVar[str] = "security.unknown_sender"


class SecurityCardTesting(SecurityEvent):
    """So many cards were refused that somebody may be trying stolen ones.

    `counted_by` says what they have in common: order, card, email, address or shop; never whose.
    """

    type: ClassVar[str] = "security.card_testing"

    counted_by: str


class SecurityAddressBanned(SecurityEvent):
    """An address is kept out for a while."""

    type: ClassVar[str] = "security.address_banned"


class SecuritySendersChanged(SecurityEvent):
    """Stripe's list of the addresses it sends from says something else than before."""

    type: ClassVar[str] = "security.senders_changed"

    added: tuple[str, ...]
    removed: tuple[str, ...]
