"""What a rule is and what it says."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.monitor.domain.facts import Facts, Limits

EVERYTHING = "*"


class Severity(StrEnum):
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Alert:
    """Something is wrong with `subject` right now; `value` says how much, where that can be counted."""

    rule: str
    subject: str
    severity: Severity
    summary: str
    value: int = 1

    @property
    def dedup_key(self) -> str:
        return f"{self.rule}:{self.subject}"


@dataclass(frozen=True)
class Verdict:
    """What a rule says: these are wrong, about those it can't tell, all others are well."""

    alerts: tuple[Alert, ...] = ()
    unknown: frozenset[str] = frozenset()

    def is_well(self, subject: str) -> bool:
        wrong = {alert.subject for alert in self.alerts}
        return not ({subject, EVERYTHING} & self.unknown or subject in wrong)


NO_DATA = Verdict(unknown=frozenset({EVERYTHING}))


@dataclass(frozen=True)
class Rule:
    """A rule with what people are told: what it means, and what to do next."""

    name: str
    title: str
    judge: Callable[[Facts, Limits], Verdict]
    next_step: str


def clock(at: datetime) -> str:
    """A time as people read it in a message."""
    return f"{at:%H:%M:%S} UTC"


def is_heard(service: str, facts: Facts, limits: Limits) -> bool:
    last = facts.heard.get(service)
    return last is not None and facts.now - last < limits.silent_after
