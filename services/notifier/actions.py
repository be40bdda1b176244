"""What the notifier does: write a letter, claim those that are due, send one, and record what came of it.

    claim            one transaction: still true? then an attempt row, state `sending`, a lease
    send             no transaction: the SMTP conversation
    record           one transaction: the attempt's outcome, the letter's move, the event

A crash between claim and record leaves a lease that runs out: the outcome is then `unknown`, never tried blindly.
"""

import asyncio
import logging
import random
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from services.notifier import domain, store
from services.notifier.domain import Kind, Letter, Outcome, Reason, Result, State, Terms
from services.notifier.settings import NotifierSettings
from services.notifier.smtp_api import Journal, Smtp, UnwritableAddress, envelope
from services.notifier.templates import Writer
from shared import metrics, outbox, tracing
from shared.audit import audit
from shared.db import Connection, Pool, is_database_away, is_in_the_way
from shared.events import (
    MailAccepted,
    MailEvent,
    MailRefused,
    MailUnknown,
    OrderEvent,
    OrderPaid,
    OrderPaymentFailed,
    OrderRefunded,
    OrderRefundFailed,
    OrderShipped,
)
from shared.ids import uuid7

log = logging.getLogger(__name__)

LETTERS = metrics.counter(
    "notifier_letters_total", "Letters and tries to send them, by what came of them.", ("kind", "outcome")
)
POSSIBLE_DOUBLES = metrics.counter(
    "notifier_possible_doubles_total", "Mails accepted after an earlier try whose outcome is unknown.", ("kind",)
)
TIME_TO_ACCEPT = metrics.histogram(
    "notifier_time_to_accept_seconds",
    "From the letter's being due for the first time to a mail server's taking it.",
    ("kind",),
    buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1800, 7200, 28800, 86400, 259200),
)
WAITING = metrics.gauge("notifier_letters_waiting", "Letters not settled, by state.", ("kind", "state"))
OVERDUE = metrics.gauge("notifier_letters_overdue_seconds", "How long the oldest due letter has been due.")

# While the database is away, an outcome waits in memory for so long; then the lease tells that it is unknown.
KEEP_OUTCOME_S = 600.0
LOST_AT_ONCE = 50


@dataclass(frozen=True)
class Post:
    """What sending needs."""

    pool: Pool
    smtp: Smtp
    writer: Writer
    journal: Journal
    settings: NotifierSettings

    @property
    def terms(self) -> Terms:
        return self.settings.terms()


@dataclass(frozen=True, slots=True)
class Claim:
    """A letter that this process may send now, and the row that says so."""

    letter: Letter
    attempt_id: UUID


# Writing


async def announce_paid(conn: Connection, event: OrderPaid, terms: Terms) -> None:
    """A confirmation; and no failure mail any more, now or from an event that is still on its way."""
    await store.insert_paid_order(conn, event)
    withdrawn = await store.withdraw_failure_letters(conn, event.order.order_id)
    LETTERS.labels(kind=Kind.PAYMENT_FAILED, outcome="withdrawn").inc(withdrawn)
    await _write(conn, event, terms)


async def announce_failure(conn: Connection, event: OrderPaymentFailed, terms: Terms) -> None:
    """A failure mail, after a grace in which another card may make it untrue."""
    is_paid = await store.select_is_paid(conn, event.order.order_id)
    await _write(conn, event, terms, untrue=Reason.PAID if is_paid else None)


async def announce(conn: Connection, event: OrderShipped | OrderRefunded, terms: Terms) -> None:
    """A mail about what can't become untrue by another payment."""
    await _write(conn, event, terms)


async def withdraw_refund(conn: Connection, event: OrderRefundFailed, terms: Terms) -> None:
    """No mail about a refund that failed, now or from an event that is still on its way; staff are told instead."""
    # Written first: an event about the refund's success, handled right now, is waited for, and its letter then seen.
    await _write(conn, event, terms, untrue=Reason.REFUND_FAILED)
    refund_id = str(event.refund.refund_id)
    withdrawn = await store.withdraw_refund_letter(conn, event.order.order_id, refund_id)
    LETTERS.labels(kind=Kind.ORDER_REFUNDED, outcome="withdrawn").inc(withdrawn)


