"""Each rule: when it is wrong, when it is well, and when it can't tell."""

from datetime import timedelta

import pytest

from services.monitor.domain.facts import Broker, Endpoint, Payments, Probe, ShortStock, SigningSecrets
from services.monitor.domain.rules import (
    NO_DATA,
    RULE_BY_NAME,
    RULES,
    Severity,
    Verdict,
    sender_list,
    webhook_endpoint,
    webhooks_silent,
)
from services.monitor.domain.rules import broker_away as judge_broker
from services.monitor.domain.rules import dead_letters as judge_dead_letters
from services.monitor.domain.rules import payment_success_low as judge_payments
from services.monitor.domain.rules import service_silent as judge_silence
from services.monitor.domain.rules import service_unready as judge_readiness
from services.monitor.domain.rules import signing_secrets as judge_secrets
from services.monitor.domain.rules import stock_short as judge_stock
from services.monitor.domain.rules import stripe_circuit as judge_circuit
from services.monitor.domain.security import ADVICE, Alarm
from shared.events import EVENTS
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
    ("paid", "failed", "is_wrong", "is_well"),
    [
        (7, 3, False, True),  # exactly the target
        (6, 4, False, False),  # chance may have done it: neither opens nor resolves
        (3, 7, False, False),
        (2, 8, True, False),
        (0, 10, True, False),
        (700, 300, False, True),
        (657, 343, False, False),
        (656, 344, True, False),  # the more tries, the closer to the target
    ],
)
def test_payment_success_is_low_when_chance_does_not_explain_it(paid, failed, is_wrong, is_well):
    verdict = judge_payments(facts(payments=Payments(paid, failed)), LIMITS)

    assert subjects(verdict) == (["payments"] if is_wrong else [])
    assert verdict.is_well("payments") is is_well


def test_below_the_floor_payments_may_still_be_well():
    assert judge_payments(facts(payments=Payments(3, 1)), LIMITS) == Verdict()


@pytest.mark.parametrize("payments", [Payments(0, 0), Payments(0, 9), Payments(6, 3), Payments(2, 0), None])
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


@pytest.mark.parametrize(
    ("stock", "found"),
    [
        (ShortStock(), []),
        (ShortStock(out=("A",)), [("sold out", "1 SKU sold out: A", 1)]),
        (
            ShortStock(out=tuple("ABCDEFG"), low=("X", "Y")),
            [("sold out", "7 SKUs sold out: A, B, C, D, E and others", 7), ("low", "2 SKUs almost sold out: X, Y", 2)],
        ),
    ],
    ids=["enough of all", "one", "a launch"],
)
def test_what_is_short_is_two_incidents_at_most(stock, found):
    verdict = judge_stock(facts(stock=stock), LIMITS)

    assert [(alert.subject, alert.summary, alert.value) for alert in verdict.alerts] == found


def test_without_the_database_nobody_knows_what_is_short():
    assert judge_stock(facts(stock=None), LIMITS) == NO_DATA


def alarms(*types: str, is_critical: bool = False) -> dict[str, Alarm]:
    return {type_: Alarm(type_, 3, is_critical, "10 requests from 203.0.113.7") for type_ in types}


@pytest.mark.parametrize("type_", ADVICE)
@pytest.mark.parametrize("is_critical", [True, False])
def test_a_security_event_opens_an_incident_of_its_own_rule_that_says_what_to_do(type_, is_critical):
    verdicts = {rule.name: rule.judge(facts(alarms=alarms(type_, is_critical=is_critical)), LIMITS) for rule in RULES}
    (wrong,) = [name for name, verdict in verdicts.items() if verdict.alerts]
    (alert,) = verdicts[wrong].alerts
    assert (alert.rule, alert.subject, alert.value) == (wrong, type_, 3)
    assert alert.severity is (Severity.CRITICAL if is_critical else Severity.WARNING)
    assert alert.summary == "10 requests from 203.0.113.7 (event 3 of the last 15 minutes)"
    assert RULE_BY_NAME[wrong].next_step == ADVICE[type_].next_step


def test_a_security_event_nobody_here_knows_opens_an_incident_all_the_same():
    verdict = RULE_BY_NAME["security_other"].judge(facts(alarms=alarms("security.new", *ADVICE)), LIMITS)
    assert subjects(verdict) == ["security.new"]


@pytest.mark.parametrize("name", [rule.name for rule in RULES if rule.name.startswith("security_")])
def test_without_the_database_the_rules_of_security_can_not_tell(name):
    assert RULE_BY_NAME[name].judge(facts(alarms=None), LIMITS) == NO_DATA


def test_there_is_advice_for_every_security_event_that_asks_for_a_person():
    only_told = {"security.address_banned", "security.senders_changed", "security.secret_expiring"}  # info at most
    assert {type_ for type_ in EVENTS if type_.startswith("security.")} - only_told <= set(ADVICE)


