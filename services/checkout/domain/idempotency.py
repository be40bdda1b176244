"""What makes two requests one."""

import hashlib

from shared.errors import Conflict


class KeyReused(Conflict):
    code = "idempotency_key_reused"
    title = "This Idempotency-Key was used for another order"


class InProgress(Conflict):
    code = "in_progress"
    title = "The first request of this kind is still running"


def sha256(text: str) -> bytes:
    """Of an Idempotency-Key, or of the body it came with: what is compared, and all that is kept of it."""
    return hashlib.sha256(text.encode()).digest()
