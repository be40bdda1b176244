"""Orders that wait for a person: an incident for each, when it is one, and what people are told to do."""

from datetime import timedelta

import pytest

from services.checkout.domain import Hold
from services.monitor.domain.facts import HeldOrder
from services.monitor.domain.rules import NO_DATA, RULE_BY_NAME, Severity
from services.monitor.domain.rules.orders import ADVICE, ORDERS_NAMED
from tests.unit.monitor.builders import LIMITS, ago, facts


def judged(rule: str, *orders: HeldOrder):
    return RULE_BY_NAME[rule].judge(facts(held=orders), LIMITS)


def test_every_reason_of_checkouts_is_known_and_none_beside_them():
    assert set(ADVICE) == set(Hold) - {Hold.NONE}


@pytest.mark.parametrize("reason", [*ADVICE, "something new"])
def test_each_order_is_an_incident_of_the_rule_of_its_reason_and_of_no_other(reason):
    order = HeldOrder("K-1", reason, ago(3600))
    found = {name: judged(name, order).alerts for name in RULE_BY_NAME if name.startswith("order_")}
    expected = f"order_{reason}" if reason in ADVICE else "order_held"
    assert [name for name, alerts in found.items() if alerts] == [expected]
    [alert] = found[expected]
    assert (alert.subject, "K-1" in alert.summary) == ("K-1", True)


@pytest.mark.parametrize("reason", ["paid_twice", "paid_too_late"])
def test_what_is_mostly_given_back_by_itself_is_told_when_it_lasts(reason):
    limit = LIMITS.refund_patience.total_seconds()
    assert not judged(f"order_{reason}", HeldOrder("K-1", reason, ago(limit - 1))).alerts
    assert judged(f"order_{reason}", HeldOrder("K-1", reason, ago(limit))).alerts


def test_a_fraud_warning_asks_to_refund_or_to_send_and_says_what_was_sent_already():
    [alert] = judged("order_fraud_warning", HeldOrder("K-1", "fraud_warning", ago(1), "part_shipped")).alerts
    assert alert.severity is Severity.CRITICAL
    assert alert.summary.endswith("it was part shipped before")
    next_step = RULE_BY_NAME["order_fraud_warning"].next_step
    assert "refund" in next_step
    assert "send" in next_step


def test_a_flood_names_the_oldest_and_counts_the_rest():
    orders = [HeldOrder(f"K-{at}", "review", ago(1000 - at)) for at in range(ORDERS_NAMED + 3)]
    alerts = judged("order_review", *orders).alerts
    assert [alert.subject for alert in alerts] == [*(order.number for order in orders[:ORDERS_NAMED]), "others"]
    assert (alerts[-1].value, alerts[-1].summary) == (3, "3 more orders: payment under review")


def test_without_data_nothing_is_opened_and_nothing_resolved():
    verdict = RULE_BY_NAME["order_review"].judge(facts(held=None), LIMITS)
    assert verdict == NO_DATA
    assert not verdict.is_well("K-1")


def test_the_patience_is_of_minutes():
    assert LIMITS.refund_patience == timedelta(minutes=10)
