"""Finding events for staff: newest first, a page at a time by keyset. Only for a transaction with a `staff_session`."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import orjson

from shared.db import Connection


@dataclass(frozen=True, slots=True)
class Filters:
    """What is looked for; None: whatever. `before` is the last row of the page before."""

    event_id: str | None = None
    object_id: str | None = None
    order_id: str | None = None
    type: str | None = None
    state: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    before: tuple[datetime, str] | None = None


@dataclass(frozen=True, slots=True)
class Found:
    """A line of the list."""

    stripe_event_id: str
    received_at: datetime
    type: str
    object_id: str | None
    order_id: str | None
    state: str
    error: str | None


@dataclass(frozen=True, slots=True)
class Stored:
    """An event with its journey."""

    line: Found
    body: bytes
    headers: dict[str, Any]
    client_address: str | None
    api_version: str | None
    livemode: bool | None
    traceparent: str | None
    attempts: int
    published_at: datetime | None
    origin: str


_EQUAL = ("stripe_event_id", "object_id", "order_id", "type", "state")
_LINE = "stripe_event_id, received_at, type, object_id, order_id, state, error"


async def select_events(conn: Connection, filters: Filters, limit: int) -> list[Found]:
    """The newest events that fit, at most so many."""
    given = (filters.event_id, filters.object_id, filters.order_id, filters.type, filters.state)
    wanted: list[tuple[str, object]] = [
        (f"{column} = $", value) for column, value in zip(_EQUAL, given, strict=True) if value is not None
    ]
    wanted += [("received_at >= $", filters.since)] if filters.since else []
    wanted += [("received_at < $", filters.until)] if filters.until else []
    arguments: list[object] = [value for _, value in wanted]
    conditions = [f"{text}{place}" for place, (text, _) in enumerate(wanted, 1)]
    if filters.before:
        conditions.append(f"(received_at, stripe_event_id) < (${len(arguments) + 1}, ${len(arguments) + 2})")
        arguments += filters.before
    where = f"WHERE {' AND '.join(conditions)}" if conditions else ""
    # Conditions are put together from the constants above; every value is an argument.
    rows = await conn.fetch(
        f"""
        SELECT {_LINE} FROM stripe_events {where}
        ORDER BY received_at DESC, stripe_event_id DESC LIMIT {int(limit)}
        """,  # noqa: S608
        *arguments,
    )
    return [Found(**row) for row in rows]


async def select_event(conn: Connection, stripe_event_id: str) -> Stored | None:
    row = await conn.fetchrow(
        f"""
        SELECT {_LINE}, body, headers, client_address, api_version, livemode, traceparent, attempts, published_at,
               origin
        FROM stripe_events WHERE stripe_event_id = $1
        """,  # noqa: S608 (a constant)
        stripe_event_id,
    )
    if row is None:
        return None
    fields = dict(row)
    line = Found(**{name.strip(): fields.pop(name.strip()) for name in _LINE.split(",")})
    headers = orjson.loads(fields.pop("headers"))
    return Stored(line=line, headers=headers if isinstance(headers, dict) else {}, **fields)
