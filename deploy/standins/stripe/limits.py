"""Stripe's rate limits: a bucket for the account and one per endpoint. Off unless set."""

import time

from deploy.standins.stripe.config import Config
from deploy.standins.stripe.errors import too_many_requests


class _Bucket:
    """Holds one second's worth."""

    def __init__(self, per_s: float) -> None:
        self._per_s = per_s
        self._tokens = per_s
        self._at = time.monotonic()

    def take(self) -> bool:
        now = time.monotonic()
        self._tokens = min(self._per_s, self._tokens + (now - self._at) * self._per_s)
        self._at = now
        if self._tokens < 1:
            return False
        self._tokens -= 1
        return True


class Limits:
    def __init__(self, config: Config) -> None:
        self._per_endpoint = config.requests_per_s_and_endpoint
        self._account = _Bucket(config.requests_per_s) if config.requests_per_s else None
        self._endpoints: dict[str, _Bucket] = {}

    def check(self, endpoint: str) -> None:
        #
        if self._account is not None and not self._account.take():
            raise too_many_requests("global-rate")
        if self._per_endpoint is not None:
            bucket = self._endpoints.setdefault(endpoint, _Bucket(self._per_endpoint))
            if not bucket.take():
                raise too_many_requests("endpoint-rate")
