"""What makes a request Stripe's, what an event says, and what we tell the others about it. Pure."""

from services.webhooks.domain.event import EventMalformed, StripeEvent, read
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
    "translate",
    "verify",
    "version_news",
]
