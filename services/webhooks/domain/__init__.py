"""What makes a request Stripe's, what an event says, and what we tell the others about it. Pure."""

from services.webhooks.domain.event import EventMalformed, StripeEvent, read
from services.webhooks.domain.resync import NotResyncable, Retold, resyncable, retell, subject_id
from services.webhooks.domain.signature import (
    BodyEmpty,
    BodyNotText,
    Refused,
    SignatureDuplicated,
    SignatureMalformed,
    SignatureMismatch,
    SignatureMissing,
    TimestampInFuture,
    TimestampTooOld,
    verify,
)
from services.webhooks.domain.translation import (
    OF_NO_INTEREST,
    OTHER_MODE,
    TRANSLATIONS,
    Untranslatable,
    tell,
    translate,
    why_ignored,
)

__all__ = [
    "OF_NO_INTEREST",
    "OTHER_MODE",
    "TRANSLATIONS",
    "BodyEmpty",
    "BodyNotText",
    "EventMalformed",
    "NotResyncable",
    "Refused",
    "Retold",
    "SignatureDuplicated",
    "SignatureMalformed",
    "SignatureMismatch",
    "SignatureMissing",
    "StripeEvent",
    "TimestampInFuture",
    "TimestampTooOld",
    "Untranslatable",
    "read",
    "resyncable",
    "retell",
    "subject_id",
    "tell",
    "translate",
    "verify",
    "why_ignored",
]
