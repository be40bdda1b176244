"""When a message is tried again."""

import pytest

from services.monitor.domain.delivery import backoff_s, retry_after_s


@pytest.mark.parametrize(("attempts", "seconds"), [(0, 1), (1, 1), (2, 2), (3, 4), (7, 60), (10_000, 60)])
def test_the_pause_doubles_up_to_a_minute(attempts, seconds):
    assert backoff_s(attempts) == seconds


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("30", 30),
        (" 7 ", 7),
        ("0", 1),
        (None, 1),
        ("", 1),
        ("soon", 1),
        ("-5", 1),
        ("²", 1),
        ("Wed, 21 Oct 2026 07:28:00 GMT", 1),
        ("86400", 300),
        ("9" * 400, 300),
    ],
)
def test_what_retry_after_asks_for_is_kept_within_reason(header, seconds):
    assert retry_after_s(header) == seconds
