"""What is going on, in one value: for the page, the live stream and the JSON."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.monitor.actions.desk import Desk
from services.monitor.domain.events import SeenEvent
from services.monitor.domain.facts import Payments
from services.monitor.domain.incidents import Incident
from services.monitor.domain.sightings import WINDOW
from services.monitor.schemas import (
    AmountView,
    BrokerView,
    EventView,
    IncidentView,
    PaymentsView,
    RequestsView,
    ServiceView,
    StatusView,
)
from services.monitor.store import events as event_store
from services.monitor.store import incidents as incident_store
from services.monitor.store import notifications
from shared.db import is_database_away

log = logging.getLogger(__name__)

MOST_INCIDENTS = 20
MOST_EVENTS = 15


@dataclass(frozen=True)
class Stored:
    """What only the database knows."""

    payments: Payments
    taken: dict[str, int]
    failures: dict[str, int]
    waiting: dict[str, int]
    incidents: list[Incident]
    events: list[SeenEvent]


async def read_status(desk: Desk) -> StatusView:
    """The status. Without the database it says what memory knows, since then above all somebody looks."""
    now = datetime.now(UTC)
    sightings = desk.sightings
    stored = await _read_stored(desk)
    services = _services(desk, now)
    answered = sightings.requests.all(now)
    return StatusView(
        at=now,
        window_s=WINDOW.total_seconds(),
        started_at=sightings.started_at,
        broker=BrokerView(is_connected=sightings.broker.is_connected, since=sightings.broker.since),
        services=services,
        requests=RequestsView(
            total=sum(answered.values()), refused=answered.get("4xx", 0), failed=answered.get("5xx", 0)
        ),
        outbox_pending=sum(service.outbox_pending or 0 for service in services),
        dead_letters=None if sightings.dead_letters is None else dict(sightings.dead_letters),
        payments=None if stored is None else _payments(desk, stored),
        waiting_messages=None if stored is None else stored.waiting,
        incidents=None if stored is None else tuple(map(IncidentView.of, stored.incidents)),
        events=None if stored is None else tuple(map(EventView.of, stored.events)),
    )


async def _read_stored(desk: Desk) -> Stored | None:
    try:
        async with desk.pool.request() as conn:
            return Stored(
                payments=await event_store.count_payments(conn, WINDOW),
                taken=await event_store.sum_paid(conn, WINDOW),
                failures=await event_store.count_failures(conn, WINDOW),
                waiting=await notifications.count_waiting(conn),
                incidents=await incident_store.select_recent_incidents(conn, MOST_INCIDENTS),
                events=await event_store.select_latest_events(conn, MOST_EVENTS),
            )
    except Exception as error:
        if not is_database_away(error):
            raise
        log.warning("database away", extra={"reason": type(error).__name__})
        return None


def _services(desk: Desk, now: datetime) -> tuple[ServiceView, ...]:
    expected = desk.settings.expected_services
    others = sorted(set(desk.sightings.heard) - set(expected))
    return tuple(_service(desk, name, now) for name in (*expected, *others))


def _service(desk: Desk, name: str, now: datetime) -> ServiceView:
    sightings, period = desk.sightings, timedelta(seconds=desk.settings.silent_after_s)
    heard_at = sightings.heard.get(name)
    pending = sightings.gauge(name, "outbox_pending")
    is_heard = heard_at is not None and now - heard_at < period
    can_tell = sightings.broker.is_settled(now, period)
    return ServiceView(
        name=name,
        state="heard" if is_heard else "silent" if can_tell else "unknown",
        heard_at=heard_at,
        instances=sightings.instances(name),
        outbox_pending=None if pending is None else int(pending),
    )


def _payments(desk: Desk, stored: Stored) -> PaymentsView:
    return PaymentsView(
        paid=stored.payments.paid,
        failed=stored.payments.failed,
        share=stored.payments.share,
        target=desk.settings.payment_target,
        floor=desk.settings.payment_floor,
        taken=tuple(AmountView(amount_minor=amount, currency=currency) for currency, amount in stored.taken.items()),
        failures=stored.failures,
    )
