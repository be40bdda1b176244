"""The notifier's rows: letters, attempts, paid orders."""

import logging
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

import asyncpg
import orjson

from services.notifier.domain import About, Kind, Letter, Move, Outcome, Reason, State, recipient_sha
from shared.db import Connection
from shared.events import OrderFacts, OrderPaid, ParcelFacts, RefundFacts

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Due:
    """A letter whose time has come, locked until the transaction ends; `now` is the database's clock."""

    letter: Letter
    is_paid: bool
    now: datetime


@dataclass(frozen=True, slots=True)
class Lost:
    """A letter whose sender said nothing before its lease ran out."""

    letter: Letter
    attempt_id: UUID
    now: datetime


async def insert_letter(conn: Connection, letter: Letter) -> bool:
    """False if there is a letter about this fact already."""
    status = await conn.execute(
        """
        INSERT INTO letters (id, kind, order_id, fact_id, recipient, recipient_sha, event_id, facts, locale, currency,
                             message_id, date_header, state, reason, due_at, expires_at, traceparent, settled_at)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17,
                CASE WHEN $13 = 'pending' THEN NULL ELSE clock_timestamp() END)
        ON CONFLICT ON CONSTRAINT letters_one_per_fact DO NOTHING
        """,
        letter.id,
        letter.kind,
        letter.order.order_id,
        letter.fact_id,
        letter.order.email,
        recipient_sha(letter.order.email),
        letter.event_id,
        _facts(letter),
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


async def insert_paid_order(conn: Connection, event: OrderPaid) -> None:
    await conn.execute(
        "INSERT INTO paid_orders (order_id, event_id, paid_at) VALUES ($1, $2, $3) ON CONFLICT DO NOTHING",
        event.order.order_id,
        event.id,
        event.occurred_at,
    )


async def select_is_paid(conn: Connection, order_id: UUID) -> bool:
    return bool(await conn.fetchval("SELECT EXISTS (SELECT FROM paid_orders WHERE order_id = $1)", order_id))


async def withdraw_failure_letters(conn: Connection, order_id: UUID) -> int:
    """Those that still wait; one that is being sent right now can't be called back."""
    status = await conn.execute(
        """
        UPDATE letters SET state = 'withdrawn', reason = 'paid', due_at = NULL, settled_at = clock_timestamp()
        WHERE order_id = $1 AND kind = 'payment_failed' AND state = 'pending'
        """,
        order_id,
    )
    return int(status.split()[-1])


async def withdraw_refund_letter(conn: Connection, order_id: UUID, refund_id: str) -> int:
    """The letter about a refund, if it still waits."""
    status = await conn.execute(
        """
        UPDATE letters SET state = 'withdrawn', reason = 'refund_failed', due_at = NULL, settled_at = clock_timestamp()
        WHERE order_id = $1 AND kind = 'order_refunded' AND fact_id = $2 AND state = 'pending'
        """,
        order_id,
        refund_id,
    )
    return int(status.split()[-1])


async def select_due_for_update(conn: Connection, limit: int) -> list[Due]:
    """Letters to be sent now that no other transaction holds. Which of them are paid is read under the lock."""
    rows = await conn.fetch(
        """
        SELECT letters.*, now() AS now,
               EXISTS (SELECT FROM paid_orders WHERE paid_orders.order_id = letters.order_id) AS is_paid
        FROM letters WHERE due_at <= now() AND state IN ('pending', 'unknown')
        ORDER BY due_at LIMIT $1 FOR UPDATE OF letters SKIP LOCKED
        """,
        limit,
    )
    found = []
    for row in rows:
        try:
            found.append(Due(_letter(row), row["is_paid"], row["now"]))
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
    return None if row is None else _letter(row)


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
    return [Lost(_letter(row), row["attempt_id"], row["now"]) for row in rows]


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


def _facts(letter: Letter) -> str:
    about = letter.about
    fields = {
        "order": letter.order.model_dump(mode="json"),
        "category": about.category,
        "reserved_until": about.reserved_until,
        "parcel": about.parcel.model_dump(mode="json") if about.parcel else None,
        "is_part": about.is_part,
        "refund": about.refund.model_dump(mode="json") if about.refund else None,
        "refunded_minor": about.refunded_minor,
    }
    return orjson.dumps(fields).decode()


def _letter(row: asyncpg.Record) -> Letter:
    facts = orjson.loads(row["facts"])
    return Letter(
        id=row["id"],
        kind=Kind(row["kind"]),
        fact_id=row["fact_id"],
        event_id=row["event_id"],
        order=OrderFacts.model_validate(facts["order"]),
        about=_about(facts),
        message_id=row["message_id"],
        date=row["date_header"],
        state=State(row["state"]),
        due_at=row["due_at"],
        expires_at=row["expires_at"],
        traceparent=row["traceparent"],
        reason=Reason(row["reason"]) if row["reason"] else None,
        attempts=row["attempts"],
        unknowns=row["unknowns"],
    )


def _about(facts: dict[str, Any]) -> About:
    """What a letter is about. One that an earlier version wrote has fewer fields."""
    until, parcel, refund = (facts.get(name) for name in ("reserved_until", "parcel", "refund"))
    return About(
        category=facts.get("category"),
        reserved_until=datetime.fromisoformat(until) if until else None,
        parcel=ParcelFacts.model_validate(parcel) if parcel else None,
        is_part=facts.get("is_part", False),
        refund=RefundFacts.model_validate(refund) if refund else None,
        refunded_minor=facts.get("refunded_minor", 0),
    )
