"""Letters and what becomes of them: which fact makes which letter, when it is tried, where it goes then."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.notifier.domain.replies import Outcome, Reason, Result, hinted_wait
from shared.events import (
    Event,
    OrderFacts,
    OrderPaid,
    OrderPaymentFailed,
    OrderRefunded,
    OrderShipped,
    ParcelFacts,
    RefundFacts,
)


class Kind(StrEnum):
    ORDER_CONFIRMATION = "order_confirmation"
    PAYMENT_FAILED = "payment_failed"
    ORDER_SHIPPED = "order_shipped"
    ORDER_REFUNDED = "order_refunded"


# Sent once more when nobody knows whether it arrived. A reminder is not worth a copy, and two mails about one refund
# read like two refunds.
RESENT = frozenset({Kind.ORDER_CONFIRMATION, Kind.ORDER_SHIPPED})


class State(StrEnum):
    """The drawing of the moves is in migrations/0001_letters.sql."""

    PENDING = "pending"
    SENDING = "sending"
    ACCEPTED = "accepted"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    WITHDRAWN = "withdrawn"
    EXPIRED = "expired"


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


@dataclass(frozen=True, slots=True)
class About:
    """What a letter is about beside its order; each kind has its own."""

    category: str | None = None  # why the payment failed
    reserved_until: datetime | None = None
    parcel: ParcelFacts | None = None
    is_part: bool = False  # more parcels are to come
    refund: RefundFacts | None = None
    refunded_minor: int = 0  # in all, of the order's own payment


@dataclass(frozen=True, slots=True, kw_only=True)
class Letter:
    """One mail about one fact. `attempts` counts the one that is under way."""

    id: UUID
    kind: Kind
    fact_id: str
    event_id: UUID
    order: OrderFacts
    about: About
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
class Move:
    """Where a letter goes: `due_at` when it will be tried (again)."""

    state: State
    due_at: datetime | None = None


# Writing a letter


def compose(event: Event, letter_id: UUID, terms: Terms, now: datetime, traceparent: str | None) -> Letter:
    """The letter that an event asks for; the same fact always gives the same Message-ID."""
    kind, fact_id, order, about = _fact(event)
    date = now.replace(microsecond=0)
    return Letter(
        id=letter_id,
        kind=kind,
        fact_id=fact_id,
        event_id=event.id,
        order=order,
        about=about,
        message_id=message_id(kind, order, fact_id, terms.message_id_domain),
        date=date,
        state=State.PENDING,
        due_at=now + terms.failure_grace if kind is Kind.PAYMENT_FAILED else now,
        expires_at=date + terms.expiry[kind],
        traceparent=traceparent,
    )


def _fact(event: Event) -> tuple[Kind, str, OrderFacts, About]:
    match event:
        case OrderPaid(order=order):
            # An order is paid once, whatever the number of events that say so.
            return Kind.ORDER_CONFIRMATION, "paid", order, About()
        case OrderPaymentFailed(order=order, failure_id=failure_id):
            about = About(category=event.category, reserved_until=event.reserved_until)
            return Kind.PAYMENT_FAILED, failure_id, order, about
        case OrderShipped(order=order, parcel=parcel):
            about = About(parcel=parcel, is_part=event.fulfilment == "part_shipped")
            return Kind.ORDER_SHIPPED, str(parcel.parcel_id), order, about
        case OrderRefunded(order=order, refund=refund):
            about = About(refund=refund, refunded_minor=event.refunded_minor)
            return Kind.ORDER_REFUNDED, str(refund.refund_id), order, about
        case _:
            raise NoSuchLetter(f"no letter is written about {event.type}")


def withdrawn(letter: Letter, reason: Reason) -> Letter:
    """The letter, kept on record but never sent, since what it says is no longer true."""
    return replace(letter, state=State.WITHDRAWN, due_at=None, reason=reason)


def refund_told_as(about: About, order: OrderFacts) -> str:
    """Which refund the customer reads of: all at once, the rest, a part, or money that the order did not need."""
    assert about.refund is not None
    if not about.refund.settles:
        return "surplus"
    if about.refunded_minor < order.total_minor:
        return "part"
    return "full" if about.refund.amount_minor >= order.total_minor else "rest"


def recipient_sha(address: str) -> str:
    """The recipient, for telling apart without showing; letter case makes no other person."""
    return hashlib.sha256(address.strip().lower().encode()).hexdigest()


def message_id(kind: Kind, order: OrderFacts, fact_id: str, domain: str) -> str:
    # What another service calls a failure is not ours to trust inside a header.
    plain = re.fullmatch(r"[A-Za-z0-9-]{1,40}", fact_id)
    fact = fact_id if plain else f"h-{hashlib.sha256(fact_id.encode()).hexdigest()[:24]}"
    return f"<{kind}.{order.order_id.hex}.{fact}.{recipient_sha(order.email)[:16]}@{domain}>"


# Sending it


def untrue(letter: Letter, *, is_paid: bool, refund_failed: bool) -> Reason | None:
    """Why a letter is no longer true, if it isn't: its order was paid after all, or its refund failed."""
    if letter.kind is Kind.PAYMENT_FAILED and is_paid:
        return Reason.PAID
    if letter.kind is Kind.ORDER_REFUNDED and refund_failed:
        return Reason.REFUND_FAILED
    return None


def fate(letter: Letter, untrue: Reason | None, now: datetime) -> State:
    """What to do with a letter whose time has come: send it, unless it became untrue or too late meanwhile."""
    if untrue is not None:
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
        may_resend = letter.kind in RESENT and letter.unknowns == 0
        # What the journal knows as sent is never sent by ourselves again: the database forgot, so it can't judge.
        resend = may_resend and outcome.reason is not Reason.JOURNALLED
        return Move(State.UNKNOWN, now + terms.resend_unknown_after if resend else None)
    due_at = next_attempt(letter.attempts, outcome.reply, terms, now, jitter)
    return Move(State.PENDING, due_at) if due_at < letter.expires_at else Move(too_late(letter))


def next_attempt(attempts: int, reply: str, terms: Terms, now: datetime, jitter: float) -> datetime:
    """When to try again after so many attempts: by the schedule, give or take, but not before the server asked us to.

    Nor earlier because of what it says: a full mailbox that is to be tried again in a second, for days, helps nobody.
    """
    step, asked = terms.backoff[min(attempts, len(terms.backoff)) - 1], hinted_wait(reply)
    if asked is not None and asked >= step:
        # Never earlier than asked for: greylisting starts anew at some servers.
        return now + asked * (1 + terms.jitter * abs(jitter))
    return now + max(step * (1 + terms.jitter * jitter), asked or timedelta())
