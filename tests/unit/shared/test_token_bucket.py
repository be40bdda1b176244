"""The bucket: what it lets through, and how its rate gives way and comes back."""

import pytest

from shared.admission import TokenBucket


def sent(bucket: TokenBucket, start: float, seconds: float) -> int:
    """How many requests get through from `start` on when somebody always wants to send one."""
    count, now = 0, start
    while (now := now + bucket.wait_s(now)) < start + seconds:
        bucket.take(now)
        count += 1
    return count


@pytest.mark.parametrize("rate", [1.0, 2.5, 25.0, 100.0])
def test_no_more_gets_through_than_the_rate_and_a_fifth_of_a_second_at_once(rate):
    assert sent(TokenBucket(rate, now=0.0), 0.0, 10.0) <= 10 * rate + max(1, rate / 5) + 1e-6


def test_two_halves_of_a_limit_keep_it_together():
    limit, seconds = 25.0, 20.0
    shares = [TokenBucket(limit / 2, now=0.0) for _ in range(2)]
    assert limit * seconds * 0.95 < sum(sent(share, 0.0, seconds) for share in shares) <= limit * seconds * 1.05


def test_the_wait_counts_who_is_ahead():
    bucket = TokenBucket(10.0, now=0.0)  # two at once
    assert [round(bucket.wait_s(0.0, ahead), 6) for ahead in (0, 1, 2, 11)] == [0.0, 0.0, 0.1, 1.0]


def test_a_refusal_halves_the_rate_once_a_second_and_it_comes_back_evenly():
    bucket = TokenBucket(20.0, now=0.0)
    sent(bucket, 0.0, 5.0)
    for _ in range(30):
        bucket.slow_down(5.0)  # thirty answers to one burst
    assert bucket.rate_per_s == pytest.approx(10.0, abs=0.6)
    bucket.slow_down(6.1)
    halved_again = bucket.rate_per_s
    assert halved_again < 6.0
    bucket.wait_s(9.1)
    assert bucket.rate_per_s == pytest.approx(halved_again + 3.0)  # a twentieth of 20 for each of 3 seconds
    bucket.wait_s(100.0)
    assert bucket.rate_per_s == 20.0


def test_a_ceiling_far_above_the_peers_limit_gives_way_to_what_was_sent():
    bucket = TokenBucket(1000.0, now=0.0)
    for tenth in range(30):
        for _ in range(4):  # forty a second
            bucket.take(tenth / 10)
    bucket.slow_down(3.0)
    assert bucket.rate_per_s <= 20.0


def test_it_rests_as_long_as_it_was_told_to_and_never_stops_for_good():
    bucket = TokenBucket(10.0, now=0.0)
    bucket.slow_down(0.0, rest_s=5.0)
    assert bucket.wait_s(0.0) == 5.0
    for second in range(100):
        bucket.slow_down(float(second))
    assert bucket.rate_per_s >= 0.2
    assert bucket.wait_s(99.0) < 10.0


def test_a_token_that_was_not_used_is_there_again():
    bucket = TokenBucket(1.0, now=0.0)
    bucket.take(0.0)
    bucket.give_back()
    assert bucket.wait_s(0.0) == 0.0
