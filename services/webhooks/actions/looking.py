"""What staff look at, each look with its row in the audit trail, and what they ask for."""

from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson

from services.webhooks import domain
from services.webhooks.actions import resync
from services.webhooks.domain.disclosure import disclose
from services.webhooks.store import lookup
from services.webhooks.store.lookup import Filters, Found, Stored
from shared.audit import audit
from shared.db import Connection, Pool
from shared.errors import Invalid
from shared.staff import Staff

PAGE_SIZE = 50
OTHERS = 20
# `audit.log.subject` holds 200 characters; an event's id may have more, and its beginning tells enough.
LONGEST_SUBJECT = 180


@dataclass(frozen=True, slots=True)
class Page:
    events: list[Found]
    has_more: bool


@dataclass(frozen=True, slots=True)
class Journey:
    """An event, what may be shown of what it says, and what became of it."""

    event: Stored
    shown: Any
    published_as: UUID | None
    others: list[Found]


async def search(pool: Pool, staff: Staff, filters: Filters) -> Page:
    """A page of events. Which filters were used is recorded, not with what: somebody may have typed a mail address."""
    async with pool.request(staff_session=staff.session_id) as conn:
        found = await lookup.select_events(conn, filters, PAGE_SIZE + 1)
        used = [name for name in Filters.__slots__ if getattr(filters, name) is not None]
        await _record(conn, staff, "search events", "stripe events", {"filters": used, "found": len(found)})
    return Page(found[:PAGE_SIZE], len(found) > PAGE_SIZE)


async def view(pool: Pool, staff: Staff, stripe_event_id: str) -> Journey | None:
    """One event; None if there is none. The try is recorded either way."""
    async with pool.request(staff_session=staff.session_id) as conn:
        event = await lookup.select_event(conn, stripe_event_id)
        subject = f"stripe event {stripe_event_id[:LONGEST_SUBJECT]}"
        await _record(conn, staff, "view event", subject, {"found": event is not None})
        if event is None:
            return None
        others = await _others(conn, event.line)
    said = _read(event.body)
    return Journey(event, disclose(said), _published_as(event, said), others)


async def ask_for_resync(pool: Pool, staff: Staff, stripe_event_id: str, reason: str) -> bool:
    """Asks for the event's object to be told again; False if there is no such event, or it is about nothing.

    Raises Invalid without a reason and NotResyncable for objects that can't be told again.
    """
    if not reason.strip():
        raise Invalid("say why", field="reason")
    async with pool.request(staff_session=staff.session_id) as conn:
        event = await lookup.select_event(conn, stripe_event_id)
        if event is None or event.line.object_id is None:
            return False
        await resync.request(conn, event.line.object_id, staff.actor, reason)
    return True


async def _others(conn: Connection, line: Found) -> list[Found]:
    if line.object_id is None:
        return []
    found = await lookup.select_events(conn, Filters(object_id=line.object_id), OTHERS + 1)
    return [each for each in found if each.stripe_event_id != line.stripe_event_id][:OTHERS]


def _read(body: bytes) -> dict[str, Any]:
    said = orjson.loads(body)
    return said if isinstance(said, dict) else {}


def _published_as(event: Stored, said: dict[str, Any]) -> UUID | None:
    """The id under which the others heard of it: derived from Stripe's, so it need not be stored."""
    if event.line.state != "published":
        return None
    try:
        told = domain.translate(said)
    except domain.Untranslatable:
        return None
    return told.id if told else None


async def _record(conn: Connection, staff: Staff, action: str, subject: str, details: dict[str, object]) -> None:
    session = {"session_id": str(staff.session_id)}
    await audit(conn, actor=staff.actor, action=action, subject=subject, details={**session, **details})
