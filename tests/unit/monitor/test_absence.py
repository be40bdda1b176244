"""What is said of PostgreSQL being away, and when."""

from datetime import timedelta

import pytest

from services.monitor.domain.absence import Absence, News, notice_of, observe
from services.monitor.domain.messages import mail_text
from tests.unit.monitor.builders import NOON, ago

AWAY_AFTER, CLEAR_FOR = timedelta(seconds=30), timedelta(seconds=15)


@pytest.mark.parametrize(
    ("absence", "news"),
    [
        (Absence(ago(29)), News.NONE),  # a restart
        (Absence(ago(30)), News.AWAY),
        (Absence(ago(900), back_at=ago(14)), News.NONE),
        (Absence(ago(900), back_at=ago(15)), News.BACK),
    ],
)
def test_a_restart_is_no_news_and_one_answer_no_return(absence, news):
    assert absence.news(NOON, AWAY_AFTER, CLEAR_FOR) is news


def test_it_is_away_from_the_first_missing_answer_and_back_from_the_first_of_all_answers_since():
    told = Absence(ago(90), told=frozenset({"slack"}))
    assert observe(None, answers=True, now=NOON) is None
    assert observe(None, answers=False, now=NOON) == Absence(NOON)
    assert observe(told, answers=False, now=NOON) == told
    back = observe(told, answers=True, now=ago(10))
    assert back == Absence(ago(90), ago(10), frozenset({"slack"}))
    assert observe(back, answers=True, now=NOON) == back
    assert observe(back, answers=False, now=NOON) == told


def test_the_messages_say_what_stands_still_and_what_to_do():
    away, back = Absence(ago(60)), Absence(ago(60), back_at=NOON)

    assert notice_of(away).title == "CRITICAL: PostgreSQL away (postgresql)"
    assert "Check that PostgreSQL runs" in mail_text(notice_of(away), "https://monitor.example/")
    assert notice_of(back).title == "RESOLVED: PostgreSQL away (postgresql)"
    assert notice_of(back).since == "from 2026-03-02 11:59:00 UTC, for 1 min"
