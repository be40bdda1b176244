"""What people read."""

from datetime import timedelta

import pytest

from services.monitor.domain.incidents import Transition
from services.monitor.domain.messages import Notice, duration, escape, mail_text, slack_message
from services.monitor.domain.rules import Severity
from tests.unit.monitor.builders import NOON, ago

PAGE = "https://monitor.example.com/?a=1&b=2"


def a_notice(transition: Transition = Transition.OPENED, **changes) -> Notice:
    given = {
        "transition": transition,
        "rule": "service_silent",
        "subject": "checkout",
        "severity": Severity.CRITICAL,
        "summary": "checkout has not been heard since 11:58:45 UTC",
        "opened_at": ago(75),
        "resolved_at": NOON if transition is Transition.RESOLVED else None,
    }
    return Notice(**(given | changes))


@pytest.mark.parametrize(
    ("transition", "title"),
    [
        (Transition.OPENED, "CRITICAL: Service silent (checkout)"),
        (Transition.UPDATED, "CRITICAL, changed: Service silent (checkout)"),
        (Transition.REOPENED, "CRITICAL, again: Service silent (checkout)"),
        (Transition.RESOLVED, "RESOLVED: Service silent (checkout)"),
    ],
)
def test_the_title_says_how_bad_what_and_where(transition, title):
    assert a_notice(transition).title == title


def test_a_slack_message_has_severity_what_since_when_what_next_and_a_link():
    message = slack_message(a_notice(), PAGE)
    body = message["blocks"][0]["text"]["text"]
    footer = message["blocks"][1]["elements"][0]["text"]

    assert message["text"].startswith("CRITICAL: Service silent (checkout). checkout has not been heard")
    assert "*Next:* Check that its process runs" in body
    assert footer == "since 2026-03-02 11:58:45 UTC · <https://monitor.example.com/?a=1&amp;b=2|Open the monitor>"


def test_nothing_in_a_summary_can_mention_everybody_or_hide_a_link():
    message = slack_message(a_notice(summary="<!channel> & <https://evil.example|here>"), PAGE)

    assert "&lt;!channel&gt; &amp; &lt;https://evil.example|here&gt;" in message["blocks"][0]["text"]["text"]
    assert "<!" not in message["text"]


def test_a_summary_never_makes_a_block_too_long_for_slack():
    message = slack_message(a_notice(summary="<" * 1000), PAGE)

    assert len(message["blocks"][0]["text"]["text"]) < 3000


def test_a_resolved_message_says_how_long_it_took():
    assert a_notice(Transition.RESOLVED).since == "from 2026-03-02 11:58:45 UTC, for 1 min 15 s"
    assert "Nothing to do now" in mail_text(a_notice(Transition.RESOLVED), PAGE)


def test_a_mail_tells_the_same_in_plain_words():
    text = mail_text(a_notice(), PAGE)

    assert "Severity: critical\nWhen: since 2026-03-02 11:58:45 UTC\nNext: Check that" in text
    assert text.endswith(f"{PAGE}\n")


def test_a_rule_of_another_release_is_told_by_its_name():
    notice = a_notice(rule="new_rule")

    assert notice.title == "CRITICAL: new_rule (checkout)"
    assert notice.next_step == "Look at the page."


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(-3, "0 s"), (0, "0 s"), (59.4, "59 s"), (60, "1 min"), (3675, "1 h 1 min"), (90_061, "1 d 1 h")],
)
def test_a_length_of_time_is_told_in_its_two_largest_units(seconds, text):
    assert duration(timedelta(seconds=seconds)) == text


def test_escaping_does_not_escape_twice():
    assert escape("a & b < c > d &amp;") == "a &amp; b &lt; c &gt; d &amp;amp;"
