"""From facts to incidents, and what follows from each: an event, an audit row, messages to people."""

import contextlib
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from services.monitor.actions.desk import Desk
from services.monitor.actions.figures import DEAD_LETTERS, INCIDENTS, INCIDENTS_OPEN, RULE_FAILURES
from services.monitor.actions.hearing import look
from services.monitor.domain.facts import Endpoint, Facts, Limits, Reconciliation, SigningSecrets
from services.monitor.domain.incidents import Change, Clear, Incident, Open, Reopen, Resolve, See, Transition, plan
from services.monitor.domain.rules import NO_DATA, RULES, Alert, Rule, Verdict
from services.monitor.domain.rules.stripe import CONSEQUENCES
from services.monitor.domain.sightings import Sightings
from services.monitor.store import disputes as dispute_store
from services.monitor.store import events as event_store
from services.monitor.store import incidents as store
from services.monitor.store import notifications
from services.monitor.store import orders as order_store
from services.monitor.store import stock as stock_store
from shared import outbox
from shared.audit import audit
from shared.db import Connection
from shared.errors import Unavailable
from shared.events import IncidentOpened, IncidentReopened, IncidentResolved
from shared.ids import uuid7

log = logging.getLogger(__name__)

ACTOR = "job evaluate"

# For so long it is news that something is short; what a shop leaves sold out is no incident for ever.
STOCK_NEWS = timedelta(days=1)


@dataclass(frozen=True)
class Context:
    """The instant, by the database's clock, and who is told."""

    now: datetime
    channels: tuple[str, ...]


async def evaluate(desk: Desk) -> list[Change]:
    """One round: facts, verdicts, changes. Each change commits by itself, so that one can't hold up the others."""
    settings = desk.settings
    verdicts = judge(await gather(desk), settings.limits())
    async with desk.pool.worker() as conn:
        incidents = await store.select_current_incidents(conn, settings.patience().reopen_within)
        context = Context(await store.select_clock(conn), settings.channels)
    changes = plan(verdicts, incidents, context.now, settings.patience())
    failure: Exception | None = None
    for change in changes:
        try:
            async with desk.pool.worker() as conn:
                await make(conn, change, context)
        except Exception as error:
            failure = error
            log.warning("change failed", extra={"change": type(change).__name__, "reason": type(error).__name__})
    await _measure(desk)
    if failure is not None:
        raise failure
    return changes


async def gather(desk: Desk) -> Facts:
    """What is known right now; what can't be found out is None."""
    window = timedelta(seconds=desk.settings.payment_window_s)
    async with desk.pool.worker() as conn:
        payments = await event_store.count_payments(conn, window)
        stock = await stock_store.select_short(conn, STOCK_NEWS)
        held = await order_store.select_held(conn)
        disputes = await dispute_store.select_due(conn)
        alarms = await event_store.select_alarms(conn, desk.settings.limits().security_window)
    sightings = desk.sightings
    sightings.dead_letters = await _dead_letters(desk)
    look(desk)
    return Facts(
        now=datetime.now(UTC),
        broker=sightings.broker,
        watching_since=sightings.started_at,
        heard=dict(sightings.heard),
        readiness=dict(sightings.readiness),
        payments=payments,
        dead_letters=sightings.dead_letters,
        stock=stock,
        held=held,
        disputes=disputes,
        alarms=alarms,
        endpoint=_endpoint(sightings),
        signing_secrets=_signing_secrets(sightings),
        reconciliation=reconciliation_of(sightings),
        sender_list_failing_s=sightings.gauge("webhooks", "webhooks_sender_list_failing_seconds"),
        circuits=_circuits(sightings),
        broken=sightings.broken,
    )


def _circuits(sightings: Sightings) -> dict[str, float]:
    """By service, the worst of its processes."""
    found = {service: sightings.gauge(service, "stripe_circuit_state") for service in CONSEQUENCES}
    return {service: state for service, state in found.items() if state is not None}


def _endpoint(sightings: Sightings) -> Endpoint | None:
    silent_s = sightings.gauge("webhooks", "webhooks_endpoint_silent_seconds")
    if silent_s is None:
        return None
    return Endpoint(silent_s, sightings.labels_at_one("webhooks", "webhooks_endpoint_problem", "problem"))


def judge(facts: Facts, limits: Limits, rules: tuple[Rule, ...] = RULES) -> dict[str, Verdict]:
    """Every rule's verdict. A rule that breaks says nothing, and keeps no other from speaking."""
    verdicts = {}
    for rule in rules:
        try:
            verdicts[rule.name] = rule.judge(facts, limits)
        except Exception:
            log.exception("rule broke", extra={"rule": rule.name})
            RULE_FAILURES.labels(rule=rule.name).inc()
            verdicts[rule.name] = NO_DATA
    return verdicts


