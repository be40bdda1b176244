"""What came of an attempt: its row, the letter's move, the event, the figures."""

import logging
import random
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from services.notifier import domain, store
from services.notifier.actions.post import LETTERS, Claim, log_facts
from services.notifier.domain import Kind, Letter, Outcome, Reason, Result, State, Terms
from shared import metrics, outbox
from shared.audit import audit
from shared.db import Connection, Pool
from shared.events import MailAccepted, MailEvent, MailRefused, MailUnknown

log = logging.getLogger(__name__)

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


LOST_AT_ONCE = 50


async def record(conn: Connection, claim: Claim, outcome: Outcome, terms: Terms) -> None:
    """The outcome of a conversation, the letter's move and the event: together or not at all. Safe to repeat."""
    letter = await store.select_attempted_for_update(conn, claim.letter)
    if not await store.end_attempt(conn, claim.attempt_id, outcome):
        return
    LETTERS.labels(kind=claim.letter.kind, outcome=outcome.result).inc()
    if letter is None:
        # We were given up and a later attempt began; this outcome stands in its row and moves nothing.
        log.warning("late outcome", extra=log_facts(claim.letter, outcome))
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
        return refused(letter, f"{outcome.reason}: {outcome.code or ''} {outcome.reply}")
    if move.state is State.EXPIRED:
        return refused(letter, f"expired, last: {outcome.code or ''} {outcome.reply}")
    return None


def refused(letter: Letter, reply: str) -> MailRefused:
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
            log.warning("letter unknown", extra=log_facts(each.letter, outcome))
    return len(lost)


async def measure(pool: Pool) -> None:
    """Sets the gauges of what waits."""
    async with pool.worker() as conn:
        waiting = await store.select_waiting(conn)
    for kind in Kind:
        for state in (State.PENDING, State.SENDING, State.UNKNOWN):
            WAITING.labels(kind=kind, state=state).set(waiting.get((kind, state), (0, 0.0))[0])
    OVERDUE.set(max((overdue for _, overdue in waiting.values()), default=0.0))
