"""What a wish to have an object told again comes to."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import UUID

from services.webhooks.domain.fields import name, subject
from services.webhooks.domain.translation import OTHER_MODE, Untranslatable, order_named, tell
from shared.errors import Invalid
from shared.events import PaymentEvent

_STRIPE_ID = re.compile(r"(pi|evt)_[A-Za-z0-9_]{1,250}")


class NotResyncable(Invalid):
    code = "not_resyncable"
    title = "A PaymentIntent (pi_…), an event (evt_…) or an order's id is wanted"


@dataclass(frozen=True, slots=True)
class Retold:
    """The state in which the wish ends, with a sentence for people, and what is announced."""

    state: str
    detail: str
    events: tuple[PaymentEvent, ...] = ()


def resyncable(object_id: str) -> str:
    """The id in its usual spelling; raises NotResyncable for what is none."""
    object_id = object_id.strip()
    if _STRIPE_ID.fullmatch(object_id):
        return object_id
    try:
        return str(UUID(object_id))
    except ValueError:
        raise NotResyncable(field="object_id") from None


def subject_id(event: Mapping[str, Any]) -> str | None:
    """What an event is about."""
    return name(subject(event).get("id"))


def retell(intents: Sequence[Mapping[str, Any]], request_id: UUID, livemode: bool, now: datetime) -> Retold:
    """What is announced of PaymentIntents as they are now, and how that is recorded."""
    detail = ", ".join(f"{name(intent.get('id'))} is {name(intent.get('status'))}" for intent in intents)
    ours = [intent for intent in intents if order_named(intent)]
    if not ours:
        return Retold("not_ours", f"{detail}; no order of this shop is named in its metadata")
    if any(intent.get("livemode") is not livemode for intent in ours):
        return Retold("refused", f"{detail}; {OTHER_MODE}")
    try:
        told = [tell(intent, request_id, now) for intent in ours]
    except Untranslatable as error:
        return Retold("refused", f"{detail}; {error}")
    events = tuple(event for event in told if event is not None)
    return Retold("told" if events else "nothing_to_tell", detail, events)
