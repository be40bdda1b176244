"""Stripe's rate limits: buckets for the account and per endpoint, requests at once, updates of one object."""

from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from deploy.standins.stripe.config import Config
from deploy.standins.stripe.errors import too_many_requests

SEARCHES_PER_S = 20
HOUR_S = 3600


class _Bucket:
    """Holds one second's worth."""

    def __init__(self, per_s: float, now: float) -> None:
        self._per_s = per_s
        self._tokens = per_s
        self._at = now

    def take(self, now: float) -> bool:
        self._tokens = min(self._per_s, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Limits:
    """All off unless set, but for what Stripe limits by object."""

    #
    def __init__(self, config: Config, time: Callable[[], float]) -> None:
        self._time = time
        self._at_once = 0
        self.set_to(config)

    def set_to(self, config: Config) -> None:
        self.config = config
        per_s = config.requests_per_s
        self._account = _Bucket(per_s, self._time()) if per_s else None
        self._endpoints: dict[str, _Bucket] = {}
        self._updates: dict[str, deque[float]] = {}

    def check(self, endpoint: str) -> None:
        now = self._time()
        if self._account is not None and not self._account.take(now):
            raise too_many_requests("global-rate")
        per_s = self.config.requests_per_s_and_endpoint
        if per_s is not None and endpoint.endswith("/search"):
            per_s = min(per_s, SEARCHES_PER_S)
        if per_s is not None and not self._endpoints.setdefault(endpoint, _Bucket(per_s, now)).take(now):
            raise too_many_requests("endpoint-rate")

    @contextmanager
    def one_more(self) -> Iterator[None]:
        most = self.config.requests_at_once
        if most is not None and self._at_once >= most:
            raise too_many_requests("global-concurrency")
        self._at_once += 1
        try:
            yield
        finally:
            self._at_once -= 1

    def count_update(self, intent_id: str) -> None:
        """1,000 updates of one PaymentIntent in an hour."""
        now = self._time()
        times = self._updates.setdefault(intent_id, deque())
        while times and times[0] <= now - HOUR_S:
            times.popleft()
        if len(times) >= self.config.updates_per_h_and_intent:
            raise too_many_requests("resource-specific")
        times.append(now)
