"""Whether Stripe can be asked, and answers us."""

from services.monitor.domain.facts import Facts, Limits
from services.monitor.domain.rules.verdict import Alert, Severity, Verdict, is_heard

# What stands still meanwhile, by who can't ask.
CONSEQUENCES = {
    "checkout": (Severity.CRITICAL, "no order can be taken, and refunds and expiries wait"),
    "webhooks": (Severity.WARNING, "what could not be delivered is fetched later"),
}


def stripe_circuit(facts: Facts, limits: Limits) -> Verdict:
    """A process leaves Stripe alone after failures; well again once requests that try it have succeeded."""
    alerts, unknown = [], set()
    for service, (severity, consequence) in CONSEQUENCES.items():
        state = facts.circuits.get(service)
        if state is None or not is_heard(service, facts, limits):
            unknown.add(service)
        elif state > 0:
            summary = f"Stripe fails, so {service} leaves it alone: {consequence}"
            alerts.append(Alert("stripe_circuit", service, severity, summary))
    return Verdict(tuple(alerts), frozenset(unknown))


def stripe_denies(facts: Facts, limits: Limits) -> Verdict:
    """Stripe answers, so that the circuit is closed, and takes our key for nothing: 401 or 403 to most requests."""
    alerts, unknown = [], set()
    minutes = round(limits.failing_within.total_seconds() / 60)
    for service, (severity, consequence) in CONSEQUENCES.items():
        calls = facts.calls.get(service)
        is_wrong = calls.mostly_failed(limits.failing_floor) if calls and is_heard(service, facts, limits) else None
        if calls is None or is_wrong is None:
            unknown.add(service)
        elif is_wrong:
            summary = (
                f"Stripe refused the key of {service} for {calls.failed} of {calls.total} requests of the last "
                f"{minutes} minutes: {consequence}"
            )
            alerts.append(Alert("stripe_denies", service, severity, summary, calls.failed))
    return Verdict(tuple(alerts), frozenset(unknown))
