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


class IncidentResolved(IncidentEvent):
    type: ClassVar[str] = "incident.resolved"
