"""Signed tokens: what lets a guest see an order, and what the links in mails carry.

A token is `<expiry>.<signature>`; the signature covers the purpose, the subject and the expiry, so a token for one
order or purpose is worth nothing for another. Nothing is stored, and nothing secret is in it.
"""

import base64
import hmac
from collections.abc import Sequence
from datetime import datetime

NEVER = 0  # the expiry of a token that lives as long as its key


def sign(key: str, purpose: str, subject: str, expires_at: datetime | None = None) -> str:
    """A token that proves that we let its holder do `purpose` with `subject` until `expires_at`."""
    expiry = NEVER if expires_at is None else int(expires_at.timestamp())
    return f"{expiry}.{_signature(key, purpose, subject, expiry)}"


def verify(keys: Sequence[str], purpose: str, subject: str, token: str, now: datetime) -> bool:
    """Whether one of the keys (newest first, so that a key can be rotated) signed this token, and it is not over."""
    expiry_text, _, signature = token.partition(".")
    if not (expiry_text.isascii() and expiry_text.isdigit() and len(expiry_text) <= 12 and signature.isascii()):
        return False
    expiry = int(expiry_text)
    if expiry != NEVER and expiry <= now.timestamp():
        return False
    return any(hmac.compare_digest(_signature(key, purpose, subject, expiry), signature) for key in keys)


def _signature(key: str, purpose: str, subject: str, expiry: int) -> str:
    if not key:
        raise ValueError("an empty key signs nothing: anyone could forge it")
    # A newline can't be in a purpose or an id, so the parts can't run into each other.
    mac = hmac.digest(key.encode(), f"{purpose}\n{subject}\n{expiry}".encode(), "sha256")
    return base64.urlsafe_b64encode(mac).rstrip(b"=").decode()
