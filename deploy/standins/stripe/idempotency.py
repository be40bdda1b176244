"""What an `Idempotency-Key` remembers: the first result, whatever it was, once the endpoint has begun."""

import hashlib
import time
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import orjson

from deploy.standins.stripe import errors
from deploy.standins.stripe.tables import Json

MAX_KEY_LENGTH = 255
KEPT_S = 86_400


@dataclass(frozen=True, slots=True)
class Answer:
    status: int
    body: bytes
    headers: dict[str, str] = field(default_factory=dict)
    request_id: str = ""


@dataclass(slots=True)
class _Entry:
    fingerprint: str
    since: float
    answer: Answer | None = None  # None: the first request is still being worked on


def fingerprint(method: str, path: str, form: Json) -> str:
    """A hash, because a form may hold a card number."""
    return hashlib.sha256(orjson.dumps([method, path, form], option=orjson.OPT_SORT_KEYS)).hexdigest()


class Keys:
    def __init__(self, now: Callable[[], float] = time.time) -> None:
        self._now = now
        self._entries: dict[str, _Entry] = {}

    def __len__(self) -> int:
        return len(self._entries)

    def claim(self, key: str, fingerprint: str) -> Answer | None:
        """The answer to repeat, or None when the caller is the first and must `keep` or `release`."""
        if len(key) > MAX_KEY_LENGTH:
            raise errors.invalid("Idempotency keys hold at most 255 characters.")
        entry, now = self._entries.get(key), self._now()
        if entry is None or (entry.answer is not None and now - entry.since > KEPT_S):
            self._entries[key] = _Entry(fingerprint, now)
            return None
        if entry.fingerprint != fingerprint:
            raise errors.key_mismatch(key)
        if entry.answer is None:
            raise errors.key_in_use(key)
        #
        headers = {"Idempotent-Replayed": "true", "Original-Request": entry.answer.request_id}
        return Answer(entry.answer.status, entry.answer.body, {**entry.answer.headers, **headers})

    def keep(self, key: str, answer: Answer) -> None:
        entry = self._entries.get(key)
        if entry is not None:  # a reset may have come between
            # Copied, because orjson's own result holds on to several times its length.
            entry.answer = replace(answer, body=bytes(memoryview(answer.body)))

    def release(self, key: str) -> None:
        self._entries.pop(key, None)
