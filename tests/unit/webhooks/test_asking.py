"""When we ask Stripe by ourselves, what is wrong with an endpoint, and when silence is one."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from services.webhooks.domain.backfill import REACH, Pace, next_interval_s, reach, rest_s
from services.webhooks.domain.endpoint import Problem, problems
from services.webhooks.domain.silence import Floor, judge
from services.webhooks.settings import WebhooksSettings

NOW = datetime(2026, 11, 25, 12, 30, tzinfo=UTC)
HOUR = timedelta(hours=1)
PACE = Pace(timedelta(minutes=5), timedelta(minutes=15), HOUR)
FLOOR = Floor(timedelta(minutes=15), 6)


def test_a_first_look_reaches_as_far_as_stripe_lists():
    assert reach(None, NOW, PACE).since == NOW - REACH


def test_the_next_look_overlaps_with_the_last():
    assert reach(NOW - HOUR, NOW, PACE).since == NOW - 2 * HOUR


def test_after_more_than_a_month_what_is_lost_is_said():
    found = reach(NOW - timedelta(days=40), NOW, PACE)
    assert (found.since, found.is_too_late) == (NOW - REACH, True)


def test_the_interval_widens_while_nothing_is_found():
    seconds, found = 0.0, []
    for _ in range(6):
        seconds = next_interval_s(seconds, 0, PACE)
        found.append(round(seconds))
    assert found == [300, 450, 675, 900, 900, 900]
    assert next_interval_s(900, 1, PACE) == 300


@given(st.integers(1, 10_000))
def test_stripe_is_left_alone_longer_and_never_for_ever(failures):
    assert rest_s(1) <= rest_s(failures) <= rest_s(failures + 1) <= 300


TYPES = ("payment_intent.succeeded", "payment_intent.canceled")
GOOD = {"url": "https://a", "status": "enabled", "api_version": "v", "enabled_events": ["*"]}


@pytest.mark.parametrize(
    ("endpoints", "wrong"),
    [
        ([GOOD], ()),
        ([{**GOOD, "enabled_events": list(TYPES)}], ()),
        ([], (Problem.MISSING,)),
        ([{**GOOD, "url": "https://b"}], (Problem.MISSING,)),
        ([{**GOOD, "status": "disabled"}], (Problem.DISABLED,)),
        ([{**GOOD, "status": "disabled"}, GOOD], ()),
        ([{**GOOD, "api_version": "w"}], (Problem.OTHER_VERSION,)),
        ([{**GOOD, "api_version": None}], (Problem.OTHER_VERSION,)),
        ([{**GOOD, "enabled_events": [TYPES[0]]}], (Problem.TYPES_MISSING,)),
        ([{**GOOD, "enabled_events": None, "api_version": 7}], (Problem.OTHER_VERSION, Problem.TYPES_MISSING)),
    ],
)
def test_what_is_wrong_with_an_endpoint(endpoints, wrong):
    assert problems(endpoints, "https://a", "v", TYPES) == wrong


def weeks(per_hour, count=4, until=NOW):
    """The same number of events in each hour, or what a function says of the hour."""
    first = until.replace(minute=0) - HOUR
    hours = [first - each * HOUR for each in range(24 * 7 * count)]
    return {hour: per_hour(hour) if callable(per_hour) else per_hour for hour in hours}


def test_a_busy_shop_is_silent_after_some_minutes_and_not_before():
    assert judge(weeks(60), NOW - timedelta(minutes=16), NOW, FLOOR).is_silent is True
    assert judge(weeks(60), NOW - timedelta(minutes=14), NOW, FLOOR).is_silent is False


def test_what_is_expected_is_what_usually_comes_in_such_a_time():
    assert judge(weeks(60), NOW - timedelta(minutes=90), NOW, FLOOR).expected == pytest.approx(90)


def test_a_small_shop_at_night_is_not_silent():
    def by_day(hour):
        return 4 if 8 <= hour.hour < 20 else 0

    morning = NOW.replace(hour=7, minute=0)
    assert judge(weeks(by_day, until=morning), morning - 11 * HOUR, morning, FLOOR).is_silent is False
    noon = NOW.replace(hour=12, minute=0)
    assert judge(weeks(by_day, until=noon), noon - 16 * HOUR, noon, FLOOR).is_silent is True


def test_a_tiny_shop_is_silent_after_days():
    def at_noon(hour):
        return 3 if hour.hour == 12 else 0

    end = NOW.replace(hour=18)
    assert judge(weeks(at_noon, until=end), end - timedelta(hours=30), end, FLOOR).is_silent is False
    assert judge(weeks(at_noon, until=end), end - timedelta(hours=54), end, FLOOR).is_silent is True


def test_one_great_sale_does_not_make_every_week_busier():
    hours = weeks(2)
    calm = judge(hours, NOW - HOUR, NOW, FLOOR).expected
    for hour in list(hours)[24 * 7 - 3 : 24 * 7 + 3]:
        hours[hour] = 1000
    assert judge(hours, NOW - HOUR, NOW, FLOOR).expected < 3 * calm


def test_without_a_past_nobody_knows():
    assert judge({}, NOW - HOUR, NOW, FLOOR).is_silent is None
    assert judge(weeks(60), None, NOW, FLOOR).is_silent is None
    assert judge(weeks(60, count=1), NOW - 5 * HOUR, NOW, FLOOR).is_silent is None


LIVE = "live"


def build(**changes):
    given = {
        "database_url": "postgresql://x",
        "amqp_url": "amqp://x",
        "stripe_secrets": "whsec_test",
        "livemode": False,
    }
    return WebhooksSettings(**{**given, **changes})


def test_a_key_is_optional_and_an_empty_one_is_none():
    assert build().access() is None
    assert build(stripe_secret_key="").access() is None
    assert build(stripe_secret_key="rk_test_x").access().secret_key == "rk_test_x"
    assert "rk_test_x" not in repr(build(stripe_secret_key="rk_test_x").access())


@pytest.mark.parametrize(
    "changes",
    [
        {"stripe_secret_key": f"rk_{LIVE}_x"},
        {"stripe_secret_key": "rk_test_x", "livemode": True},
        {"stripe_secret_key": f"rk_{LIVE}_x", "livemode": True, "stripe_url": "http://127.0.0.1:1"},
        {"outage_after_s": 1, "backfill_step_s": 2},
    ],
)
def test_what_contradicts_itself_stops_the_start(changes):
    with pytest.raises(ValidationError):
        build(**changes)
