"""Disputes to be answered: an incident for each, graver when time runs out."""

from datetime import timedelta

import pytest

from services.monitor.domain.facts import DisputeDue
from services.monitor.domain.rules import NO_DATA, RULE_BY_NAME, Severity
from services.monitor.domain.rules.disputes import DISPUTES_NAMED
from tests.unit.monitor.builders import LIMITS, NOON, facts

RULE = RULE_BY_NAME["dispute_unanswered"]


def due(days: float, number: str = "K-1", dispute: str = "open") -> DisputeDue:
    return DisputeDue(number, dispute, NOON + timedelta(days=days))


@pytest.mark.parametrize(
    ("days", "severity", "words"),
    [
        (9, Severity.WARNING, "an answer is due by 2026-03-11 12:00 UTC"),
        (3, Severity.CRITICAL, "an answer is due by 2026-03-05 12:00 UTC"),
        (-1, Severity.CRITICAL, "an answer was due by 2026-03-01 12:00 UTC"),
    ],
)
def test_it_grows_graver_as_time_runs_out(days, severity, words):
    [alert] = RULE.judge(facts(disputes=(due(days),)), LIMITS).alerts
    assert (alert.subject, alert.severity) == ("K-1", severity)
    assert alert.summary == f"the payment is disputed of order K-1; {words}"


def test_a_question_of_the_bank_is_called_one():
    [alert] = RULE.judge(facts(disputes=(due(9, dispute="inquiry"),)), LIMITS).alerts
    assert alert.summary.startswith("the customer's bank asks about order K-1; ")


def test_a_flood_names_the_most_urgent_and_counts_the_rest():
    found = tuple(due(1 + number, f"K-{number}") for number in range(DISPUTES_NAMED + 2))
    alerts = RULE.judge(facts(disputes=found), LIMITS).alerts
    assert [alert.subject for alert in alerts] == [*(each.number for each in found[:DISPUTES_NAMED]), "others"]
    assert (alerts[-1].value, alerts[-1].severity) == (2, Severity.WARNING)
    assert alerts[-1].summary == "2 more orders: dispute to be answered, the first by 2026-03-28 12:00 UTC"


def test_without_data_nothing_is_opened_and_nothing_resolved():
    assert RULE.judge(facts(disputes=None), LIMITS) == NO_DATA
