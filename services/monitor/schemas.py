"""What the monitor says in JSON, and what its page shows: the same."""

from datetime import datetime
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field

from services.monitor.domain.events import SeenEvent
from services.monitor.domain.facts import Payments
from services.monitor.domain.incidents import Incident
from services.monitor.domain.rules import RULE_BY_NAME

FileName = Annotated[str, Field(description="Of the style sheet, the script or the icon", examples=["monitor.css"])]


class View(BaseModel):
    model_config = ConfigDict(frozen=True)


class ServiceView(View):
    """`unknown`: the monitor itself can't hear, so silence means nothing."""

    name: str
    state: Literal["heard", "silent", "unknown"]
    heard_at: datetime | None
    instances: int
    outbox_pending: int | None


class BrokerView(View):
    is_connected: bool
    since: datetime


class RequestsView(View):
    """Answers of all services in the window, by status class."""

    total: int
    refused: int
    failed: int


class AmountView(View):
    amount_minor: int
    currency: str


class PaymentsView(View):
    paid: int
    failed: int
    share: float | None
    target: float
    floor: int
    taken: tuple[AmountView, ...]
    failures: dict[str, int]

    @property
    def is_low(self) -> bool:
        """A handful of tries says nothing, on the page as little as in the rule."""
        payments = Payments(self.paid, self.failed)
        return payments.finished >= self.floor and payments.is_surely_below(self.target)


class IncidentView(View):
    id: UUID
    rule: str
    title: str
    subject: str
    severity: str
    summary: str
    value: int
    occurrences: int
    opened_at: datetime
    updated_at: datetime
    last_seen_at: datetime
    resolved_at: datetime | None
    previous_incident_id: UUID | None
    next_step: str

    @property
    def is_open(self) -> bool:
        return self.resolved_at is None

    @classmethod
    def of(cls, incident: Incident) -> "IncidentView":
        rule = RULE_BY_NAME.get(incident.rule)
        return cls(
            title=rule.title if rule else incident.rule,
            next_step=rule.next_step if rule else "",
            **{name: getattr(incident, name) for name in cls.model_fields if hasattr(incident, name)},
        )


class IncidentsView(View):
    incidents: tuple[IncidentView, ...]


class EventView(View):
    id: UUID
    type: str
    occurred_at: datetime
    order_id: UUID | None
    order_number: str | None
    category: str | None
    severity: str | None
    detail: str | None

    @classmethod
    def of(cls, event: SeenEvent) -> "EventView":
        return cls(**{name: getattr(event, name) for name in cls.model_fields})


class StatusView(View):
    """Everything the page shows. What could not be found out is null."""

    at: datetime
    window_s: float
    started_at: datetime
    broker: BrokerView
    services: tuple[ServiceView, ...]
    requests: RequestsView
    outbox_pending: int
    dead_letters: dict[str, int] | None
    payments: PaymentsView | None
    waiting_messages: dict[str, int] | None
    incidents: tuple[IncidentView, ...] | None
    events: tuple[EventView, ...] | None

    @property
    def open_incidents(self) -> tuple[IncidentView, ...]:
        return tuple(incident for incident in self.incidents or () if incident.is_open)
