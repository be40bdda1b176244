"""What the monitor raised."""

from typing import ClassVar
from uuid import UUID

from shared.events.base import Event


class IncidentEvent(Event):
    incident_id: UUID
    rule: str
    subject: str
    severity: str
    summary: str


class IncidentOpened(IncidentEvent):
    type: ClassVar[str] = "incident.opened"


class IncidentReopened(IncidentEvent):
    """It was resolved a short while ago, and is wrong again."""

    type: ClassVar[str] = "incident.reopened"


class IncidentResolved(IncidentEvent):
    type: ClassVar[str] = "incident.resolved"
