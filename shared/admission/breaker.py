"""A circuit breaker: a peer that fails is left alone for a while, then tried with a few requests.

Own code: `purgatory` (3.0.1) and `pybreaker` (1.4.1) count failures in a row, so that one success among many failures
keeps them shut, and the first holds nobody back while it is half open.
"""

import contextlib
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import Enum

from shared.metrics import gauge

STATE = gauge("stripe_circuit_state", "0: Stripe is asked as usual; 1: a few requests try it; 2: it is left alone.")

# Of the requests in a window; fewer are the odd failures that repeating mends.
SHARE = 0.5
LONGEST_REST_S = 60.0
MOST_CHANGES = 100  # kept until somebody tells of them


class State(Enum):
    CLOSED = 0
    HALF_OPEN = 1
    OPEN = 2


@dataclass(frozen=True, slots=True)
class Trip:
    """It opens after `failures` within `window_s`, if they are half of all, for `rest_s`, then 2, 4 … times as long.

    `probes` requests may then try it at once; so many that succeed close it again, and one that fails opens it.
    """

    failures: int = 5
    window_s: float = 30.0
    rest_s: float = 10.0
    probes: int = 3


@dataclass(frozen=True, slots=True)
class Change:
    """It opened, after so many failures within the window, or closed again."""

    state: State
    failures: int


class Call:
    """One request. Whoever makes it says whether the peer is well: a refusal is an answer like any other."""

    def __init__(self, generation: int) -> None:
        self.generation = generation
        self.is_well: bool | None = None  # None: nobody knows, as after a cancel


class CircuitBreaker:
    def __init__(self, trip: Trip, clock: Callable[[], float]) -> None:
        self.changes: deque[Change] = deque(maxlen=MOST_CHANGES)
        self._trip = trip
        self._clock = clock
        self._state = State.CLOSED
        self._generation = 0
        self._outcomes: deque[tuple[float, bool]] = deque()
        self._opened_at = 0.0
        self._rest_s = trip.rest_s
        self._probing = self._succeeded = 0
        STATE.set_function(lambda: self.state.value)

    @property
    def state(self) -> State:
        if self._state is State.OPEN and self._clock() >= self._opened_at + self._rest_s:
            self._become(State.HALF_OPEN)
        return self._state

    def wait_s(self) -> float:
        """How long until it is worth asking again; 0: a request may be made now."""
        match self.state:
            case State.OPEN:
                return max(0.001, self._opened_at + self._rest_s - self._clock())
            case State.HALF_OPEN if self._probing >= self._trip.probes:
                return 1.0  # others are finding out
            case _:
                return 0.0

    @contextlib.contextmanager
    def call(self) -> Iterator[Call]:
        """Around a request for which `wait_s` was 0."""
        is_probe = self.state is State.HALF_OPEN
        call = Call(self._generation)
        self._probing += is_probe
        try:
            yield call
        finally:
            if call.generation == self._generation:  # a request of an earlier state says nothing about this one
                self._probing -= is_probe
                self._judge(call.is_well)

    def _judge(self, is_well: bool | None) -> None:
        if is_well is None:
            return
        if self._state is State.CLOSED:
            self._count(is_well)
        elif not is_well:
            self._open(min(self._rest_s * 2, LONGEST_REST_S), failures=1)
        else:
            self._succeeded += 1
            if self._succeeded >= self._trip.probes:
                self._become(State.CLOSED)

    def _count(self, is_well: bool) -> None:
        now = self._clock()
        self._outcomes.append((now, is_well))
        while self._outcomes[0][0] <= now - self._trip.window_s:
            self._outcomes.popleft()
        failures = sum(not each for _, each in self._outcomes)
        if not is_well and failures >= max(self._trip.failures, SHARE * len(self._outcomes)):
            self._open(self._trip.rest_s, failures)

    def _open(self, rest_s: float, failures: int) -> None:
        self._opened_at, self._rest_s = self._clock(), rest_s
        self._become(State.OPEN, failures)

    def _become(self, state: State, failures: int = 0) -> None:
        if State.CLOSED in (state, self._state):  # that it was tried once more, and failed, is no news
            self.changes.append(Change(state, failures))
        self._state = state
        self._generation += 1
        self._probing = self._succeeded = 0
        self._outcomes.clear()
