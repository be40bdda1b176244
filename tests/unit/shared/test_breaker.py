"""When the circuit opens, who tries it, and what closes it again."""

import pytest

from shared.admission import CircuitBreaker, State, Trip

TRIP = Trip(failures=5, window_s=30.0, rest_s=10.0, probes=3)


class Peer:
    """A breaker, the clock and the requests that go through it."""

    def __init__(self) -> None:
        self.now = 1000.0
        self.breaker = CircuitBreaker(TRIP, lambda: self.now)

    def answers(self, *outcomes: bool | None) -> State:
        for is_well in outcomes:
            assert self.breaker.wait_s() == 0
            with self.breaker.call() as call:
                call.is_well = is_well
        return self.breaker.state

    def opened(self) -> "Peer":
        assert self.answers(*[False] * 5) is State.OPEN
        return self

    def half_opened(self) -> "Peer":
        self.opened().now += 10.0
        assert self.breaker.state is State.HALF_OPEN
        return self


@pytest.mark.parametrize(
    ("outcomes", "state"),
    [
        ([False] * 4, State.CLOSED),
        ([False] * 5, State.OPEN),
        ([True] * 5 + [False] * 5, State.OPEN),
        ([True] * 6 + [False] * 5, State.CLOSED),  # fewer than half
        ([True, False] * 5, State.OPEN),  # no five in a row, and yet half of all fail
        ([None] * 50, State.CLOSED),
    ],
)
def test_it_opens_when_enough_fail_and_half_of_all(outcomes, state):
    assert Peer().answers(*outcomes) is state


def test_failures_of_long_ago_do_not_count():
    peer = Peer()
    peer.answers(*[False] * 4)
    peer.now += 30.0
    assert peer.answers(*[False] * 4) is State.CLOSED


def test_it_says_how_long_to_stay_away_and_rests_twice_as_long_each_time_up_to_a_minute():
    peer = Peer().opened()
    assert peer.breaker.wait_s() == 10.0
    peer.now += 4.0
    assert peer.breaker.wait_s() == 6.0
    rests = []
    for _ in range(5):
        peer.now += peer.breaker.wait_s()
        peer.answers(False)
        rests.append(peer.breaker.wait_s())
    assert rests == [20.0, 40.0, 60.0, 60.0, 60.0]


def test_only_a_few_try_it_at_once_and_so_many_successes_close_it():
    peer = Peer().half_opened()
    with peer.breaker.call() as one, peer.breaker.call() as two, peer.breaker.call() as three:
        assert peer.breaker.wait_s() > 0
        one.is_well = two.is_well = three.is_well = True
    assert peer.breaker.state is State.CLOSED
    assert [change.state for change in peer.breaker.changes] == [State.OPEN, State.CLOSED]


def test_one_that_was_cancelled_says_nothing_and_gives_its_place_back():
    peer = Peer().half_opened()
    for _ in range(10):
        with pytest.raises(KeyboardInterrupt), peer.breaker.call():
            raise KeyboardInterrupt
    assert (peer.breaker.state, peer.breaker.wait_s()) == (State.HALF_OPEN, 0)


def test_an_answer_to_a_request_from_before_says_nothing_about_now():
    peer = Peer()
    with peer.breaker.call() as slow:
        peer.half_opened()
        slow.is_well = False
    assert peer.breaker.state is State.HALF_OPEN
    assert peer.answers(True, True, True) is State.CLOSED
    assert peer.answers(*[False] * 4) is State.CLOSED  # it begins from nothing, and rests briefly again
    assert peer.answers(False) is State.OPEN
    assert peer.breaker.wait_s() == 10.0
