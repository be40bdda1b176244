"""What checkout found at Stripe, and whether it looks at all."""

from datetime import timedelta

import pytest

from services.checkout.domain.reconciling import REPAIRABLE, Difference
from services.monitor.domain.facts import Reconciliation
from services.monitor.domain.rules import NO_DATA, Severity, reconciliation_finding, reconciliation_overdue
from services.monitor.domain.rules.reconciliation import FINDINGS
from tests.unit.monitor.builders import LIMITS, facts

SOON = timedelta(minutes=5)


def test_each_kind_of_finding_is_an_incident_of_its_own_with_its_number():
    found = Reconciliation({"no_order": 2.0, "stuck": 1.0, "contradicts": 0.0}, SOON)
    alerts = reconciliation_finding(facts(reconciliation=found), LIMITS).alerts
    assert [(alert.subject, alert.severity, alert.value) for alert in alerts] == [
        ("no_order", Severity.CRITICAL, 2),
        ("stuck", Severity.WARNING, 1),
    ]


def test_everything_that_checkout_may_raise_has_its_words():
    assert set(FINDINGS) == {difference.value for difference in set(Difference) - REPAIRABLE}


@pytest.mark.parametrize(("hours", "alerts"), [(3.9, 0), (4.0, 1)])
def test_it_is_overdue_after_several_pauses(hours, alerts):
    found = Reconciliation({}, timedelta(hours=hours))
    assert len(reconciliation_overdue(facts(reconciliation=found), LIMITS).alerts) == alerts


@pytest.mark.parametrize("rule", [reconciliation_finding, reconciliation_overdue])
@pytest.mark.parametrize("changes", [{"reconciliation": None}, {"heard": {}}])
def test_a_checkout_that_is_silent_or_does_not_compare_says_nothing(rule, changes):
    found = Reconciliation({"no_order": 1.0}, timedelta(days=1))
    assert rule(facts(**{"reconciliation": found, **changes}), LIMITS) == NO_DATA
