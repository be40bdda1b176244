"""What makes a request Stripe's: its signature, over the raw body, not too old and not from the future."""

import re
from collections.abc import Sequence

from stripe import SignatureVerificationError, WebhookSignature

from shared.errors import BadRequest

# Two signatures while a secret is rolled, and test mode's v0, take 220 characters.
LONGEST_SIGNATURE = 2048

# The schemes are Stripe's to extend; strict is that there is one time, and nothing outside printable ASCII.
_PART = r"[A-Za-z0-9_]{1,16}=[\x21-\x2b\x2d-\x7e]{0,512}"
_SIGNATURE = re.compile(rf"{_PART}(?:,{_PART}){{0,31}}")
_SIGNED_AT = re.compile(r"(?:^|,)t=([0-9]{1,11})(?=,|$)")
_ANY_TIME = re.compile(r"(?:^|,)t=")


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


def verify(body: bytes, signatures: Sequence[str], secrets: Sequence[str], tolerance_s: int, now: float) -> int:
    """Answers when the request was signed; raises a Refused that says why it is not to be believed.

    Stripe's own check does the deciding; what it leaves open (a time in the future, input that makes it raise
    something else) is settled before. `tolerance_s` is never 0, which would switch the check of the time off.
    """
    header = _the_one(signatures)
    if not body:
        raise BodyEmpty
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError:
        raise BodyNotText from None
    signed_at = _signed_at(header)
    if signed_at < now - tolerance_s:
        raise TimestampTooOld
    if signed_at > now + tolerance_s:
        raise TimestampInFuture
    if not any(_is_signed(text, header, secret, tolerance_s) for secret in secrets):
        raise SignatureMismatch
    return signed_at


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


def _is_signed(text: str, header: str, secret: str, tolerance_s: int) -> bool:
    try:
        return bool(WebhookSignature.verify_header(text, header, secret, tolerance_s))
    except SignatureVerificationError:
        return False