async def _write(conn: Connection, event: OrderEvent, terms: Terms, untrue: Reason | None = None) -> None:
    """The letter about a fact, once. With `untrue` it only keeps a later event about that fact from being told."""
    letter = domain.compose(event, uuid7(), terms, datetime.now(UTC), tracing.current_traceparent())
    if untrue is not None:
        letter = domain.withdrawn(letter, untrue)
    if await store.insert_letter(conn, letter):
        LETTERS.labels(kind=letter.kind, outcome="withdrawn" if letter.due_at is None else "written").inc()
    else:
        LETTERS.labels(kind=letter.kind, outcome="repeated").inc()


# Claiming


async def claim_due(post: Post, limit: int) -> list[Claim]:
    """Takes up to `limit` letters that are due and still true; the others are withdrawn or expire here."""
    claims = []
    async with post.pool.worker() as conn:
        for due in await store.select_due_for_update(conn, limit):
            claims += await _claim(conn, due, post.settings)
    return claims


async def _claim(conn: Connection, due: store.Due, settings: NotifierSettings) -> list[Claim]:
    letter = due.letter
    state = domain.fate(letter, is_paid=due.is_paid, now=due.now)
    if state is not State.SENDING:
        reason = Reason.PAID if state is State.WITHDRAWN else letter.reason
        await store.update_state(conn, letter.id, state, reason)
        if state is not State.UNKNOWN:  # that was counted and told when it happened
            LETTERS.labels(kind=letter.kind, outcome=state).inc()
        if state is State.EXPIRED:
            await outbox.stage(conn, _refused(letter, "expired before it could be sent"))
        return []
    await store.update_to_sending(conn, letter.id, settings.terms().lease)
    attempted = replace(letter, state=State.SENDING, attempts=letter.attempts + 1)
    claim = Claim(attempted, uuid7())
    await store.insert_attempt(conn, claim.attempt_id, attempted, settings.instance)
    return [claim]


# Sending


async def deliver(post: Post, claim: Claim) -> Outcome:
    """Sends a claimed letter and records what came of it."""
    letter = claim.letter
    with tracing.span(
        "send mail", kind="client", parent=letter.traceparent, **{"kct.letter.kind": letter.kind}
    ) as span:
        outcome = await _send(post, letter)
        span.set_attribute("kct.letter.outcome", outcome.result)
        await _record_surely(post, claim, outcome)
    log.info("mail tried", extra=_log_facts(letter, outcome))
    return outcome


async def _send(post: Post, letter: Letter) -> Outcome:
    try:
        page = post.writer.write(letter, datetime.now(UTC))
        mail = envelope(letter, page, post.settings)
    except UnwritableAddress as error:
        return Outcome(Result.REFUSED, Reason.ADDRESS, reply=str(error))
    except Exception:
        # A letter that can't be written is our mistake, perhaps mended before it expires; others must go on.
        log.exception("letter not composed", extra={"letter_id": str(letter.id), "kind": letter.kind})
        return Outcome(Result.DEFERRED, Reason.NOT_COMPOSED)
    if not await post.journal.admits(letter):
        log.error("letter held", extra={"letter_id": str(letter.id), "kind": letter.kind})
        return Outcome(Result.UNKNOWN, Reason.JOURNALLED, reply="sent before the database was put back")
    return await post.smtp.send(mail)


async def _record_surely(post: Post, claim: Claim, outcome: Outcome) -> None:
    """Records the outcome, waiting for a database that is away or locked: it is known here and nowhere else."""
    pause = 0.1
    async with asyncio.timeout(KEEP_OUTCOME_S):
        while True:
            try:
                async with post.pool.worker() as conn:
                    await record(conn, claim, outcome, post.terms)
                return
            except Exception as error:
                if not (is_database_away(error) or is_in_the_way(error)):
                    raise
                facts = {"letter_id": str(claim.letter.id), "reason": type(error).__name__}
                log.warning("outcome not recorded yet", extra=facts)
            await asyncio.sleep(pause)
            pause = min(pause * 2, 2.0)


# Recording


