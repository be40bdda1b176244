"""Signing secrets as a person writes them, as a file keeps them, and as they are rotated."""

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webhooks.domain.secrets import (
    SecretsMalformed,
    SigningSecret,
    expiring,
    parse,
    retired,
    rotated,
    usable,
    write,
)

NOW = datetime(2026, 11, 25, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)
NEW = SigningSecret("2026-11", "whsec_new")
OLD = SigningSecret("2026-05", "whsec_old")


def test_a_file_has_a_line_for_each_with_name_and_end():
    text = """
    # Stripe's endpoint for the shop
    2026-11 = whsec_new
    2026-05 = whsec_old; until=2026-11-26T13:00:00+01:00, third = whsec_3
    """
    assert parse(text) == (
        NEW,
        SigningSecret("2026-05", "whsec_old", datetime(2026, 11, 26, 12, tzinfo=UTC)),
        SigningSecret("third", "whsec_3"),
    )


def test_json_says_the_same():
    assert parse('[{"name": "2026-11", "secret": "whsec_new"}, {"secret": "whsec_x", "until": "2026-11-26T12:00Z"}]')[
        0
    ] == (NEW)


def test_a_secret_without_a_name_is_named_by_its_fingerprint_wherever_it_stands():
    first, second = parse("whsec_one,whsec_two")
    assert parse("whsec_two")[0].name == second.name != first.name
    assert "two" not in second.name


@pytest.mark.parametrize(
    "text",
    [
        "",
        "# nothing",
        "[]",
        "{}",
        "[1]",
        '[{"name": "a"}]',
        '[{"secret": "whsec_a", "untl": "2026-11-26T12:00Z"}]',
        '[{"secret": "whsec_a", "until": 5}]',
        "sk_test_something",
        "a=sk_test_something",
        "a whsec_secretpart",
        "whsec_secretpart;",
        "whsec_secretpart; until=",
        "whsec_secretpart; until=tomorrow",
        "whsec_secretpart; until=2026-11-26T12:00",
        "whsec_secretpart; 2026-11-26T12:00Z",
        "whsec_secretpart whsec_secretpart",
        "a=whsec_one, a=whsec_two",
        "a=whsec_secretpart, b=whsec_secretpart",
        "a b=whsec_secretpart",
        "=whsec_secretpart",
        "whsec_secretpart,",
        "whsec_",
        "whsec_secretpärt",
        ",".join(f"whsec_{number}" for number in range(21)),
    ],
)
def test_what_is_no_list_of_secrets_is_refused_and_never_quoted(text):
    with pytest.raises(SecretsMalformed) as refused:
        parse(text)
    assert "secretp" not in str(refused.value)


MOMENTS = st.integers(1_600_000_000, 4_000_000_000).map(lambda seconds: datetime.fromtimestamp(seconds, UTC))
SECRETS = st.builds(
    SigningSecret,
    st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}", fullmatch=True),
    st.from_regex(r"whsec_[A-Za-z0-9_+/=-]{1,60}", fullmatch=True),
    st.none() | MOMENTS,
)
LISTS = st.lists(SECRETS, min_size=1, max_size=5, unique_by=(lambda each: each.name, lambda each: each.value))


@given(secrets=LISTS)
def test_what_is_written_is_read_again(secrets):
    assert parse(write(secrets)) == tuple(secrets)


@given(before=LISTS, after=LISTS, data=st.data())
def test_a_half_written_file_is_never_taken_for_a_list(before, after, data):
    """However much of the new text lies over the old one, or alone: it is one of the two, or refused."""
    old, new = write(before), write(after)
    place = data.draw(st.integers(0, len(new)))
    for half in (new[:place], new[:place] + old[place:]):
        try:
            found = parse(half)
        except SecretsMalformed:
            continue
        assert found in (tuple(before), tuple(after))


def test_what_is_sealed_and_edited_by_hand_says_so():
    with pytest.raises(SecretsMalformed, match="seal"):
        parse(write([NEW]).replace("whsec_new", "whsec_newer"))


def test_rotation_puts_the_new_one_first_and_ends_the_old_ones():
    gone = SigningSecret("2025", "whsec_2025", NOW - HOUR)
    soon = SigningSecret("2026-04", "whsec_soon", NOW + HOUR)
    until = NOW + 24 * HOUR
    assert rotated((OLD, gone, soon), NEW, until, NOW) == (
        NEW,
        SigningSecret("2026-05", "whsec_old", until),
        soon,
    )


@pytest.mark.parametrize("new", [SigningSecret("2026-05", "whsec_other"), SigningSecret("other", "whsec_old")])
def test_the_same_name_or_secret_can_not_come_twice(new):
    with pytest.raises(SecretsMalformed):
        rotated((OLD,), new, NOW + HOUR, NOW)


def test_retiring_leaves_a_usable_one():
    assert retired((NEW, OLD), "2026-05", NOW) == (NEW,)
    with pytest.raises(SecretsMalformed, match="rotate first"):
        retired((NEW,), "2026-11", NOW)
    with pytest.raises(SecretsMalformed, match="rotate first"):
        retired((NEW, SigningSecret("x", "whsec_x", NOW)), "2026-11", NOW)
    with pytest.raises(SecretsMalformed, match="there is no secret other"):
        retired((NEW, OLD), "other", NOW)


def test_a_secret_counts_until_its_end_and_not_at_it():
    ending = SigningSecret("a", "whsec_a", NOW)
    assert usable((ending,), NOW - timedelta(microseconds=1)) == (ending,)
    assert usable((ending,), NOW) == ()


@pytest.mark.parametrize(
    ("old_used_before", "new_used_before", "left", "is_expiring"),
    [
        (HOUR, None, HOUR, True),  # long ago, but nothing else was used since
        (timedelta(minutes=5), timedelta(minutes=1), HOUR, True),  # two endpoints, or rolled just now
        (HOUR, timedelta(minutes=1), HOUR, False),  # out of use
        (None, timedelta(minutes=1), HOUR, False),  # never in use
        (HOUR, None, 7 * HOUR, False),  # time enough
        (HOUR, None, -HOUR, False),  # it is over
    ],
)
def test_a_secret_in_use_that_ends_soon_is_found(old_used_before, new_used_before, left, is_expiring):
    old = SigningSecret("old", "whsec_old", NOW + left)
    used = {"old": old_used_before, "2026-11": new_used_before}
    when = {name: NOW - ago for name, ago in used.items() if ago is not None}
    assert expiring((NEW, old), when, NOW, 6 * HOUR) == ((old,) if is_expiring else ())


def test_a_secret_does_not_show():
    assert "whsec" not in repr(NEW)
