"""The rules about what mostly fails: answers, calls to Stripe, mails to customers."""

from datetime import timedelta

import pytest

from services.monitor.domain.facts import MailEnds, Tries
from services.monitor.domain.rules import NO_DATA, RULE_BY_NAME, Severity, Verdict
from tests.unit.monitor.builders import LIMITS, ago, facts

ORDER = "checkout POST /v1/orders"


def judge(rule: str, **changes) -> Verdict:
    return RULE_BY_NAME[rule].judge(facts(**changes), LIMITS)


@pytest.mark.parametrize(
    ("total", "failed", "mostly_failed"),
    [
        (0, 0, None),
        (4, 4, None),  # below the floor
        (5, 5, True),
        (10, 5, True),
        (11, 5, None),
        (20, 5, False),
        (1, 0, False),
        (3, 1, None),
    ],
)
def test_what_mostly_fails_and_what_hardly_does(total, failed, mostly_failed):
    assert Tries(total, failed).mostly_failed(floor=5) is mostly_failed


def test_a_till_that_answers_5xx_is_told_while_the_catalogue_is_read_as_ever():
    answers = {"checkout": {"GET /v1/products": Tries(5000, 0), "POST /v1/orders": Tries(14, 12)}}
    (alert,) = judge("answers_failing", answers=answers).alerts

    assert (alert.subject, alert.severity, alert.value) == (ORDER, Severity.CRITICAL, 12)
    assert alert.summary == "12 of 14 answers of checkout to POST /v1/orders in the last 10 minutes were 5xx"


@pytest.mark.parametrize(("orders", "is_well"), [(Tries(4, 0), True), (Tries(0, 0), False), (Tries(3, 3), False)])
def test_a_till_that_nobody_tries_is_not_well_again(orders, is_well):
    verdict = judge("answers_failing", answers={"checkout": {"POST /v1/orders": orders}})

    assert verdict.alerts == ()
    assert verdict.is_well(ORDER) is is_well


def test_when_everything_fails_that_is_one_incident():
    routes = {f"GET /{name}": Tries(9, 9) for name in "abcd"}
    verdict = judge("answers_failing", answers={"checkout": {**routes, "GET /well": Tries(9, 0)}})

    assert [(alert.subject, alert.value) for alert in verdict.alerts] == [("checkout", 36)]
    assert verdict.alerts[0].summary == "36 of 36 answers of checkout to 4 routes in the last 10 minutes were 5xx"
    assert not verdict.is_well("checkout GET /a")  # nor is an incident of one of them over
    assert verdict.is_well("checkout GET /well")


OVER = Tries(9, 9, goes_on=False)


@pytest.mark.parametrize("routes", [1, 4])
def test_an_outage_that_is_over_opens_nothing_and_is_not_well_yet(routes):
    verdict = judge("answers_failing", answers={"checkout": {f"GET /{name}": OVER for name in "abcd"[:routes]}})

    assert verdict.alerts == ()
    assert not verdict.is_well("checkout GET /a")
    assert not verdict.is_well("checkout")


def test_a_monitor_that_started_within_an_outage_does_not_take_the_first_good_answer_for_its_end():
    answers = {"GET /v1/products": Tries(5, 4), "POST /v1/orders": Tries(2, 2), "POST /v1/quote": Tries(1, 0)}

    assert not judge("answers_failing", answers={"checkout": answers}).is_well("checkout")


def test_as_long_as_one_of_many_routes_goes_on_failing_all_are_told_of():
    verdict = judge("answers_failing", answers={"checkout": {**dict.fromkeys(("a", "b", "c"), OVER), "d": Tries(9, 9)}})

    assert [(alert.subject, alert.value) for alert in verdict.alerts] == [("checkout", 36)]


@pytest.mark.parametrize(("catalogue", "is_well"), [(Tries(9, 0), True), (Tries(0, 0), False)])
def test_it_is_over_when_somebody_is_answered_again(catalogue, is_well):
    verdict = judge("answers_failing", answers={"checkout": {"GET /v1/products": catalogue}})

    assert verdict.is_well("checkout") is is_well


def test_answers_of_a_service_that_is_silent_say_nothing():
    verdict = judge("answers_failing", heard={"webhooks": ago(1)}, answers={"checkout": {"GET /": Tries(9, 9)}})

    assert verdict.alerts == ()
    assert not verdict.is_well(ORDER)


@pytest.mark.parametrize(
    ("calls", "wrong", "unknown"),
    [
        ({"checkout": Tries(9, 9), "webhooks": Tries(9, 0)}, [("checkout", Severity.CRITICAL)], set()),
        ({"checkout": Tries(9, 0), "webhooks": Tries(9, 9)}, [("webhooks", Severity.WARNING)], set()),
        ({"checkout": Tries(100, 5), "webhooks": Tries(9, 0)}, [], set()),  # one thing that the key may not do
        ({"checkout": Tries(0, 0)}, [], {"checkout", "webhooks"}),
    ],
)
def test_a_key_that_stripe_refuses_is_told_by_whose_it_is(calls, wrong, unknown):
    verdict = judge("stripe_denies", calls=calls)

    assert [(alert.subject, alert.severity) for alert in verdict.alerts] == wrong
    assert verdict.unknown == unknown


@pytest.mark.parametrize(
    ("overdue_s", "severity"), [(0, None), (599, None), (600, "warning"), (3599, "warning"), (3600, "critical")]
)
def test_mails_that_are_due_and_not_sent_are_told(overdue_s, severity):
    assert [alert.severity for alert in judge("mail_overdue", mail_overdue_s=overdue_s).alerts] == (
        [severity] if severity else []
    )


@pytest.mark.parametrize(
    ("tries", "is_wrong", "is_well"),
    [(Tries(6, 6), True, False), (Tries(5, 5), False, False), (Tries(100, 6), False, True)],
    ids=["all fail", "one letter that is put off", "now and then"],
)
def test_mails_that_mostly_fail_are_told_within_the_hour(tries, is_wrong, is_well):
    verdict = judge("mail_failing", mail_tries=tries)

    assert bool(verdict.alerts) is is_wrong
    assert verdict.is_well("customers") is is_well


@pytest.mark.parametrize(
    ("ends", "found"),
    [
        (MailEnds(1000, 20, 5), []),  # mistyped addresses
        (MailEnds(0, 2, 0), []),
        (MailEnds(0, 3, 0), [("refused", "critical")]),
        (MailEnds(27, 3, 0), [("refused", "warning")]),
        (MailEnds(10, 3, 12), [("refused", "warning"), ("unknown", "warning")]),
    ],
)
def test_mails_that_came_to_no_good_end_are_told_when_they_are_many(ends, found):
    assert [(alert.subject, alert.severity) for alert in judge("mail_lost", mail_ends=ends).alerts] == found


def test_an_alert_about_lost_mails_tells_the_figures():
    (alert,) = judge("mail_lost", mail_ends=MailEnds(27, 3, 0)).alerts
    assert alert.summary.startswith("3 of 30 mails to customers of the last 6 hours were refused for good")


@pytest.mark.parametrize(
    ("rule", "changes"),
    [
        ("mail_overdue", {"mail_overdue_s": None}),
        ("mail_overdue", {"mail_overdue_s": 1e6, "heard": {}}),
        ("mail_failing", {"mail_tries": None}),
        ("mail_failing", {"mail_tries": Tries(9, 9), "heard": {"notifier": ago(timedelta(minutes=1).seconds)}}),
        ("mail_lost", {"mail_ends": None}),
    ],
)
def test_without_the_notifier_nobody_knows_of_mails(rule, changes):
    assert judge(rule, **changes) == NO_DATA
