"""Incidents: what follows from the rules' verdicts and the incidents that are open."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from services.monitor.domain.rules import Alert, Severity, Verdict

# A count that grew by so much is news; one that grew by one is not.
NEWS_FACTOR = 10


class Transition(StrEnum):
    """What people are told about."""

    OPENED = "opened"
    UPDATED = "updated"
    RESOLVED = "resolved"


@dataclass(frozen=True)
class Incident:
    """An incident as it is stored. `told_*` is what the last message said."""

    id: UUID
    rule: str
    subject: str
    severity: Severity
    summary: str
    value: int
    opened_at: datetime
    updated_at: datetime
    last_seen_at: datetime
    occurrences: int
    told_at: datetime
    told_severity: Severity
    told_value: int
    clear_since: datetime | None = None
    resolved_at: datetime | None = None
    previous_incident_id: UUID | None = None

    @property
    def dedup_key(self) -> str:
        return f"{self.rule}:{self.subject}"


@dataclass(frozen=True)
class Patience:
    """How long something must be well before it is resolved, and how often an open incident may speak."""

    clear_for: timedelta = timedelta(seconds=15)
    between_updates: timedelta = timedelta(seconds=60)


@dataclass(frozen=True)
class Open:
    alert: Alert


@dataclass(frozen=True)
class See:
    """Still wrong; `is_news` says that people should hear how."""

    incident: Incident
    alert: Alert
    is_news: bool


@dataclass(frozen=True)
class Clear:
    """Well for the first time: from here the time runs."""

    incident: Incident


@dataclass(frozen=True)
class Resolve:
    incident: Incident


Change = Open | See | Clear | Resolve


def plan(
    verdicts: Mapping[str, Verdict], open_incidents: Sequence[Incident], now: datetime, patience: Patience
) -> list[Change]:
    """What to do about it. An incident of a rule that says nothing, or that we don't know, stays as it is."""
    by_key = {incident.dedup_key: incident for incident in open_incidents}
    changes: list[Change] = []
    for verdict in verdicts.values():
        for alert in verdict.alerts:
            incident = by_key.get(alert.dedup_key)
            if incident is None:
                changes.append(Open(alert))
            else:
                changes.append(See(incident, alert, is_news(incident, alert, now, patience)))
    for incident in open_incidents:
        verdict_of_rule = verdicts.get(incident.rule)
        if verdict_of_rule is not None and verdict_of_rule.is_well(incident.subject):
            changes += _ease(incident, now, patience)
    return changes


def is_news(incident: Incident, alert: Alert, now: datetime, patience: Patience) -> bool:
    """Whether an open incident changed so much that people should hear of it, and heard nothing just now."""
    if now - incident.told_at < patience.between_updates:
        return False
    grew = alert.value >= NEWS_FACTOR * max(1, incident.told_value)
    return alert.severity != incident.told_severity or grew


def _ease(incident: Incident, now: datetime, patience: Patience) -> list[Change]:
    if incident.clear_since is None:
        return [Clear(incident)]
    return [Resolve(incident)] if now - incident.clear_since >= patience.clear_for else []
