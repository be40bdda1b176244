"""Each rule: when it is wrong, when it is well, and when it can't tell."""

from datetime import timedelta

import pytest

from services.monitor.domain.facts import Broker, Payments, Probe
from services.monitor.domain.rules import NO_DATA, RULES, Severity, Verdict
from services.monitor.domain.rules import broker_away as judge_broker
from services.monitor.domain.rules import dead_letters as judge_dead_letters
from services.monitor.domain.rules import payment_success_low as judge_payments
from services.monitor.domain.rules import service_silent as judge_silence
from services.monitor.domain.rules import service_unready as judge_readiness
from tests.unit.monitor.builders import LIMITS, NOON, ago, facts

AWAY = Broker(is_connected=False, since=ago(60))
JUST_BACK = Broker(is_connected=True, since=ago(29))
LONG_BACK = Broker(is_connected=True, since=ago(30))


def subjects(verdict: Verdict) -> list[str]:
    return [alert.subject for alert in verdict.alerts]


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_nothing_is_wrong_when_all_is_well(rule):
    verdict = rule.judge(facts(), LIMITS)

    assert verdict.alerts == ()
    assert verdict.is_well("checkout")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.name)
def test_every_rule_says_what_to_do_next(rule):
    assert len(rule.next_step) > 20
    assert rule.title


@pytest.mark.parametrize(
    ("heard", "silent"),
    [
        ({"checkout": ago(29.9), "webhooks": ago(1)}, []),
        ({"checkout": ago(30), "webhooks": ago(1)}, ["checkout"]),
        ({"webhooks": ago(1)}, ["checkout"]),
        ({}, ["checkout", "webhooks"]),
        ({"checkout": ago(1), "webhooks": ago(1), "stranger": ago(900)}, []),
    ],
    ids=["just heard", "a whole period", "never heard", "nobody", "not expected"],
)
def test_a_service_is_silent_when_it_was_not_heard_for_a_period(heard, silent):
    verdict = judge_silence(facts(heard=heard), LIMITS)

    assert subjects(verdict) == silent
    assert all(alert.severity is Severity.CRITICAL for alert in verdict.alerts)


@pytest.mark.parametrize("broker", [AWAY, JUST_BACK], ids=["away", "just back"])
def test_silence_means_nothing_when_we_could_not_hear(broker):
    assert judge_silence(facts(broker=broker, heard={}), LIMITS) == NO_DATA


def test_silence_means_something_again_a_period_after_the_broker_came_back():
    assert subjects(judge_silence(facts(broker=LONG_BACK, heard={"webhooks": ago(1)}), LIMITS)) == ["checkout"]


def test_the_summary_of_silence_says_since_when_and_does_not_change_every_second():
    (alert,) = judge_silence(facts(heard={"checkout": ago(75), "webhooks": ago(1)}), LIMITS).alerts

    assert alert.summary == "checkout has not been heard since 11:58:45 UTC"


@pytest.mark.parametrize(
    ("probe", "wrong", "unknown"),
    [
        (Probe(True, "ready", ago(1)), [], set()),
        (Probe(False, "no answer (TimeoutError)", ago(1)), ["checkout"], set()),
        (Probe(False, "no answer (TimeoutError)", ago(31)), [], {"checkout"}),
        (None, [], {"checkout"}),
    ],
    ids=["ready", "not ready", "asked too long ago", "not asked"],
)
def test_while_the_broker_is_away_services_are_asked_directly(probe, wrong, unknown):
    verdict = judge_readiness(facts(broker=AWAY, readiness={"checkout": probe} if probe else {}), LIMITS)

    assert (subjects(verdict), verdict.unknown) == (wrong, unknown)


def test_a_service_that_is_heard_again_is_ready_and_one_that_is_not_is_left_as_it_was():
    assert judge_readiness(facts(), LIMITS).is_well("checkout")
    assert not judge_readiness(facts(heard={}), LIMITS).is_well("checkout")


