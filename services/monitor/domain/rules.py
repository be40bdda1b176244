"""The rules: facts in, alerts out. Whether something is wrong is derived every time and never stored.

A rule that lacks its data says so (`unknown`): that neither opens nor resolves an incident. To add a rule, write its
function here and add it to RULES; CONTRIBUTING.md lists the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from services.monitor.domain.facts import Facts, Limits

EVERYTHING = "*"


class Severity(StrEnum):
    WARNING = "warning"
    CRITICAL = "critical"


@dataclass(frozen=True)
class Alert:
    """Something is wrong with `subject` right now; `value` says how much, where that can be counted."""

    rule: str
    subject: str
    severity: Severity
    summary: str
    value: int = 1

    @property
    def dedup_key(self) -> str:
        return f"{self.rule}:{self.subject}"


@dataclass(frozen=True)
class Verdict:
    """What a rule says: these are wrong, about those it can't tell, all others are well."""

    alerts: tuple[Alert, ...] = ()
    unknown: frozenset[str] = frozenset()

    def is_well(self, subject: str) -> bool:
        wrong = {alert.subject for alert in self.alerts}
        return not ({subject, EVERYTHING} & self.unknown or subject in wrong)


NO_DATA = Verdict(unknown=frozenset({EVERYTHING}))


@dataclass(frozen=True)
class Rule:
    """A rule with what people are told: what it means, and what to do next."""

    name: str
    title: str
    judge: Callable[[Facts, Limits], Verdict]
    next_step: str


def service_silent(facts: Facts, limits: Limits) -> Verdict:
    """A process publishes its figures every few seconds; nothing for a while means that it is gone or stuck."""
    if not facts.broker.is_settled(facts.now, limits.silent_after):
        return NO_DATA
    return Verdict(
        tuple(
            Alert("service_silent", service, Severity.CRITICAL, _silence(service, facts.heard.get(service)))
            for service in limits.expected_services
            if not _is_heard(service, facts, limits)
        )
    )


def service_unready(facts: Facts, limits: Limits) -> Verdict:
    """While the broker is away nobody can be heard, so the services are asked directly.

    A monitor that has only just started says nothing yet: after a deployment the others are still starting, too.
    """
    if facts.watching_since is not None and facts.now - facts.watching_since < limits.silent_after:
        return Verdict(unknown=frozenset(limits.probed_services))
    if facts.broker.is_settled(facts.now, limits.silent_after):
        quiet = {service for service in limits.probed_services if not _is_heard(service, facts, limits)}
        return Verdict(unknown=frozenset(quiet))
    alerts, unknown = [], set()
    for service in limits.probed_services:
        probe = facts.readiness.get(service)
        if probe is None or facts.now - probe.at > limits.silent_after:
            unknown.add(service)
        elif not probe.is_ready:
            summary = f"{service} is not ready, asked directly: {probe.says}"
            alerts.append(Alert("service_unready", service, Severity.CRITICAL, summary))
    return Verdict(tuple(alerts), frozenset(unknown))


def broker_away(facts: Facts, limits: Limits) -> Verdict:
    """Without the broker orders are still taken, and nothing moves on."""
    if facts.broker.is_connected:
        return Verdict()
    if facts.now - facts.broker.since < limits.broker_away_after:
        return NO_DATA
    summary = f"the monitor has had no connection to RabbitMQ since {clock(facts.broker.since)}"
    return Verdict((Alert("broker_away", "rabbitmq", Severity.CRITICAL, summary),))


def payment_success_low(facts: Facts, limits: Limits) -> Verdict:
    """Too few of the finished payment tries were paid. A handful of tries says nothing, hence the floor."""
    payments = facts.payments
    if payments is None or not facts.broker.is_settled(facts.now, limits.silent_after):
        return NO_DATA
    if payments.share is None or payments.finished < limits.payment_floor:
        return NO_DATA
    if payments.share >= limits.payment_target or payments.failed < limits.payment_failures:
        return Verdict()
    summary = (
        f"{payments.paid} of {payments.finished} payment tries of the last "
        f"{round(limits.payment_window.total_seconds() / 60)} minutes were paid "
        f"({payments.share:.0%}; the target is {limits.payment_target:.0%})"
    )
    return Verdict((Alert("payment_success_low", "payments", Severity.CRITICAL, summary, payments.failed),))


def dead_letters(facts: Facts, limits: Limits) -> Verdict:
    """A message that could not be handled after all its tries waits for a person."""
    if facts.dead_letters is None:
        return NO_DATA
    return Verdict(
        tuple(
            Alert("dead_letters", queue, _weight(count, limits), _buried(queue, count), count)
            for queue, count in sorted(facts.dead_letters.items())
            if count > 0
        )
    )


def invariant_broken(facts: Facts, limits: Limits) -> Verdict:
    """What must be true of money, stock and mail whatever happens; there is no number below which it may be false."""
    if facts.broken is None:
        return NO_DATA
    return Verdict(
        tuple(
            Alert("invariant_broken", name, Severity.CRITICAL, f"{name}: {what}")
            for name, what in sorted(facts.broken.items())
        )
    )


RULES = (
    Rule(
        "service_silent",
        "Service silent",
        service_silent,
        "Check that its process runs and what its log says last, then its /readyz. "
        "Queues keep what arrives for it meanwhile.",
    ),
    Rule(
        "service_unready",
        "Service not ready",
        service_unready,
        "Look at its /readyz: it names what is missing. RabbitMQ is away too, so begin there.",
    ),
    Rule(
        "broker_away",
        "RabbitMQ away",
        broker_away,
        "Check that RabbitMQ runs and has disk and memory left. Orders are still taken; "
        "their events wait in the outboxes and are published when it is back.",
    ),
    Rule(
        "payment_success_low",
        "Payment success low",
        payment_success_low,
        "Look at the failure categories on the page and at Stripe's status page; "
        "if one category stands out, begin with it.",
    ),
    Rule(
        "dead_letters",
        "Dead letters",
        dead_letters,
        "Read the reason in the log line `buried`, mend the cause, then redrive the queue.",
    ),
    Rule(
        "invariant_broken",
        "Invariant broken",
        invariant_broken,
        "Run services/monitor/invariants/<name>.sql as the auditor: each row is one thing that is wrong. "
        "Correct nothing by hand before it is clear how it came about.",
    ),
)
RULE_BY_NAME = {rule.name: rule for rule in RULES}


def clock(at: datetime) -> str:
    """A time as people read it in a message."""
    return f"{at:%H:%M:%S} UTC"


def _is_heard(service: str, facts: Facts, limits: Limits) -> bool:
    last = facts.heard.get(service)
    return last is not None and facts.now - last < limits.silent_after


def _silence(service: str, last: datetime | None) -> str:
    if last is None:
        return f"{service} has not been heard since the monitor started"
    return f"{service} has not been heard since {clock(last)}"


def _weight(count: int, limits: Limits) -> Severity:
    return Severity.CRITICAL if count >= limits.dead_letters_critical else Severity.WARNING


def _buried(queue: str, count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'} of {queue} could not be handled"
