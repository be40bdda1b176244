"""What follows from verdicts and open incidents."""

from datetime import timedelta

import pytest

from services.monitor.domain.incidents import Clear, Open, Patience, Reopen, Resolve, See, plan
from services.monitor.domain.rules import NO_DATA, Alert, Severity, Verdict
from tests.unit.monitor.builders import NOON, ago, an_open_incident

PATIENCE = Patience(
    clear_for=timedelta(seconds=15), between_updates=timedelta(seconds=60), reopen_within=timedelta(seconds=900)
)


def an_alert(value: int = 3, severity: Severity = Severity.WARNING, subject: str = "checkout.on_mail") -> Alert:
    return Alert("dead_letters", subject, severity, f"{value} messages", value)


def changes(verdict: Verdict, *incidents):
    return plan({"dead_letters": verdict}, incidents, NOON, PATIENCE)


def test_an_alert_opens_an_incident():
    assert changes(Verdict((an_alert(),))) == [Open(an_alert())]


def test_an_alert_of_an_open_incident_is_seen_again_and_opens_nothing():
    incident = an_open_incident()

    assert changes(Verdict((an_alert(),)), incident) == [See(incident, an_alert(), is_news=False)]


def test_each_subject_is_an_incident_of_its_own():
    incident, other = an_open_incident(), an_alert(subject="notifier.on_order_paid")

    assert changes(Verdict((other,)), incident) == [Open(other), Clear(incident)]


def test_well_for_the_first_time_starts_the_time_and_resolves_nothing():
    incident = an_open_incident()

    assert changes(Verdict(), incident) == [Clear(incident)]


@pytest.mark.parametrize(("clear_s", "resolves"), [(0, False), (14.9, False), (15, True), (900, True)])
def test_an_incident_is_resolved_once_it_was_well_for_long_enough(clear_s, resolves):
    incident = an_open_incident(clear_since=ago(clear_s))

    assert changes(Verdict(), incident) == ([Resolve(incident)] if resolves else [])


@pytest.mark.parametrize(("resolved_s", "is_the_same"), [(1, True), (899, True), (900, False)])
def test_what_comes_back_soon_is_the_same_incident(resolved_s, is_the_same):
    incident = an_open_incident(clear_since=ago(1000), resolved_at=ago(resolved_s))

    assert changes(Verdict((an_alert(),)), incident) == [
        Reopen(incident, an_alert()) if is_the_same else Open(an_alert())
    ]
    assert changes(Verdict(), incident) == []


def test_what_comes_back_while_the_next_incident_is_open_is_the_next_one():
    before, now_open = an_open_incident(clear_since=ago(90), resolved_at=ago(60)), an_open_incident()

    assert changes(Verdict((an_alert(),)), before, now_open) == [See(now_open, an_alert(), is_news=False)]


@pytest.mark.parametrize(("clear_s", "resolves"), [(15, False), (899, False), (900, True)])
def test_an_incident_that_came_back_must_be_well_for_longer(clear_s, resolves):
    incident = an_open_incident(clear_since=ago(clear_s), reopened_at=ago(2000))

    assert changes(Verdict(), incident) == ([Resolve(incident)] if resolves else [])


@pytest.mark.parametrize("verdict", [NO_DATA, Verdict(unknown=frozenset({"checkout.on_mail"}))])
def test_without_data_an_incident_stays_as_it_is_and_none_opens(verdict):
    assert changes(verdict, an_open_incident(clear_since=ago(900))) == []
    assert changes(verdict) == []


def test_an_incident_of_a_rule_we_do_not_know_stays_as_it_is():
    assert changes(Verdict(), an_open_incident(rule="of_a_newer_release", clear_since=ago(900))) == []


@pytest.mark.parametrize(
    ("value", "severity", "told_s_ago", "is_news"),
    [
        (4, Severity.WARNING, 600, False),
        (29, Severity.WARNING, 600, False),
        (30, Severity.WARNING, 600, True),
        (3, Severity.CRITICAL, 600, True),
        (30, Severity.CRITICAL, 59, False),
        (30, Severity.CRITICAL, 60, True),
    ],
    ids=["one more", "nearly ten times", "ten times", "worse", "told just now", "told a minute ago"],
)
def test_people_hear_of_what_changed_materially_and_at_most_once_a_minute(value, severity, told_s_ago, is_news):
    incident = an_open_incident(told_at=ago(told_s_ago))

    (change,) = changes(Verdict((an_alert(value, severity),)), incident)

    assert isinstance(change, See)
    assert change.is_news is is_news


def test_growth_is_measured_from_what_was_told_last():
    incident = an_open_incident(value=29, told_value=3)

    (change,) = changes(Verdict((an_alert(30),)), incident)

    assert isinstance(change, See)
    assert change.is_news
