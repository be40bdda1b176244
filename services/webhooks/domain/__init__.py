"""What makes a request Stripe's, what an event says, and what we tell the others about it. Pure."""

from services.webhooks.domain.event import EventMalformed, StripeEvent, read
from services.webhooks.domain.resync import NotResyncable, Retold, resyncable, retell, subject_id
from services.webhooks.domain.secrets import SecretsMalformed, SigningSecret
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
    Verified,
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
from services.webhooks.domain.version import Expected, version_news

__all__ = [
    "OF_NO_INTEREST",
    "OTHER_MODE",
    "TRANSLATIONS",
    "BodyEmpty",
    "BodyNotText",
    "EventMalformed",
    "Expected",
    "NotResyncable",
    "Refused",
    "Retold",
    "SecretsMalformed",
    "SignatureDuplicated",
    "SignatureMalformed",
    "SignatureMismatch",
    "SignatureMissing",
    "SigningSecret",
    "StripeEvent",
    "TimestampInFuture",
    "TimestampTooOld",
    "Untranslatable",
    "Verified",
    "read",
    "resyncable",
    "retell",
    "subject_id",
    "tell",
    "translate",
    "verify",
    "version_news",
    "why_ignored",
]
