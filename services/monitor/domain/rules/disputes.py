"""Disputes that wait for the shop's answer: one that isn't answered in time is lost, whoever is right."""

from services.monitor.domain.facts import DisputeDue, Facts, Limits
from services.monitor.domain.rules.verdict import NO_DATA, Alert, Rule, Severity, Verdict

# So many have an incident each; what is more than a person can look at is counted in one.
DISPUTES_NAMED = 25
OTHERS = "others"


def dispute_unanswered(facts: Facts, limits: Limits) -> Verdict:
    """An incident for each, from the day it is opened: it becomes critical when little time is left."""
    if facts.disputes is None:
        return NO_DATA
    named, others = facts.disputes[:DISPUTES_NAMED], facts.disputes[DISPUTES_NAMED:]
    alerts = [_alert(each, facts, limits) for each in named]
    if others:
        count = len(others)
        summary = (
            f"{count} more order{'s' if count > 1 else ''}: dispute to be answered, the first by {_day(others[0])}"
        )
        alerts.append(Alert("dispute_unanswered", OTHERS, _severity(others[0], facts, limits), summary, count))
    return Verdict(tuple(alerts))


def _alert(due: DisputeDue, facts: Facts, limits: Limits) -> Alert:
    what = "the customer's bank asks about order" if due.dispute == "inquiry" else "the payment is disputed of order"
    when = f"an answer was due by {_day(due)}" if due.due_at <= facts.now else f"an answer is due by {_day(due)}"
    severity = _severity(due, facts, limits)
    return Alert("dispute_unanswered", due.number, severity, f"{what} {due.number}; {when}")


def _severity(due: DisputeDue, facts: Facts, limits: Limits) -> Severity:
    return Severity.CRITICAL if due.due_at - facts.now <= limits.dispute_urgent else Severity.WARNING


def _day(due: DisputeDue) -> str:
    return f"{due.due_at:%Y-%m-%d %H:%M} UTC"


RULES = (
    Rule(
        "dispute_unanswered",
        "Dispute to be answered",
        dispute_unanswered,
        "Open it under Disputes in Stripe's Dashboard: submit evidence, or accept it. Either ends the incident; "
        "one that nobody answers is lost.",
    ),
)
