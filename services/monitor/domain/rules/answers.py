"""Whether those who knock are let in: shoppers at checkout, Stripe at webhooks."""

from collections.abc import Mapping

from services.monitor.domain.facts import Facts, Limits, Tries
from services.monitor.domain.rules.verdict import EVERYTHING, Alert, Rule, Severity, Verdict, is_heard

# The services whose answers somebody outside waits for.
DOORS = ("checkout", "webhooks")
# When more of a service's routes fail than these, they fail together.
ROUTES_NAMED = 3


def answers_failing(facts: Facts, limits: Limits) -> Verdict:
    """Each route by itself: while nobody can order, the catalogue may be read a hundred times a minute.

    Without orders no share of payments can be low, so this is what tells of a till that takes none. What does not go
    on opens nothing any more: after an outage that is over, route after route would be told of one cause.
    """
    alerts, unknown = [], set()
    for service in DOORS:
        if not is_heard(service, facts, limits):
            unknown.add(EVERYTHING)
            continue
        answers = facts.answers.get(service, {})
        judged = {route: tries.mostly_failed(limits.failing_floor) for route, tries in answers.items()}
        failing = {route: answers[route] for route, is_wrong in judged.items() if is_wrong}
        alerts += _alerts(service, failing, limits)
        unknown |= {_subject(service, route) for route, is_wrong in judged.items() if is_wrong is not False}
        if len(failing) > ROUTES_NAMED or _all(answers).mostly_failed(limits.failing_floor) is not False:
            unknown.add(service)
    return Verdict(tuple(alerts), frozenset(unknown))


def _all(answers: Mapping[str, Tries]) -> Tries:
    return Tries(sum(tries.total for tries in answers.values()), sum(tries.failed for tries in answers.values()))


def _alerts(service: str, failing: Mapping[str, Tries], limits: Limits) -> list[Alert]:
    """One for each route, or one for all: when the database was away everything has failed, for one reason."""
    going_on = {route: tries for route, tries in failing.items() if tries.goes_on}
    lately = f"in the last {round(limits.failing_within.total_seconds() / 60)} minutes were 5xx"
    if len(failing) > ROUTES_NAMED and going_on:
        of_all = _all(failing)
        summary = f"{of_all.failed} of {of_all.total} answers of {service} to {len(failing)} routes {lately}"
        return [Alert("answers_failing", service, Severity.CRITICAL, summary, of_all.failed)]
    return [
        Alert(
            "answers_failing",
            _subject(service, route),
            Severity.CRITICAL,
            f"{tries.failed} of {tries.total} answers of {service} to {route} {lately}",
            tries.failed,
        )
        for route, tries in sorted(going_on.items())
    ]


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
