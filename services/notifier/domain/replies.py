"""What a mail server's reply means: how the conversation ended, why, and when to try again."""

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from typing import Final


class Result(StrEnum):
    """How one SMTP conversation ended."""

    ACCEPTED = "accepted"
    DEFERRED = "deferred"  # not accepted; may be later
    REFUSED = "refused"  # not accepted, and never will be
    UNKNOWN = "unknown"  # may have been accepted: nothing told us


class Reason(StrEnum):
    """What a failure is about; only `address` and `mailbox` say something about the recipient."""

    ADDRESS = "address"  # X.1: no such person
    MAILBOX = "mailbox"  # X.2: disabled or full
    SYSTEM = "system"  # X.3
    NETWORK = "network"  # X.4
    PROTOCOL = "protocol"  # X.5
    CONTENT = "content"  # X.6, and too large
    POLICY = "policy"  # X.7: reputation or content; ours to mend, and nobody's address is dead
    SENDER = "sender"  # X.1.7, X.1.8: our own address
    CONFIGURATION = "configuration"  # authentication or TLS: ours to mend
    CONNECTION = "connection"  # the server could not be talked to
    UNSPECIFIED = "unspecified"  # no enhanced code
    REPLY_LOST = "reply_lost"
    SENDER_DIED = "sender_died"  # the lease ran out
    JOURNALLED = "journalled"  # the journal says it was sent; the database was put back to before
    JOURNAL = "journal"  # the journal can't be written: ours to mend, before any conversation
    NOT_COMPOSED = "not_composed"  # our own fault, before any conversation
    PAID = "paid"  # withdrawn: the order was paid after all
    REFUND_FAILED = "refund_failed"  # withdrawn: the money came back


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one conversation came to; the reply is redacted and bounded."""

    result: Result
    reason: Reason | None = None
    code: int | None = None
    enhanced_code: str | None = None
    reply: str = ""


_ENHANCED: Final = re.compile(r"(?<![\d.])([45])\.(\d{1,3})\.(\d{1,3})(?![\d.]*\d)")
_HINT: Final = re.compile(
    r"\b(?:again|retry|wait|after|in|for)\b\D{0,20}?\b(\d{1,5})\s*(s|secs?|seconds?|m|mins?|minutes?|h|hrs?|hours?)\b",
    re.IGNORECASE,
)
_HINT_UNITS: Final = {"s": 1, "m": 60, "h": 3600}
SHORTEST_HINT: Final = timedelta(seconds=1)
LONGEST_HINT: Final = timedelta(hours=8)  # the longest step of the usual schedule: a longer wish is a mistake

_SUBJECTS: Final = {
    1: Reason.ADDRESS, 2: Reason.MAILBOX, 3: Reason.SYSTEM, 4: Reason.NETWORK,
    5: Reason.PROTOCOL, 6: Reason.CONTENT, 7: Reason.POLICY,
}  # fmt: skip
# RFC 3463 files these under another subject than the one they are about.
_EXCEPTIONS: Final = {
    (1, 7): Reason.SENDER, (1, 8): Reason.SENDER, (2, 3): Reason.CONTENT, (3, 4): Reason.CONTENT,
    (7, 8): Reason.CONFIGURATION, (7, 9): Reason.CONFIGURATION, (7, 11): Reason.CONFIGURATION,
}  # fmt: skip
# Codes about logging in and TLS (RFC 4954, 3207): they are said to us, not about the letter.
_ABOUT_US: Final = frozenset({454, 530, 534, 535, 538})

LONGEST_REPLY: Final = 500


def classify(code: int, text: str) -> Outcome:
    """What a reply with a code means. The enhanced code tells the reason; either code may call it temporary.

    A refusal taken for temporary costs some tries until it expires, the reverse costs a mail: so where the two
    disagree, it is temporary.
    """
    found = _ENHANCED.search(text)
    enhanced = found[0] if found else None
    reason = Reason.UNSPECIFIED
    if found:
        subject, detail = int(found[2]), int(found[3])
        reason = _EXCEPTIONS.get((subject, detail)) or _SUBJECTS.get(subject, Reason.UNSPECIFIED)
    if code in _ABOUT_US:
        reason = Reason.CONFIGURATION
    temporary = code < 500 or (found is not None and found[1] == "4") or reason is Reason.CONFIGURATION
    result = Result.DEFERRED if temporary else Result.REFUSED
    return Outcome(result, reason, code, enhanced, text)


def hinted_wait(reply: str) -> timedelta | None:
    """How long a server asked us to wait ("try again in 300 seconds"), within reason."""
    found = _HINT.search(reply)
    if found is None:
        return None
    asked = timedelta(seconds=int(found[1]) * _HINT_UNITS[found[2][0].lower()])
    return min(max(asked, SHORTEST_HINT), LONGEST_HINT)


def one_line(text: str, longest: int) -> str:
    """Text for a header or a record: no line ends or other control characters, and not too long."""
    return re.sub(r"[\s\x00-\x1f\x7f-\x9f\u2028\u2029]+", " ", text).strip()[:longest]


def without_addresses(reply: str) -> str:
    """A server's reply without anybody's address, and bounded: servers like to repeat whom they refuse."""
    return one_line(re.sub(r"[^\s<>\"'(),;:]+@[^\s<>\"'(),;]+", "[address]", reply[:4000]), LONGEST_REPLY)