def test_silence_of_stripe_is_told_with_its_length():
    verdict = webhooks_silent(facts(endpoint=Endpoint(silent_s=5400)), LIMITS)

    assert "90 minutes" in verdict.alerts[0].summary


@pytest.mark.parametrize(
    ("problem", "severity"),
    [
        ("missing", Severity.CRITICAL),
        ("disabled", Severity.CRITICAL),
        ("other_version", Severity.WARNING),
        ("types_missing", Severity.WARNING),
        ("something_new", Severity.WARNING),
    ],
)
def test_what_is_wrong_with_the_endpoint_is_an_alert_each(problem, severity):
    verdict = webhook_endpoint(facts(endpoint=Endpoint(problems=(problem,))), LIMITS)

    assert [(alert.subject, alert.severity) for alert in verdict.alerts] == [(problem, severity)]


@pytest.mark.parametrize("rule", [webhooks_silent, webhook_endpoint])
@pytest.mark.parametrize("changes", [{"endpoint": None}, {"heard": {}}])
def test_without_the_figures_of_webhooks_nobody_knows_of_the_endpoint(rule, changes):
    assert rule(facts(**{"endpoint": Endpoint(60, ("disabled",)), **changes}), LIMITS) == NO_DATA


@pytest.mark.parametrize(
    ("secrets", "alerts"),
    [
        (SigningSecrets(False, False, {}), []),
        (SigningSecrets(False, False, {"old": 3601.0}), [("old", Severity.WARNING)]),
        (SigningSecrets(False, False, {"old": 3599.0}), [("old", Severity.CRITICAL)]),
        (SigningSecrets(True, False, {}), [("all secrets", Severity.CRITICAL)]),
        (SigningSecrets(False, True, {}), [("the file", Severity.WARNING)]),
    ],
)
def test_signing_secrets_that_end_or_can_not_be_taken_over_are_told(secrets, alerts):
    verdict = judge_secrets(facts(signing_secrets=secrets), LIMITS)

    assert [(alert.subject, alert.severity) for alert in verdict.alerts] == alerts


def test_nothing_is_known_of_signing_secrets_before_webhooks_was_heard():
    assert judge_secrets(facts(signing_secrets=None), LIMITS) == NO_DATA


@pytest.mark.parametrize(("failing_s", "alerts"), [(0.0, 0), (6 * 3600.0, 0), (6 * 3600 + 1.0, 1)])
def test_a_list_of_senders_that_stays_old_is_told(failing_s, alerts):
    assert len(sender_list(facts(sender_list_failing_s=failing_s), LIMITS).alerts) == alerts


@pytest.mark.parametrize("changes", [{"sender_list_failing_s": None}, {"heard": {}}])
def test_nothing_is_known_of_the_list_of_senders_without_webhooks(changes):
    assert sender_list(facts(**{"sender_list_failing_s": 1e6, **changes}), LIMITS) == NO_DATA


@pytest.mark.parametrize(
    ("circuits", "wrong", "unknown"),
    [
        ({"checkout": 0.0, "webhooks": 0.0}, [], set()),
        ({"checkout": 2.0, "webhooks": 0.0}, [("checkout", Severity.CRITICAL)], set()),
        ({"checkout": 1.0, "webhooks": 0.0}, [("checkout", Severity.CRITICAL)], set()),  # only tried: not over yet
        ({"checkout": 0.0, "webhooks": 2.0}, [("webhooks", Severity.WARNING)], set()),
        ({"checkout": 2.0}, [("checkout", Severity.CRITICAL)], {"webhooks"}),
        ({}, [], {"checkout", "webhooks"}),
    ],
)
def test_a_service_that_leaves_stripe_alone_is_told_until_stripe_answers_again(circuits, wrong, unknown):
    verdict = judge_circuit(facts(circuits=circuits), LIMITS)

    assert [(alert.subject, alert.severity) for alert in verdict.alerts] == wrong
    assert verdict.unknown == unknown


def test_each_broken_invariant_is_an_alert_of_its_own_and_unasked_means_unknown():
    judge = next(rule.judge for rule in RULES if rule.name == "invariant_broken")
    verdict = judge(facts(broken={"money_b": "it is not", "money_a": "nor this"}), LIMITS)
    assert [alert.subject for alert in verdict.alerts] == ["money_a", "money_b"]
    assert not judge(facts(broken=None), LIMITS).is_well("money_a")
    in_part = judge(facts(broken={}, unasked={"money_a": 1}), LIMITS)
    assert (in_part.is_well("money_a"), in_part.is_well("money_b")) == (False, True)


@pytest.mark.parametrize(
    ("unasked", "told"),
    [(None, []), ({}, []), ({"money_a": 2}, []), ({"money_a": 3, "b": 1}, ["money_a"]), ({"all": 4}, ["all"])],
)
def test_an_invariant_that_can_not_be_asked_for_a_while_is_told(unasked, told):
    verdict = RULE_BY_NAME["invariants_unchecked"].judge(facts(unasked=unasked), LIMITS)
    assert subjects(verdict) == told
