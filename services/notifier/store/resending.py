"""Letters that came to no good end, and may be sent once more when a person says so."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from services.notifier.domain import Kind, Reason, State
from shared.db import Connection


@dataclass(frozen=True, slots=True)
class Selection:
    """Which letters: of an order's number, or settled in a time. `also` are the outcomes that may have arrived."""

    kinds: tuple[Kind, ...]
    order: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    also: tuple[State, ...] = ()


@dataclass(frozen=True, slots=True)
class Ended:
    """A letter at its end; `may_have_arrived` makes another copy a possible double."""

    id: UUID
    kind: Kind
    state: State
    reason: Reason | None
    may_have_arrived: bool


async def select_ended_for_update(conn: Connection, selection: Selection, limit: int) -> list[Ended]:
    """The selected ones that no other transaction holds, oldest first.

    Left out: what the journal knows as sent, and, unless an order is named, addresses that a server doesn't know.
    """
    rows = await conn.fetch(
        """
        SELECT id, kind, state, reason, unknowns > 0 OR state = 'accepted' AS may_have_arrived FROM letters
        WHERE due_at IS NULL AND state = ANY($1::text[] || '{refused,expired}'::text[]) AND kind = ANY($2::text[])
          AND (unknowns = 0 OR state = 'accepted' OR 'unknown' = ANY($1::text[]))
          AND reason IS DISTINCT FROM 'journalled'
          AND ($3::text IS NOT NULL OR NOT (state = 'refused' AND reason IN ('address', 'mailbox')))
          AND ($3::text IS NULL OR facts -> 'order' ->> 'number' = $3)
          AND ($4::timestamptz IS NULL OR settled_at >= $4) AND ($5::timestamptz IS NULL OR settled_at < $5)
        ORDER BY settled_at LIMIT $6 FOR UPDATE SKIP LOCKED
        """,
        list(selection.also),
        list(selection.kinds),
        selection.order,
        selection.since,
        selection.until,
        limit,
    )
    return [_ended(row["id"], row["kind"], row["state"], row["reason"], row["may_have_arrived"]) for row in rows]


def _ended(letter_id: UUID, kind: str, state: str, reason: str | None, may_have_arrived: bool) -> Ended:
    return Ended(letter_id, Kind(kind), State(state), Reason(reason) if reason else None, may_have_arrived)


async def update_to_pending(conn: Connection, ids: Sequence[UUID], expiry: timedelta) -> None:
    """Due now. One that was accepted counts as unknown from here on: another copy of it is a possible double."""
    await conn.execute(
        """
        UPDATE letters SET state = 'pending', reason = NULL, due_at = now(), settled_at = NULL,
                           expires_at = greatest(expires_at, now() + $2),
                           unknowns = CASE WHEN state = 'accepted' THEN greatest(unknowns, 1) ELSE unknowns END
        WHERE id = ANY($1)
        """,
        ids,
        expiry,
    )
