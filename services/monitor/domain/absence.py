"""PostgreSQL doesn't answer: what is known of it, kept in memory since nothing else can be written then."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum

from services.monitor.domain.incidents import Transition
from services.monitor.domain.messages import Notice
from services.monitor.domain.rules import Severity, clock


class News(Enum):
    """What people should hear now."""

    AWAY = "away"
    BACK = "back"
    NONE = "none"


@dataclass(frozen=True)
class Absence:
    """From when on it didn't answer, since when it does again, and through which channels people were told."""

    since: datetime
    back_at: datetime | None = None
    told: frozenset[str] = frozenset()

    def news(self, now: datetime, away_after: timedelta, clear_for: timedelta) -> News:
        """A restart takes some seconds and is none; and it must answer for a while before it is back."""
        if self.back_at is None:
            return News.AWAY if now - self.since >= away_after else News.NONE
        return News.BACK if now - self.back_at >= clear_for else News.NONE


def observe(absence: Absence | None, answers: bool, now: datetime) -> Absence | None:
    """After another look at whether it answers."""
    if absence is None:
        return None if answers else Absence(now)
    return replace(absence, back_at=(absence.back_at or now) if answers else None)


def notice_of(absence: Absence) -> Notice:
    """The message about it; that it is over once it is back."""
    return Notice(
        transition=Transition.OPENED if absence.back_at is None else Transition.RESOLVED,
        rule="database_away",
        subject="postgresql",
        severity=Severity.CRITICAL,
        summary=(
            f"PostgreSQL has not answered the monitor since {clock(absence.since)}: no order can be taken, and nothing "
            "else that goes wrong is told"
            if absence.back_at is None
            else f"PostgreSQL answers the monitor again since {clock(absence.back_at)}"
        ),
        opened_at=absence.since,
        resolved_at=absence.back_at,
    )
