"""What makes a request Stripe's, what an event says, and what we tell the others about it. Pure."""

from services.webhooks.domain.event import EventMalformed, StripeEvent, read
from services.webhooks.domain.screening import may_be_signed
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
from services.webhooks.domain.translation import OF_NO_INTEREST, TRANSLATIONS, Untranslatable, translate
from services.webhooks.domain.version import Expected, version_news

__all__ = [
    "OF_NO_INTEREST",
    "TRANSLATIONS",
    "BodyEmpty",
    "BodyNotText",
    "EventMalformed",
    "Expected",
    "Refused",
    "SignatureDuplicated",
    "SignatureMalformed",
    "SignatureMismatch",
    "SignatureMissing",
    "StripeEvent",
    "TimestampInFuture",
    "TimestampTooOld",
    "Untranslatable",
    "may_be_signed",
    "read",
    "translate",
    "verify",
    "version_news",
]