def test_a_monitor_that_has_just_started_calls_nobody_unready():
    """After a deployment everybody is starting: three criticals each time would teach people to look away."""
    probe = Probe(False, "no answer", ago(1))
    starting = facts(broker=AWAY, readiness={"checkout": probe}, watching_since=ago(29))
    assert judge_readiness(starting, LIMITS).alerts == ()
    assert not judge_readiness(starting, LIMITS).is_well("checkout")
    settled = facts(broker=AWAY, readiness={"checkout": probe}, watching_since=ago(30))
    assert subjects(judge_readiness(settled, LIMITS)) == ["checkout"]


@pytest.mark.parametrize(
    ("broker", "expected"),
    [(AWAY, ["rabbitmq"]), (Broker(is_connected=False, since=ago(10)), ["rabbitmq"]), (JUST_BACK, [])],
)
def test_the_broker_being_away_is_an_alert_of_its_own(broker, expected):
    assert subjects(judge_broker(facts(broker=broker), LIMITS)) == expected


def test_a_short_absence_of_the_broker_is_not_judged():
    assert judge_broker(facts(broker=Broker(is_connected=False, since=ago(9))), LIMITS) == NO_DATA


@pytest.mark.parametrize(
    ("paid", "failed", "is_wrong"),
    [
        (7, 3, False),  # exactly the target
        (6, 4, True),
        (0, 10, True),
        (100, 43, True),
        (100, 42, False),
    ],
)
def test_payment_success_is_low_below_the_target(paid, failed, is_wrong):
    verdict = judge_payments(facts(payments=Payments(paid, failed)), LIMITS)

    assert subjects(verdict) == (["payments"] if is_wrong else [])
    assert verdict.is_well("payments") is not is_wrong


@pytest.mark.parametrize("payments", [Payments(0, 0), Payments(0, 9), Payments(9, 0), None])
def test_below_the_floor_payments_say_nothing(payments):
    assert judge_payments(facts(payments=payments), LIMITS) == NO_DATA


def test_too_few_failures_never_raise_an_alert():
    limits = LIMITS.__class__(payment_target=0.9, payment_failures=3)

    assert judge_payments(facts(payments=Payments(8, 2)), limits) == Verdict()


@pytest.mark.parametrize("broker", [AWAY, JUST_BACK])
def test_payments_are_not_judged_while_their_events_may_be_on_the_way(broker):
    assert judge_payments(facts(broker=broker, payments=Payments(0, 50)), LIMITS) == NO_DATA


def test_the_payment_alert_tells_the_figures():
    (alert,) = judge_payments(facts(payments=Payments(4, 12)), LIMITS).alerts

    assert alert.summary == "4 of 16 payment tries of the last 15 minutes were paid (25%; the target is 70%)"
    assert alert.value == 12


@pytest.mark.parametrize(
    ("counts", "expected"),
    [
        ({"a.x": 0, "b.y": 0}, []),
        ({"b.y": 1, "a.x": 99}, [("a.x", "warning", 99), ("b.y", "warning", 1)]),
        ({"a.x": 100}, [("a.x", "critical", 100)]),
    ],
)
def test_dead_letters_are_an_alert_for_each_queue(counts, expected):
    alerts = judge_dead_letters(facts(dead_letters=counts), LIMITS).alerts

    assert [(alert.subject, alert.severity, alert.value) for alert in alerts] == expected


def test_dead_letters_that_can_not_be_counted_say_nothing():
    assert judge_dead_letters(facts(dead_letters=None), LIMITS) == NO_DATA


def test_one_dead_letter_is_a_message_and_two_are_messages():
    alerts = judge_dead_letters(facts(dead_letters={"a": 1, "b": 2}), LIMITS).alerts

    assert [alert.summary for alert in alerts] == [
        "1 message of a could not be handled",
        "2 messages of b could not be handled",
    ]


def test_the_broker_is_settled_only_after_a_whole_period():
    assert not JUST_BACK.is_settled(NOON, timedelta(seconds=30))
    assert LONG_BACK.is_settled(NOON, timedelta(seconds=30))


def test_each_broken_invariant_is_an_alert_of_its_own_and_unasked_means_unknown():
    judge = next(rule.judge for rule in RULES if rule.name == "invariant_broken")
    verdict = judge(facts(broken={"money_b": "it is not", "money_a": "nor this"}), LIMITS)
    assert [alert.subject for alert in verdict.alerts] == ["money_a", "money_b"]
    assert not judge(facts(broken=None), LIMITS).is_well("money_a")
