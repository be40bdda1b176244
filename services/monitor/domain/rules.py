"""The rules: facts in, alerts out. Whether something is wrong is derived every time and never stored.

A rule that lacks its data says so (`unknown`): that neither opens nor resolves an incident. To add a rule, write its
function here and add it to RULES; CONTRIBUTING.md lists the rest.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from functools import partial

from services.monitor.domain.facts import Facts, Limits
from services.monitor.domain.security import ADVICE, OTHERWISE, Advice, name_of

EVERYTHING = "*"

# So many SKUs are named in a message; all are counted.
STOCK_NAMED = 5


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


def stock_short(facts: Facts, limits: Limits) -> Verdict:
    """One incident for all that is sold out and one for all that is low, however many SKUs: a launch is no flood."""
    if facts.stock is None:
        return NO_DATA
    found = []
    for subject, skus, are in (("sold out", facts.stock.out, "sold out"), ("low", facts.stock.low, "almost sold out")):
        if skus:
            named = ", ".join(skus[:STOCK_NAMED]) + (" and others" if len(skus) > STOCK_NAMED else "")
            summary = f"{len(skus)} SKU{'' if len(skus) == 1 else 's'} {are}: {named}"
            found.append(Alert("stock_short", subject, Severity.WARNING, summary, len(skus)))
    return Verdict(tuple(found))


def security(name: str, facts: Facts, limits: Limits) -> Verdict:
    """A service saw something suspicious that asks for a person; well again when it has been quiet for the window."""
    if facts.alarms is None:
        return NO_DATA
    minutes = round(limits.security_window.total_seconds() / 60)
    return Verdict(
        tuple(
            Alert(
                name,
                alarm.type,
                Severity.CRITICAL if alarm.is_critical else Severity.WARNING,
                f"{alarm.detail} (event {alarm.count} of the last {minutes} minutes)",
                alarm.count,
            )
            for alarm in facts.alarms.values()
            if name_of(alarm.type) == name
        )
    )


def webhooks_silent(facts: Facts, limits: Limits) -> Verdict:
    """Fewer of Stripe's events than usual at this time of the week: none at all, for too long. Webhooks judges it."""
    if facts.endpoint is None or not _is_heard("webhooks", facts, limits):
        return NO_DATA
    if facts.endpoint.silent_s <= 0:
        return Verdict()
    minutes = round(facts.endpoint.silent_s / 60)
    summary = f"no event from Stripe was delivered for {minutes} minutes, longer than is usual at this hour"
    return Verdict((Alert("webhooks_silent", "stripe", Severity.CRITICAL, summary),))


# What is wrong with the endpoint at Stripe, for people; the first two stop all deliveries.
ENDPOINT_PROBLEMS = {
    "missing": "Stripe has no webhook endpoint with our address",
    "disabled": "Stripe's webhook endpoint for us is disabled",
    "other_version": "Stripe's webhook endpoint for us sends another API version",
    "types_missing": "Stripe's webhook endpoint for us does not send all event types that we act on",
}
ENDPOINT_STOPPED = frozenset({"missing", "disabled"})


def webhook_endpoint(facts: Facts, limits: Limits) -> Verdict:
    """How Stripe has our endpoint set, which webhooks looks up every half hour."""
    if facts.endpoint is None or not _is_heard("webhooks", facts, limits):
        return NO_DATA
    return Verdict(
        tuple(
            Alert(
                "webhook_endpoint",
                problem,
                Severity.CRITICAL if problem in ENDPOINT_STOPPED else Severity.WARNING,
                ENDPOINT_PROBLEMS.get(problem, f"Stripe's webhook endpoint for us is not right: {problem}"),
            )
            for problem in facts.endpoint.problems
        )
    )


def signing_secrets(facts: Facts, limits: Limits) -> Verdict:
    """Without a usable signing secret every event of Stripe's is refused; one in use that ends soon leads there."""
    secrets = facts.signing_secrets
    if secrets is None:
        return NO_DATA
    alerts = [
        Alert("signing_secrets", name, _haste(left_s), f"secret {name} ends in {left_s / 3600:.1f} h and is in use")
        for name, left_s in sorted(secrets.expiring_s.items())
    ]
    if secrets.are_missing:
        summary = "webhooks has no signing secret that counts; every event of Stripe's is refused"
        alerts.append(Alert("signing_secrets", "all secrets", Severity.CRITICAL, summary))
    if secrets.has_file_problem:
        summary = "webhooks can't take over the file of signing secrets and goes on with what it holds"
        alerts.append(Alert("signing_secrets", "the file", Severity.WARNING, summary))
    return Verdict(tuple(alerts))


def _of_security(name: str, advice: Advice) -> Rule:
    return Rule(name, advice.title, partial(security, name), advice.next_step)


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
        "stock_short",
        "Stock short",
        stock_short,
        "Order more, or take the variant off sale. `python -m deploy.ops adjust-stock` enters what arrives. "
        "It is news for a day.",
    ),
    Rule(
        "webhooks_silent",
        "Stripe's events stay away",
        webhooks_silent,
        "Look at the endpoint's deliveries in Stripe's Dashboard and at Stripe's status page, then at the proxy in "
        "front of webhooks. What could not be delivered is fetched meanwhile; orders are paid late, not lost.",
    ),
    Rule(
        "webhook_endpoint",
        "Webhook endpoint",
        webhook_endpoint,
        "Open the endpoint in Stripe's Dashboard: enable it, or set address, event types and API version as step 4 "
        "of the README says. What could not be delivered is fetched meanwhile, except types that it never sends.",
    ),
    Rule(
        "signing_secrets",
        "Signing secrets",
        signing_secrets,
        "Run `python -m deploy.ops rotate-webhook-secret --file FILE --status`: it says which secret is in use and "
        "what the file lacks. Roll the secret at Stripe, or give the one in use more time.",
    ),
    *(_of_security(name_of(type_), advice) for type_, advice in ADVICE.items()),
    _of_security("security_other", OTHERWISE),
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


def _haste(left_s: float) -> Severity:
    return Severity.CRITICAL if left_s < 3600 else Severity.WARNING


def _buried(queue: str, count: int) -> str:
    return f"{count} message{'' if count == 1 else 's'} of {queue} could not be handled"
