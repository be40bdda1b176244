"""Letters and what becomes of them: which fact makes which letter, when it is tried, what a server's reply means."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Final
from uuid import UUID

from shared.events import Event, OrderFacts, OrderPaid, OrderPaymentFailed


class Kind(StrEnum):
    ORDER_CONFIRMATION = "order_confirmation"
    PAYMENT_FAILED = "payment_failed"


class State(StrEnum):
    """The drawing of the moves is in migrations/0001_letters.sql."""

    PENDING = "pending"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


class Result(StrEnum):
    """How one SMTP conversation ended."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"  # not accepted; may be later
    REFUSED = "refused"  # not accepted, and never will be
    UNKNOWN = "unknown"  # may have been accepted: nothing told us


class Reason(StrEnum):
    """What a failure is about; only `address` and `mailbox` say something about the recipient."""

    ADDRESS = "address"  # X.1: no such person
    MAILBOX = "mailbox"  # X.2: disabled or full
    SYSTEM = "system"  # X.3
    NETWORK = "network"  # X.4
    PROTOCOL = "protocol"  # X.5
    CONTENT = "content"  # X.6, and too large
    POLICY = "policy"  # X.7: reputation or content; ours to mend, and nobody's address is dead
    SENDER = "sender"  # X.1.7, X.1.8: our own address
    CONFIGURATION = "configuration"  # authentication or TLS: ours to mend
    CONNECTION = "connection"  # the server could not be talked to
    UNSPECIFIED = "unspecified"  # no enhanced code
    REPLY_LOST = "reply_lost"
    SENDER_DIED = "sender_died"  # the lease ran out
    JOURNALLED = "journalled"  # the journal says it was sent; the database was put back to before
    NOT_COMPOSED = "not_composed"  # our own fault, before any conversation
    PAID = "paid"  # withdrawn: the order was paid after all


class NoSuchLetter(ValueError):
    """No letter is written about such an event."""


@dataclass(frozen=True, slots=True)
class Terms:
    """The numbers of the post; all are settings."""

    message_id_domain: str
    failure_grace: timedelta
    expiry: Mapping[Kind, timedelta]
    backoff: tuple[timedelta, ...]
    jitter: float
    resend_unknown_after: timedelta
    lease: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One mail about one fact. `attempts` counts the one that is under way."""

    id: UUID
    kind: Kind
    fact_id: str
    event_id: UUID
    order: OrderFacts
    category: str | None  # why the payment failed
    reserved_until: datetime | None
    message_id: str
    date: datetime
    state: State
    due_at: datetime | None
    expires_at: datetime
    traceparent: str | None
    reason: Reason | None = None
    attempts: int = 0
    unknowns: int = 0


@dataclass(frozen=True, slots=True)
class Page:
    """What a letter says, written out; `language` is the one it is in."""

    language: str
    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one conversation came to; the reply is redacted and bounded."""

    result: Result
    reason: Reason | None = None
    code: int | None = None
    enhanced_code: str | None = None
    reply: str = ""


@dataclass(frozen=True, slots=True)
class Move:
    """Where a letter goes: `due_at` when it will be tried (again)."""

    state: State
    due_at: datetime | None = None


# Writing a letter


def compose(event: Event, letter_id: UUID, terms: Terms, now: datetime, traceparent: str | None) -> Letter:
    """The letter that an event asks for; the same fact always gives the same Message-ID."""
    if isinstance(event, OrderPaid):
        # An order is paid once, whatever the number of events that say so.
        kind, fact_id, due_at, category, reserved_until = Kind.ORDER_CONFIRMATION, "paid", now, None, None
    elif isinstance(event, OrderPaymentFailed):
        kind, fact_id, due_at = Kind.PAYMENT_FAILED, event.failure_id, now + terms.failure_grace
        category, reserved_until = event.category, event.reserved_until
    else:
        raise NoSuchLetter(f"no letter is written about {event.type}")
    date = now.replace(microsecond=0)
    return Letter(
        id=letter_id,
        kind=kind,
        fact_id=fact_id,
        event_id=event.id,
        order=event.order,
        category=category,
        reserved_until=reserved_until,
        message_id=message_id(kind, event.order, fact_id, terms.message_id_domain),
        date=date,
        state=State.PENDING,
        due_at=due_at,
        expires_at=date + terms.expiry[kind],
        traceparent=traceparent,
    )


def withdrawn(letter: Letter) -> Letter:
    """The letter, kept on record but never sent, since its order was paid."""
    return replace(letter, state=State.WITHDRAWN, due_at=None, reason=Reason.PAID)


def recipient_sha(address: str) -> str:
    """The recipient, for telling apart without showing; letter case makes no other person."""
    return hashlib.sha256(address.strip().lower().encode()).hexdigest()


def message_id(kind: Kind, order: OrderFacts, fact_id: str, domain: str) -> str:
    # What another service calls a failure is not ours to trust inside a header.
    plain = re.fullmatch(r"[A-Za-z0-9-]{1,40}", fact_id)
    fact = fact_id if plain else f"h-{hashlib.sha256(fact_id.encode()).hexdigest()[:24]}"
    return f"<{kind}.{order.order_id.hex}.{fact}.{recipient_sha(order.email)[:16]}@{domain}>"


