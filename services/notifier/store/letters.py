"""Letters, and the attempts to send them."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.notifier.domain import Letter, Move, Outcome, Reason, State, recipient_sha
from services.notifier.store.rows import as_letter, facts_of
from shared.db import Connection

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Due:
    """A letter whose time has come, locked until the transaction ends; `now` is the database's clock."""

    letter: Letter
    is_paid: bool
    refund_failed: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class Lost:
    """A letter whose sender said nothing before its lease ran out."""

    letter: Letter
    attempt_id: UUID
    now: datetime


async def insert_letter(conn: Connection, letter: Letter) -> bool:
    """False if there is a letter about this fact already."""
    # No constraint is named: of two at the same instant, the second would fail on the Message-ID's, which it has too.
    status = await conn.execute(
        """
        INSERT INTO letters (id, kind, order_id, fact_id, recipient, recipient_sha, event_id, facts, locale, currency,
                             message_id, date_header, state, reason, due_at, expires_at, traceparent, settled_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                CASE WHEN $13 = 'pending' THEN NULL ELSE clock_timestamp() END)
        ON CONFLICT DO NOTHING
        """,
        letter.id,
        letter.kind,
        letter.order.order_id,
        letter.fact_id,
        letter.order.email,
        recipient_sha(letter.order.email),
        letter.event_id,
        facts_of(letter),
        letter.order.locale,
        letter.order.currency,
        letter.message_id,
        letter.date,
        letter.state,
        letter.reason,
        letter.due_at,
        letter.expires_at,
        letter.traceparent,
    )
    return status == "INSERT 0 1"


async def select_due_for_update(conn: Connection, limit: int) -> list[Due]:
    """Letters to be sent now that no other transaction holds. What makes them untrue is read under the lock."""
    rows = await conn.fetch(
        """
        SELECT letters.*, now() AS now,
               EXISTS (SELECT FROM paid_orders WHERE paid_orders.order_id = letters.order_id) AS is_paid,
               EXISTS (SELECT FROM failed_refunds AS failed WHERE failed.order_id = letters.order_id
                       AND failed.refund_id::text = letters.fact_id
                       AND failed.event_id > letters.event_id) AS refund_failed
        FROM letters WHERE due_at <= now() AND state IN ('pending', 'unknown')
        ORDER BY due_at LIMIT $1 FOR UPDATE OF letters SKIP LOCKED
        """,
        limit,
    )
    found = []
    for row in rows:
        try:
            found.append(Due(as_letter(row), row["is_paid"], row["refund_failed"], row["now"]))
        except (ValueError, KeyError, TypeError):
            # One row that can't be read must not hold up all others: it rests, and the log calls for help.
            log.exception("letter unreadable", extra={"letter_id": str(row["id"])})
            await conn.execute("UPDATE letters SET due_at = now() + interval '1 hour' WHERE id = $1", row["id"])
    return found


async def update_to_sending(conn: Connection, letter_id: UUID, lease: timedelta) -> None:
    await conn.execute(
        """
        UPDATE letters SET state = 'sending', reason = NULL, due_at = NULL, lease_until = now() + $2,
                           attempts = attempts + 1
        WHERE id = $1
        """,
        letter_id,
        lease,
    )


async def insert_attempt(conn: Connection, attempt_id: UUID, letter: Letter, instance: str) -> None:
    """Written before the conversation begins, so that there is no conversation without a row."""
    await conn.execute(
        """
        INSERT INTO attempts (id, letter_id, number, after_unknown, instance) VALUES ($1, $2, $3, $4, $5)
        """,
        attempt_id,
        letter.id,
        letter.attempts,
        letter.unknowns > 0,
        instance,
    )


async def update_state(conn: Connection, letter_id: UUID, state: State, reason: Reason | None) -> None:
    """Ends a letter without a conversation."""
    await conn.execute(
        """
        UPDATE letters SET state = $2, reason = $3, due_at = NULL, settled_at = clock_timestamp() WHERE id = $1
        """,
        letter_id,
        state,
        reason,
    )


async def end_attempt(conn: Connection, attempt_id: UUID, outcome: Outcome) -> bool:
    """Records how a conversation ended; False if that is recorded already.

    A sender that was given up (its lease ran out) and does report knows better than the guess.
    """
    status = await conn.execute(
        """
        UPDATE attempts SET ended_at = clock_timestamp(), outcome = $2, reason = $3, code = $4, enhanced_code = $5,
                            reply = $6
        WHERE id = $1 AND (ended_at IS NULL OR reason = 'sender_died')
        """,
        attempt_id,
        outcome.result,
        outcome.reason,
        outcome.code,
        outcome.enhanced_code,
        outcome.reply,
    )
    return status == "UPDATE 1"


async def select_attempted_for_update(conn: Connection, letter: Letter) -> Letter | None:
    """The letter as it is now, unless a later attempt has begun: then this one no longer decides."""
    row = await conn.fetchrow(
        "SELECT * FROM letters WHERE id = $1 AND attempts = $2 FOR UPDATE", letter.id, letter.attempts
    )
    return None if row is None else as_letter(row)


async def update_move(conn: Connection, letter: Letter, move: Move, reason: Reason | None, unknowns: int) -> None:
    await conn.execute(
        """
        UPDATE letters SET state = $2, due_at = $3, reason = $4, unknowns = $5, lease_until = NULL,
                           settled_at = CASE WHEN $3::timestamptz IS NULL THEN clock_timestamp() END
        WHERE id = $1
        """,
        letter.id,
        move.state,
        move.due_at,
        reason,
        unknowns,
    )


async def select_lost_for_update(conn: Connection, limit: int) -> list[Lost]:
    rows = await conn.fetch(
        """
        SELECT letters.*, now() AS now, attempts.id AS attempt_id
        FROM letters JOIN attempts ON attempts.letter_id = letters.id AND attempts.number = letters.attempts
        WHERE lease_until < now() ORDER BY lease_until LIMIT $1 FOR UPDATE OF letters SKIP LOCKED
        """,
        limit,
    )
    return [Lost(as_letter(row), row["attempt_id"], row["now"]) for row in rows]


async def select_waiting(conn: Connection) -> dict[tuple[str, str], tuple[int, float]]:
    """By kind and state: how many letters are not settled, and how long the oldest of them is overdue."""
    rows = await conn.fetch(
        """
        SELECT kind, state, count(*) AS letters,
               greatest(coalesce(extract(epoch FROM now() - min(due_at)), 0), 0)::float8 AS overdue_s
        FROM letters WHERE due_at IS NOT NULL OR lease_until IS NOT NULL GROUP BY kind, state
        """
    )
    return {(row["kind"], row["state"]): (row["letters"], row["overdue_s"]) for row in rows}
