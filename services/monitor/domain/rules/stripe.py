"""Whether Stripe can be asked."""

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
