"""A token bucket whose rate gives way when the peer says that it is too much (AIMD, as TCP does it)."""

from collections import deque

# So much may go out at once, in seconds of the rate. A peer that counts by the second sees 1.2 times it at most.
BURST_S = 0.2
# Halved when it was too much, then back by a twentieth of the ceiling a second.
DECREASE = 0.5
INCREASE_PER_S = 0.05
# Never slower than this share of the ceiling: something has to go out to learn that it is over.
FLOOR = 0.02
# The refusals of one second are about the same excess.
ONE_SIGNAL_S = 1.0


class TokenBucket:
    """Holds tokens, one per request. `now` is any clock in seconds that only goes forward."""

    def __init__(self, ceiling_per_s: float, now: float) -> None:
        self.ceiling_per_s = ceiling_per_s
        self.rate_per_s = ceiling_per_s
        self._tokens = self._capacity
        self._at = now
        self._slowed_at = float("-inf")
        self._rests_until = now
        self._taken: deque[float] = deque()  # when, within the last second

    def tokens(self, now: float) -> float:
        self._advance(now)
        return self._tokens

    def wait_s(self, now: float, ahead: int = 0) -> float:
        """How long until there is a token for whoever comes after `ahead` others; 0: there is one."""
        self._advance(now)
        missing = max(0.0, 1.0 + ahead - self._tokens)
        return max(self._rests_until - now, 0.0 if missing < 1e-9 else missing / self.rate_per_s)

    def take(self, now: float) -> None:
        """Takes a token; the caller has seen that there is one."""
        self._advance(now)
        self._tokens -= 1
        self._taken.append(now)

    def give_back(self) -> None:
        """A token that was taken and not used."""
        self._tokens = min(self._capacity, self._tokens + 1)

    def slow_down(self, now: float, rest_s: float = 0.0) -> None:
        """The peer refused for its limit. `rest_s`: for how long it asked to be left alone."""
        self._advance(now)
        self._rests_until = max(self._rests_until, now + rest_s)
        self._tokens = min(self._tokens, 0.0)
        if now - self._slowed_at < ONE_SIGNAL_S:
            return
        self._slowed_at = now
        # What was sent, not what might have been: a ceiling far above the peer's real limit gives way at once.
        too_much = min(self.rate_per_s, float(len(self._taken)))
        self.rate_per_s = max(FLOOR * self.ceiling_per_s, too_much * DECREASE)

    @property
    def _capacity(self) -> float:
        return max(1.0, self.rate_per_s * BURST_S)

    def _advance(self, now: float) -> None:
        elapsed, self._at = max(0.0, now - self._at), max(now, self._at)
        self._tokens = min(self._capacity, self._tokens + elapsed * self.rate_per_s)
        self.rate_per_s = min(self.ceiling_per_s, self.rate_per_s + elapsed * INCREASE_PER_S * self.ceiling_per_s)
        while self._taken and self._taken[0] <= now - ONE_SIGNAL_S:
            self._taken.popleft()
