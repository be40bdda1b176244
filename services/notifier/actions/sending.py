"""A letter that is due is claimed, sent, and what came of it recorded, whatever is in the way."""

import asyncio
import logging
from dataclasses import replace
from datetime import UTC, datetime

from services.notifier import domain, store
from services.notifier.actions.post import LETTERS, Claim, Post, log_facts
from services.notifier.actions.recording import record, refused
from services.notifier.domain import Letter, Outcome, Reason, Result, State
from services.notifier.journal import JournalUnwritable
from services.notifier.settings import NotifierSettings
from services.notifier.smtp_api import UnwritableAddress, envelope
from shared import outbox, tracing
from shared.db import Connection, is_database_away, is_in_the_way
from shared.ids import uuid7

log = logging.getLogger(__name__)

# While the database is away, an outcome waits in memory for so long; then the lease tells that it is unknown.
KEEP_OUTCOME_S = 600.0


async def claim_due(post: Post, limit: int) -> list[Claim]:
    """Takes up to `limit` letters that are due and still true; the others are withdrawn or expire here."""
    claims = []
    async with post.pool.worker() as conn:
        for due in await store.select_due_for_update(conn, limit):
            claims += await _claim(conn, due, post.settings)
    return claims


async def _claim(conn: Connection, due: store.Due, settings: NotifierSettings) -> list[Claim]:
    letter = due.letter
    untrue = domain.untrue(letter, is_paid=due.is_paid, refund_failed=due.refund_failed)
    state = domain.fate(letter, untrue, due.now)
    if state is not State.SENDING:
        await store.update_state(conn, letter.id, state, untrue or letter.reason)
        if state is not State.UNKNOWN:  # that was counted and told when it happened
            LETTERS.labels(kind=letter.kind, outcome=state).inc()
        if state is State.EXPIRED:
            await outbox.stage(conn, refused(letter, "expired before it could be sent"))
        return []
    await store.update_to_sending(conn, letter.id, settings.terms().lease)
    attempted = replace(letter, state=State.SENDING, attempts=letter.attempts + 1)
    claim = Claim(attempted, uuid7())
    await store.insert_attempt(conn, claim.attempt_id, attempted, settings.instance)
    return [claim]


async def deliver(post: Post, claim: Claim) -> Outcome:
    """Sends a claimed letter and records what came of it."""
    letter = claim.letter
    with tracing.span(
        "send mail", kind="client", parent=letter.traceparent, **{"kct.letter.kind": letter.kind}
    ) as span:
        outcome = await _send(post, letter)
        span.set_attribute("kct.letter.outcome", outcome.result)
        await _record_surely(post, claim, outcome)
    log.info("mail tried", extra=log_facts(letter, outcome))
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
    try:
        is_admitted = await post.journal.admits(letter)
    except JournalUnwritable as error:
        log.exception("journal not written", extra={"letter_id": str(letter.id), "kind": letter.kind})
        return Outcome(Result.DEFERRED, Reason.JOURNAL, reply=str(error))
    if not is_admitted:
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
