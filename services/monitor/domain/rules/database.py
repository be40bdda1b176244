"""PostgreSQL itself."""

from services.monitor.domain.facts import Facts, Limits
from services.monitor.domain.rules.verdict import Rule, Verdict


def database_away(facts: Facts, limits: Limits) -> Verdict:
    """Always well: whoever has facts has PostgreSQL. That it is away is told from memory, without an incident."""
    return Verdict()


RULES = (
    Rule(
        "database_away",
        "PostgreSQL away",
        database_away,
        "Check that PostgreSQL runs, has disk left and lets the services in. Stripe tries its events again for three "
        "days, so that no payment is lost; what was already published waits in RabbitMQ.",
    ),
)
