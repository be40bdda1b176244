"""Whether those who knock are let in: shoppers at checkout, Stripe at webhooks."""

from services.monitor.domain.facts import Facts, Limits, Tries
from services.monitor.domain.rules.verdict import EVERYTHING, Alert, Rule, Severity, Verdict, is_heard

# The services whose answers somebody outside waits for.
DOORS = ("checkout", "webhooks")


def answers_failing(facts: Facts, limits: Limits) -> Verdict:
    """Each route by itself: while nobody can order, the catalogue may be read a hundred times a minute.

    Without orders no share of payments can be low, so this is what tells of a till that takes none.
    """
    alerts, unknown = [], set()
    for service in DOORS:
        if not is_heard(service, facts, limits):
            unknown.add(EVERYTHING)
            continue
        for route, answers in facts.answers.get(service, {}).items():
            is_wrong = answers.mostly_failed(limits.failing_floor)
            if is_wrong:
                alerts.append(_alert(service, route, answers, limits))
            elif is_wrong is None:
                unknown.add(_subject(service, route))
    return Verdict(tuple(alerts), frozenset(unknown))


def _alert(service: str, route: str, answers: Tries, limits: Limits) -> Alert:
    minutes = round(limits.failing_within.total_seconds() / 60)
    summary = (
        f"{answers.failed} of {answers.total} answers of {service} to {route} in the last {minutes} minutes were 5xx"
    )
    return Alert("answers_failing", _subject(service, route), Severity.CRITICAL, summary, answers.failed)


def _subject(service: str, route: str) -> str:
    return f"{service} {route}"[:200]


RULES = (
    Rule(
        "answers_failing",
        "Requests fail",
        answers_failing,
        "Read what the service's log says of that route. If it is the till's, see whether Stripe is reached and takes "
        "our key, then the database: nobody can buy meanwhile.",
    ),
)
