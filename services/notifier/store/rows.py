"""A letter as its row has it, and back."""

from datetime import datetime
from typing import Any

import asyncpg
import orjson

from services.notifier.domain import About, Kind, Letter, Reason, State
from shared.events import OrderFacts, ParcelFacts, RefundFacts


def facts_of(letter: Letter) -> str:
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


def as_letter(row: asyncpg.Record) -> Letter:
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
