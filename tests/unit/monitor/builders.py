"""Values that the tests are about, named for the state they give."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import UUID

from services.monitor.domain.facts import (
    Broker,
    Endpoint,
    Facts,
    Limits,
    MailEnds,
    Payments,
    Reconciliation,
    ShortStock,
    SigningSecrets,
    Tries,
)
from services.monitor.domain.incidents import Incident
from services.monitor.domain.rules import Severity
from shared.metrics import Family, Sample, Snapshot

NOON = datetime(2026, 3, 2, 12, 0, 0, tzinfo=UTC)
LIMITS = Limits(expected_services=("checkout", "webhooks"), probed_services=("checkout",))


def ago(seconds: float) -> datetime:
    return NOON - timedelta(seconds=seconds)


def facts(**changes: Any) -> Facts:
    """All is well: the broker is there for an hour and everybody was heard a second ago."""
    given: dict[str, Any] = {
        "now": NOON,
        "broker": Broker(is_connected=True, since=ago(3600)),
        "heard": {"checkout": ago(1), "webhooks": ago(1), "notifier": ago(1)},
        "payments": Payments(paid=20, failed=0),
        "dead_letters": {"checkout.on_mail": 0},
        "stock": ShortStock(),
        "held": (),
        "disputes": (),
        "alarms": {},
        "endpoint": Endpoint(),
        "signing_secrets": SigningSecrets(are_missing=False, has_file_problem=False, expiring_s={}),
        "sender_list_failing_s": 0.0,
        "circuits": {"checkout": 0.0, "webhooks": 0.0},
        "answers": {"checkout": {"POST /v1/orders": Tries(20, 0)}},
        "calls": {"checkout": Tries(40, 0), "webhooks": Tries(2, 0)},
        "mail_overdue_s": 0.0,
        "mail_tries": Tries(20, 0),
        "mail_ends": MailEnds(accepted=100),
        "reconciliation": Reconciliation({"no_order": 0.0}, timedelta(minutes=5)),
        "broken": {},
        "unasked": {},
    }
    return Facts(**(given | changes))


def an_open_incident(**changes: Any) -> Incident:
    given: dict[str, Any] = {
        "id": UUID(int=1),
        "rule": "dead_letters",
        "subject": "checkout.on_mail",
        "severity": Severity.WARNING,
        "summary": "3 messages of checkout.on_mail could not be handled",
        "value": 3,
        "opened_at": ago(600),
        "updated_at": ago(600),
        "last_seen_at": ago(5),
        "occurrences": 7,
        "told_at": ago(600),
        "told_severity": Severity.WARNING,
        "told_value": 3,
    }
    return Incident(**(given | changes))


def a_snapshot(answered: float = 0, *, started_at: float = 0.0, route: str = "/v1/orders", **gauges: float) -> Snapshot:
    """A process that answered so many requests."""
    labels = {"route": route, "method": "POST", "status_class": "2xx"}
    families = [
        Family(
            name="http_requests",
            type="counter",
            doc="Requests.",
            samples=(Sample(name="http_requests_total", labels=labels, value=answered),),
        ),
        *(
            Family(name=name, type="gauge", doc="A gauge.", samples=(Sample(name=name, labels={}, value=value),))
            for name, value in {"process_start_time_seconds": started_at, **gauges}.items()
        ),
    ]
    return Snapshot(taken_at=NOON.timestamp(), families=tuple(families))
