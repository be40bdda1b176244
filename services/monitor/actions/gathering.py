"""Finding out what the rules judge: what the database knows, and what this process has heard."""

import contextlib
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from services.monitor.actions.desk import Desk
from services.monitor.actions.hearing import look
from services.monitor.domain.facts import Endpoint, Facts, Limits, Reconciliation, SigningSecrets, Tries
from services.monitor.domain.rules.answers import DOORS
from services.monitor.domain.rules.stripe import CONSEQUENCES
from services.monitor.domain.sightings import Sightings
from services.monitor.store import disputes as dispute_store
from services.monitor.store import events as event_store
from services.monitor.store import orders as order_store
from services.monitor.store import stock as stock_store
from shared.errors import Unavailable

# For so long it is news that something is short; what a shop leaves sold out is no incident for ever.
STOCK_NEWS = timedelta(days=1)

# What failed so lately goes on failing, as far as one can know; figures come every few seconds.
GOES_ON = timedelta(seconds=30)

# What can come of a try to send a letter.
FAILED_TRIES = frozenset({"deferred", "refused", "unknown"})
TRIES = FAILED_TRIES | {"accepted"}


async def gather(desk: Desk) -> Facts:
    """What is known right now; what can't be found out is None."""
    known = await _stored(desk)
    sightings = desk.sightings
    sightings.dead_letters = await _dead_letters(desk)
    look(desk)
    heard = replace(
        known,
        now=datetime.now(UTC),
        broker=sightings.broker,
        watching_since=sightings.started_at,
        heard=dict(sightings.heard),
        readiness=dict(sightings.readiness),
        dead_letters=sightings.dead_letters,
        broken=sightings.broken,
        unasked=sightings.unasked,
    )
    return _figured(heard, sightings, desk.settings.limits())


async def _stored(desk: Desk) -> Facts:
    limits = desk.settings.limits()
    async with desk.pool.worker() as conn:
        return Facts(
            now=datetime.now(UTC),
            broker=desk.sightings.broker,
            payments=await event_store.count_payments(conn, limits.payment_window),
            stock=await stock_store.select_short(conn, STOCK_NEWS),
            held=await order_store.select_held(conn),
            disputes=await dispute_store.select_due(conn),
            alarms=await event_store.select_alarms(conn, limits.security_window),
            mail_ends=await event_store.count_mail_ends(conn, limits.mail_window),
        )


def _figured(known: Facts, sightings: Sightings, limits: Limits) -> Facts:
    """With what the figures say that every process sends."""
    now = known.now
    calls = {service: sightings.calls.of(service, now, limits.failing_within) for service in CONSEQUENCES}
    return replace(
        known,
        endpoint=_endpoint(sightings),
        signing_secrets=_signing_secrets(sightings),
        reconciliation=reconciliation_of(sightings),
        sender_list_failing_s=sightings.gauge("webhooks", "webhooks_sender_list_failing_seconds"),
        circuits=_circuits(sightings),
        answers={service: _answers(sightings, service, now, limits.failing_within) for service in DOORS},
        calls={service: Tries(sum(count.values()), count.get(("denied",), 0)) for service, count in calls.items()},
        mail_overdue_s=sightings.gauge("notifier", "notifier_letters_overdue_seconds"),
        mail_tries=_mail_tries(sightings, now),
    )


def _answers(sightings: Sightings, service: str, now: datetime, within: timedelta) -> dict[str, Tries]:
    """By route."""
    found: dict[str, Tries] = {}
    for (route, status_class), count in sightings.requests.of(service, now, within).items():
        before = found.get(route, Tries(0, 0))
        failed = count if status_class == "5xx" else 0
        goes_on = sightings.requests.happened(service, (route, "5xx"), now, GOES_ON)
        found[route] = Tries(before.total + count, before.failed + failed, goes_on)
    return found


def _mail_tries(sightings: Sightings, now: datetime) -> Tries:
    counts = {outcome: count for (outcome,), count in sightings.letters.of("notifier", now).items()}
    total = sum(counts.get(outcome, 0) for outcome in TRIES)
    return Tries(total, sum(counts.get(outcome, 0) for outcome in FAILED_TRIES))


def _circuits(sightings: Sightings) -> dict[str, float]:
    """By service, the worst of its processes."""
    found = {service: sightings.gauge(service, "stripe_circuit_state") for service in CONSEQUENCES}
    return {service: state for service, state in found.items() if state is not None}


def _endpoint(sightings: Sightings) -> Endpoint | None:
    silent_s = sightings.gauge("webhooks", "webhooks_endpoint_silent_seconds")
    if silent_s is None:
        return None
    return Endpoint(silent_s, sightings.labels_at_one("webhooks", "webhooks_endpoint_problem", "problem"))


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
