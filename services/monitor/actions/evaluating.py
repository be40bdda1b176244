"""From facts to incidents, and what follows from each: an event, an audit row, messages to people."""

import logging
from dataclasses import dataclass
from datetime import datetime

from services.monitor.actions.desk import Desk
from services.monitor.actions.figures import DEAD_LETTERS, INCIDENTS, INCIDENTS_OPEN, RULE_FAILURES
from services.monitor.actions.gathering import gather
from services.monitor.domain.facts import Facts, Limits
from services.monitor.domain.incidents import Change, Clear, Incident, Open, Reopen, Resolve, See, Transition, plan
from services.monitor.domain.rules import NO_DATA, RULES, Alert, Rule, Verdict
from services.monitor.store import incidents as store
from services.monitor.store import notifications
from shared import outbox
from shared.audit import audit
from shared.db import Connection
from shared.events import IncidentOpened, IncidentReopened, IncidentResolved
from shared.ids import uuid7

log = logging.getLogger(__name__)

ACTOR = "job evaluate"


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


async def _measure(desk: Desk) -> None:
    async with desk.pool.worker() as conn:
        counted = await store.count_open(conn)
    for severity, count in counted.items():
        INCIDENTS_OPEN.labels(severity=severity.value).set(count)
    DEAD_LETTERS.clear()  # while the broker can't say, an old number would only mislead
    for queue, count in (desk.sightings.dead_letters or {}).items():
        DEAD_LETTERS.labels(queue=queue).set(count)
