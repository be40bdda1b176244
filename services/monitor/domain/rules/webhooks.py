"""Whether Stripe's events reach us."""

from services.monitor.domain.facts import Facts, Limits
from services.monitor.domain.rules.verdict import NO_DATA, Alert, Severity, Verdict, is_heard


def webhooks_silent(facts: Facts, limits: Limits) -> Verdict:
    """Fewer of Stripe's events than usual at this time of the week: none at all, for too long. Webhooks judges it."""
    if facts.endpoint is None or not is_heard("webhooks", facts, limits):
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
    if facts.endpoint is None or not is_heard("webhooks", facts, limits):
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


def sender_list(facts: Facts, limits: Limits) -> Verdict:
    """Stripe gives notice of new addresses a week ahead; with a list that stays old their events would be refused."""
    failing_s = facts.sender_list_failing_s
    if failing_s is None or not is_heard("webhooks", facts, limits):
        return NO_DATA
    if failing_s <= limits.sender_list_failing_after.total_seconds():
        return Verdict()
    summary = f"the list of Stripe's addresses could not be refreshed for {failing_s / 3600:.0f} h"
    return Verdict((Alert("sender_list", "stripe", Severity.WARNING, summary),))


def _haste(left_s: float) -> Severity:
    return Severity.CRITICAL if left_s < 3600 else Severity.WARNING