# Sending it


def fate(letter: Letter, *, is_paid: bool, now: datetime) -> State:
    """What to do with a letter whose time has come: send it, unless it became untrue or too late meanwhile."""
    if letter.kind is Kind.PAYMENT_FAILED and is_paid:
        return State.WITHDRAWN
    return too_late(letter) if letter.expires_at <= now else State.SENDING


def too_late(letter: Letter) -> State:
    """A letter that may have arrived has not expired: it stays unknown."""
    return State.UNKNOWN if letter.unknowns else State.EXPIRED


def move(letter: Letter, outcome: Outcome, terms: Terms, now: datetime, jitter: float) -> Move:
    """Where a letter goes after a conversation; `jitter` is between -1 and 1."""
    if outcome.result is Result.ACCEPTED:
        return Move(State.ACCEPTED)
    if outcome.result is Result.REFUSED:
        return Move(State.REFUSED)
    if outcome.result is Result.UNKNOWN:
        may_resend = letter.kind is Kind.ORDER_CONFIRMATION and letter.unknowns == 0
        # What the journal knows as sent is never sent by ourselves again: the database forgot, so it can't judge.
        resend = may_resend and outcome.reason is not Reason.JOURNALLED
        return Move(State.UNKNOWN, now + terms.resend_unknown_after if resend else None)
    due_at = next_attempt(letter.attempts, outcome.reply, terms, now, jitter)
    return Move(State.PENDING, due_at) if due_at < letter.expires_at else Move(too_late(letter))


def next_attempt(attempts: int, reply: str, terms: Terms, now: datetime, jitter: float) -> datetime:
    """When to try again after so many attempts: when the server asked us to, or by the schedule, give or take."""
    asked = hinted_wait(reply)
    if asked is not None:
        # Never earlier than asked for: greylisting starts anew at some servers.
        return now + asked * (1 + terms.jitter * abs(jitter))
    step = terms.backoff[min(attempts, len(terms.backoff)) - 1]
    return now + step * (1 + terms.jitter * jitter)


# What servers say

_ENHANCED: Final = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_HINT: Final = re.compile(
    r"\b(?:again|retry|wait|after|in|for)\b\D{0,20}?\b(\d{1,5})\s*(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)\b",
    re.IGNORECASE,
)
_HINT_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
SHORTEST_HINT: Final = timedelta(seconds=1)
LONGEST_HINT: Final = timedelta(hours=8)  # the longest step of the usual schedule: a longer wish is a mistake

_SUBJECTS: Final = {
    1: Reason.ADDRESS, 2: Reason.MAILBOX, 3: Reason.SYSTEM, 4: Reason.NETWORK,
    5: Reason.PROTOCOL, 6: Reason.CONTENT, 7: Reason.POLICY,
}  # fmt: skip
# RFC 3463 files these under another subject than the one they are about.
_EXCEPTIONS: Final = {
    (1, 7): Reason.SENDER, (1, 8): Reason.SENDER, (2, 3): Reason.CONTENT, (3, 4): Reason.CONTENT,
    (7, 8): Reason.CONFIGURATION, (7, 9): Reason.CONFIGURATION, (7, 11): Reason.CONFIGURATION,
}  # fmt: skip
# Codes about logging in and TLS (RFC 4954, 3207): they are said to us, not about the letter.
_ABOUT_US: Final = frozenset({454, 530, 534, 535, 538})

LONGEST_REPLY: Final = 500


def classify(code: int, text: str) -> Outcome:
    """What a reply with a code means. The enhanced code tells the reason; either code may call it temporary.

    A refusal taken for temporary costs some tries until it expires, the reverse costs a mail: so where the two
    disagree, it is temporary.
    """
    found = _ENHANCED.search(text)
    enhanced = found[0] if found else None
    reason = Reason.UNSPECIFIED
    if found:
        subject, detail = int(found[2]), int(found[3])
        reason = _EXCEPTIONS.get((subject, detail)) or _SUBJECTS.get(subject, Reason.UNSPECIFIED)
    if code in _ABOUT_US:
        reason = Reason.CONFIGURATION
    temporary = code < 500 or (found is not None and found[1] == "4") or reason is Reason.CONFIGURATION
    result = Result.DEFERRED if temporary else Result.REFUSED
    return Outcome(result, reason, code, enhanced, text)


def hinted_wait(reply: str) -> timedelta | None:
    """How long a server asked us to wait ("try again in 300 seconds"), within reason."""
    found = _HINT.search(reply)
    if found is None:
        return None
    asked = timedelta(seconds=int(found[1]) * _HINT_UNITS[found[2][0].lower()])
    return min(max(asked, SHORTEST_HINT), LONGEST_HINT)


def one_line(text: str, longest: int) -> str:
    """Text for a header or a record: no line ends or other control characters, and not too long."""
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).strip()[:longest]


def without_addresses(reply: str) -> str:
    """A server's reply without anybody's address, and bounded: servers like to repeat whom they refuse."""
    return one_line(re.sub(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;]+", "[address]", reply[:4000]), LONGEST_REPLY)
