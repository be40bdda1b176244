"""When a message that could not be delivered is tried again, and when it is given up."""

from dataclasses import dataclass
from datetime import timedelta

LONGEST_BACKOFF_S = 60.0
LONGEST_RETRY_AFTER_S = 300.0

# Older news than this about an incident helps nobody, and the page tells it all.
GIVE_UP_AFTER = timedelta(hours=24)


@dataclass(frozen=True)
class Delivered:
    pass


@dataclass(frozen=True)
class Slowed:
    """The receiver asks everybody to wait: the channel rests, and this counts against no message."""

    retry_after_s: float


@dataclass(frozen=True)
class Postponed:
    """It did not work, and may work later."""

    reason: str


@dataclass(frozen=True)
class Refused:
    """It will never work like this; somebody must look at the configuration."""

    reason: str


Outcome = Delivered | Slowed | Postponed | Refused


def backoff_s(attempts: int) -> float:
    """1, 2, 4 … seconds, at most a minute."""
    return float(min(LONGEST_BACKOFF_S, 2.0 ** min(max(attempts - 1, 0), 10)))


def retry_after_s(header: str | None) -> float:
    """What a Retry-After header asks for. One that is missing, odd or huge must not mute us for long."""
    if header is None or not header.strip().isascii() or not header.strip().isdigit():
        return 1.0
    return min(max(float(header.strip()[:9]), 1.0), LONGEST_RETRY_AFTER_S)