async def make(conn: Connection, change: Change, context: Context) -> None:
    """Makes one change, with all that follows from it, in the caller's transaction."""
    match change:
        case Open(alert):
            await _open(conn, alert, context)
        case Reopen(incident, alert):
            await _reopen(conn, incident, alert, context)
        case See(incident, alert, is_news):
            await store.update_seen(conn, incident.id, alert, context.now)
            if is_news:
                await _update(conn, incident, alert, context)
        case Clear(incident):
            await store.update_clear(conn, incident.id, context.now)
        case Resolve(incident):
            await _resolve(conn, incident, context)


async def _open(conn: Connection, alert: Alert, context: Context) -> None:
    incident_id = uuid7()
    if not await store.insert_incident(conn, incident_id, alert, context.now):
        return
    await notifications.insert_notifications(conn, incident_id, Transition.OPENED, alert, context.channels)
    await outbox.stage(conn, IncidentOpened(incident_id=incident_id, **_facts(alert)))
    await audit(conn, actor=ACTOR, action="open incident", subject=f"incident {incident_id}", details={**_facts(alert)})
    _report(alert, Transition.OPENED, str(incident_id))


async def _reopen(conn: Connection, incident: Incident, alert: Alert, context: Context) -> None:
    if not await store.update_reopened(conn, incident, alert, context.now):
        return
    await notifications.insert_notifications(conn, incident.id, Transition.REOPENED, alert, context.channels)
    await outbox.stage(conn, IncidentReopened(incident_id=incident.id, **_facts(alert)))
    await audit(
        conn, actor=ACTOR, action="reopen incident", subject=f"incident {incident.id}", details={**_facts(alert)}
    )
    _report(alert, Transition.REOPENED, str(incident.id))


async def _update(conn: Connection, incident: Incident, alert: Alert, context: Context) -> None:
    if await store.update_told(conn, incident, alert, context.now):
        await notifications.insert_notifications(conn, incident.id, Transition.UPDATED, alert, context.channels)
        _report(alert, Transition.UPDATED, str(incident.id))


async def _resolve(conn: Connection, incident: Incident, context: Context) -> None:
    if not await store.update_resolved(conn, incident, context.now):
        return
    alert = Alert(incident.rule, incident.subject, incident.severity, incident.summary, incident.value)
    await notifications.insert_notifications(conn, incident.id, Transition.RESOLVED, alert, context.channels)
    await outbox.stage(conn, IncidentResolved(incident_id=incident.id, **_facts(alert)))
    await audit(
        conn, actor=ACTOR, action="resolve incident", subject=f"incident {incident.id}", details={**_facts(alert)}
    )
    _report(alert, Transition.RESOLVED, str(incident.id))


def _facts(alert: Alert) -> dict[str, str]:
    return {
        "rule": alert.rule,
        "subject": alert.subject,
        "severity": alert.severity.value,
        "summary": alert.summary,
    }


def _report(alert: Alert, transition: Transition, incident_id: str) -> None:
    INCIDENTS.labels(rule=alert.rule, transition=transition.value).inc()
    log.warning(f"incident {transition.value}", extra={"incident_id": incident_id, **_facts(alert)})


def reconciliation_of(sightings: Sightings) -> Reconciliation | None:
    """What checkout's figures say of its comparison with Stripe; None from one that doesn't compare."""
    findings = sightings.gauges("checkout", "checkout_reconciliation_findings", "kind")
    age_s = sightings.gauge("checkout", "checkout_reconciliation_age_seconds")
    return None if age_s is None else Reconciliation(findings, timedelta(seconds=age_s))


def _signing_secrets(sightings: Sightings) -> SigningSecrets | None:
    missing = sightings.gauge("webhooks", "webhooks_signing_secrets_missing")
    if missing is None:
        return None
    problem = sightings.gauge("webhooks", "webhooks_signing_secrets_file_problem")
    expiring = sightings.gauges("webhooks", "webhooks_signing_secret_expiring_seconds", "secret")
    return SigningSecrets(missing > 0, bool(problem), expiring)


async def _dead_letters(desk: Desk) -> Mapping[str, int] | None:
    with contextlib.suppress(Unavailable):
        return await desk.bus.dead_letters()
    return None


async def _measure(desk: Desk) -> None:
    async with desk.pool.worker() as conn:
        counted = await store.count_open(conn)
    for severity, count in counted.items():
        INCIDENTS_OPEN.labels(severity=severity.value).set(count)
    DEAD_LETTERS.clear()  # while the broker can't say, an old number would only mislead
    for queue, count in (desk.sightings.dead_letters or {}).items():
        DEAD_LETTERS.labels(queue=queue).set(count)