async def record(conn: Connection, claim: Claim, outcome: Outcome, terms: Terms) -> None:
    """The outcome of a conversation, the letter's move and the event: together or not at all. Safe to repeat."""
    letter = await store.select_attempted_for_update(conn, claim.letter)
    if not await store.end_attempt(conn, claim.attempt_id, outcome):
        return
    LETTERS.labels(kind=claim.letter.kind, outcome=outcome.result).inc()
    if letter is None:
        # We were given up and a later attempt began; this outcome stands in its row and moves nothing.
        log.warning("late outcome", extra=_log_facts(claim.letter, outcome))
        return
    # A lease that ran out was counted as unknown; now we know better.
    before = letter.unknowns - (letter.reason is Reason.SENDER_DIED)
    letter = replace(letter, unknowns=before)
    now = datetime.now(UTC)
    move = domain.move(letter, outcome, terms, now, random.uniform(-1, 1))  # noqa: S311 (spreads load)
    unknowns = before + (outcome.result is Result.UNKNOWN)
    await store.update_move(conn, letter, move, outcome.reason, unknowns)
    if event := _event(letter, move, outcome):
        await outbox.stage(conn, event)
    _count(letter, move, now)
    if outcome.reason is Reason.JOURNALLED:
        await audit(conn, actor="job send_due", action="hold_letter", subject=f"letter {letter.id}")


def _event(letter: Letter, move: domain.Move, outcome: Outcome) -> MailEvent | None:
    if move.state is State.ACCEPTED:
        return MailAccepted(**_mail(letter))
    if move.state is State.UNKNOWN:
        return MailUnknown(**_mail(letter))
    if move.state is State.REFUSED:
        return _refused(letter, f"{outcome.reason}: {outcome.code or ''} {outcome.reply}")
    if move.state is State.EXPIRED:
        return _refused(letter, f"expired, last: {outcome.code or ''} {outcome.reply}")
    return None


def _refused(letter: Letter, reply: str) -> MailRefused:
    return MailRefused(**_mail(letter), reply=domain.without_addresses(reply))


def _mail(letter: Letter) -> dict[str, Any]:
    return {
        "letter_id": letter.id,
        "order_id": letter.order.order_id,
        "kind": letter.kind.value,
        "message_id": letter.message_id,
    }


def _count(letter: Letter, move: domain.Move, now: datetime) -> None:
    if move.state is State.EXPIRED:
        LETTERS.labels(kind=letter.kind, outcome="expired").inc()
    if move.state is State.ACCEPTED:
        TIME_TO_ACCEPT.labels(kind=letter.kind).observe(max(0.0, (now - letter.date).total_seconds()))
        if letter.unknowns:
            POSSIBLE_DOUBLES.labels(kind=letter.kind).inc()


async def give_up_lost(pool: Pool, terms: Terms) -> int:
    """Letters whose sender died, or hangs: whether their mail went is unknown."""
    outcome = Outcome(Result.UNKNOWN, Reason.SENDER_DIED, reply="the sender's lease ran out")
    async with pool.worker() as conn:
        lost = await store.select_lost_for_update(conn, LOST_AT_ONCE)
        for each in lost:
            await record(conn, Claim(each.letter, each.attempt_id), outcome, terms)
            log.warning("letter unknown", extra=_log_facts(each.letter, outcome))
    return len(lost)


async def measure(pool: Pool) -> None:
    """Sets the gauges of what waits."""
    async with pool.worker() as conn:
        waiting = await store.select_waiting(conn)
    for kind in Kind:
        for state in (State.PENDING, State.SENDING, State.UNKNOWN):
            WAITING.labels(kind=kind, state=state).set(waiting.get((kind, state), (0, 0.0))[0])
    OVERDUE.set(max((overdue for _, overdue in waiting.values()), default=0.0))


def _log_facts(letter: Letter, outcome: Outcome) -> dict[str, object]:
    return {
        "letter_id": str(letter.id),
        "order_id": str(letter.order.order_id),
        "kind": letter.kind.value,
        "attempt": letter.attempts,
        "outcome": outcome.result.value,
        "reason": outcome.reason.value if outcome.reason else None,
        "code": outcome.code,
    }
