"""What makes a request Stripe's: its signature, over the raw body, not too old and not from the future.

Stripe's package does the same for one secret, by the real clock, parsing header and body anew for each: with several
secrets that adds up. Here the header is read once, and each secret costs one HMAC. A property test holds the two
against each other. On purpose, this is stricter than Stripe's package in what could never come from Stripe:

- a time in the future, by more than the tolerance
- more than one header, or more than one `t` in it
- a header that is longer than 2,048 characters or not of the form `name=value,name=value` in printable ASCII
- a time that is not all digits (Python would also read `+1`, `1_000` or Arabic ones), a `v1` that is not all signature
- an empty body
"""

import hmac
import re
from collections.abc import Sequence
from dataclasses import dataclass

from services.webhooks.domain.secrets import SigningSecret
from shared.errors import BadRequest

# Two signatures while a secret is rolled, and test mode's v0, take 220 characters.
LONGEST_SIGNATURE = 2048

# The schemes are Stripe's to extend; strict is that there is one time, and nothing outside printable ASCII.
_PART = r"[A-Za-z0-9_]{1,16}=[\x21-\x2b\x2d-\x7e]{0,512}"
_SIGNATURE = re.compile(rf"{_PART}(?:,{_PART}){{0,31}}")
_SIGNED_AT = re.compile(r"(?:^|,)t=([0-9]{1,11})(?=,|$)")
_ANY_TIME = re.compile(r"(?:^|,)t=")
_V1 = re.compile(r"(?:^|,)v1=([^,]*)")


class Refused(BadRequest):
    """The request can't be shown to be Stripe's, or says nothing; `code` says which rule it broke."""


class SignatureMissing(Refused):
    code = "signature_missing"
    title = "There is no Stripe-Signature header"


class SignatureDuplicated(Refused):
    code = "signature_duplicated"
    title = "There is more than one Stripe-Signature header"


class SignatureMalformed(Refused):
    code = "signature_malformed"
    title = "The Stripe-Signature header can't be read"


class SignatureMismatch(Refused):
    code = "signature_mismatch"
    title = "The signature is not one of ours for this body"


class TimestampTooOld(Refused):
    code = "timestamp_too_old"
    title = "The signature is too old"


class TimestampInFuture(Refused):
    code = "timestamp_in_future"
    title = "The signature is from the future"


class BodyEmpty(Refused):
    code = "body_empty"
    title = "The body is empty"


class BodyNotText(Refused):
    code = "body_not_utf8"
    title = "The body is not UTF-8"


@dataclass(frozen=True, slots=True)
class Verified:
    """When a request was signed, in seconds since 1970, and the name of the secret that shows it."""

    signed_at: int
    secret: str


def verify(
    body: bytes, signatures: Sequence[str], secrets: Sequence[SigningSecret], tolerance_s: int, now: float
) -> Verified:
    """Answers when the request was signed and by which secret; raises a Refused that says why it isn't believed.

    The first secret that fits is named, so the newest stands first. Whether a secret has expired is the caller's to
    know; without any, nothing is believed.
    """
    header = _the_one(signatures)
    if not body:
        raise BodyEmpty
    _refuse_other_than_text(body)
    signed_at = _signed_at(header)
    if signed_at < now - tolerance_s:
        raise TimestampTooOld
    if signed_at > now + tolerance_s:
        raise TimestampInFuture
    given, signed = _V1.findall(header), b"%d.%b" % (signed_at, body)
    for secret in secrets:
        if _is_among(hmac.digest(secret.value.encode(), signed, "sha256").hex(), given):
            return Verified(signed_at, secret.name)
    raise SignatureMismatch


def _refuse_other_than_text(body: bytes) -> None:
    try:
        body.decode("utf-8")
    except UnicodeDecodeError:
        raise BodyNotText from None


def _the_one(signatures: Sequence[str]) -> str:
    if not signatures or not signatures[0]:
        raise SignatureMissing
    if len(signatures) > 1:
        raise SignatureDuplicated
    if len(signatures[0]) > LONGEST_SIGNATURE or not _SIGNATURE.fullmatch(signatures[0]):
        raise SignatureMalformed
    return signatures[0]


def _signed_at(header: str) -> int:
    times = _SIGNED_AT.findall(header)
    if len(times) != 1 or len(_ANY_TIME.findall(header)) != 1:
        raise SignatureMalformed
    return int(times[0])


def _is_among(expected: str, given: Sequence[str]) -> bool:
    """Each comparison takes as long whatever is given; that there is none of the scheme is no secret."""
    return any(hmac.compare_digest(expected, each) for each in given)
