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
    REOPENED = "reopened"
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
    reopened_at: datetime | None = None
    previous_incident_id: UUID | None = None

    @property
    def dedup_key(self) -> str:
        return f"{self.rule}:{self.subject}"


@dataclass(frozen=True)
class Patience:
    """How long something must be well before it is resolved, and how often an open incident may speak.

    What comes back within `reopen_within` of its resolution is the same incident, and has to be well for as long
    before it is resolved again: something that comes and goes is told of twice, not every time.
    """

    clear_for: timedelta = timedelta(seconds=15)
    between_updates: timedelta = timedelta(seconds=60)
    reopen_within: timedelta = timedelta(minutes=15)

    def clears(self, incident: Incident) -> timedelta:
        """For how long this one has to be well."""
        return self.clear_for if incident.reopened_at is None else max(self.clear_for, self.reopen_within)


@dataclass(frozen=True)
class Open:
    alert: Alert


@dataclass(frozen=True)
class Reopen:
    """Wrong again soon after it was resolved; people were told that it is over, so they hear of it at once."""

    incident: Incident
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


Change = Open | Reopen | See | Clear | Resolve


def plan(
    verdicts: Mapping[str, Verdict], incidents: Sequence[Incident], now: datetime, patience: Patience
) -> list[Change]:
    """What to do about it. An incident of a rule that says nothing, or that we don't know, stays as it is.

    `incidents` are those that are open and those resolved lately, the open ones last.
    """
    by_key = {incident.dedup_key: incident for incident in incidents}
    alerts = [alert for verdict in verdicts.values() for alert in verdict.alerts]
    changes = [_note(alert, by_key.get(alert.dedup_key), now, patience) for alert in alerts]
    for incident in incidents:
        verdict_of_rule = verdicts.get(incident.rule)
        if incident.resolved_at is None and verdict_of_rule is not None and verdict_of_rule.is_well(incident.subject):
            changes += _ease(incident, now, patience)
    return changes


def _note(alert: Alert, incident: Incident | None, now: datetime, patience: Patience) -> Change:
    if incident is None:
        return Open(alert)
    if incident.resolved_at is None:
        return See(incident, alert, is_news(incident, alert, now, patience))
    return Reopen(incident, alert) if now - incident.resolved_at < patience.reopen_within else Open(alert)


def is_news(incident: Incident, alert: Alert, now: datetime, patience: Patience) -> bool:
    """Whether an open incident changed so much that people should hear of it, and heard nothing just now."""
    if now - incident.told_at < patience.between_updates:
        return False
    grew = alert.value >= NEWS_FACTOR * max(1, incident.told_value)
    return alert.severity != incident.told_severity or grew


def _ease(incident: Incident, now: datetime, patience: Patience) -> list[Change]:
    if incident.clear_since is None:
        return [Clear(incident)]
    return [Resolve(incident)] if now - incident.clear_since >= patience.clears(incident) else []
