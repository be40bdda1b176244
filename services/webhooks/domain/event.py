"""What is looked at of an event before it is stored."""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from services.webhooks.domain.fields import mapping, name, subject
from services.webhooks.domain.signature import Refused


class EventMalformed(Refused):
    code = "event_malformed"
    title = "The body is not an event"


@dataclass(frozen=True, slots=True)
class StripeEvent:
    """What is looked at of an event before it is stored; texts are clean enough for any column."""

    id: str
    type: str
    livemode: bool | None
    created: int | None
    api_version: str | None
    object_id: str | None
    order_id: str | None
    traceparent: str | None
    digest: bytes


def read(body: bytes) -> StripeEvent:
    """The event in a verified body; raises EventMalformed for anything that is none."""
    try:
        event = orjson.loads(body)
        digest = _digest(event) if isinstance(event, dict) else b""
    except (orjson.JSONDecodeError, orjson.JSONEncodeError):
        # What can be read but not written again is nested deeper than anything Stripe sends.
        raise EventMalformed from None
    if not digest:
        raise EventMalformed("the body is JSON, but not an object")
    event_id, event_type = name(event.get("id")), name(event.get("type"))
    if event_id is None or event_type is None:
        raise EventMalformed("the body has no usable id and type")
    about = subject(event)
    livemode, created = event.get("livemode"), event.get("created")
    return StripeEvent(
        id=event_id,
        type=event_type,
        livemode=livemode if isinstance(livemode, bool) else None,
        created=created if type(created) is int else None,
        api_version=name(event.get("api_version")),
        object_id=name(about.get("id")),
        order_id=name(mapping(about.get("metadata")).get("order_id")),
        traceparent=_traceparent(mapping(about.get("metadata")).get("traceparent")),
        digest=digest,
    )


def _digest(event: Mapping[str, Any]) -> bytes:
    """What an event says, independent of its spelling and of how many endpoints have yet to hear it."""
    said = {key: value for key, value in event.items() if key != "pending_webhooks"}
    return hashlib.sha256(orjson.dumps(said, option=orjson.OPT_SORT_KEYS)).digest()


# W3C trace context, version 00; neither id may be all zeros.
_TRACEPARENT = re.compile(r"00-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}")


def _traceparent(value: object) -> str | None:
    return value if isinstance(value, str) and _TRACEPARENT.fullmatch(value) else None
