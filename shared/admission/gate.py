"""The way to a peer with limits: a token of the account and one of the endpoint, and a short queue before them.

Own code: `aiolimiter` (1.3.0) has one rate that can't give way, a queue without an end and no priorities.
"""

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from enum import Enum

from shared.admission.bucket import TokenBucket
from shared.metrics import counter, gauge, histogram

TOKENS = gauge("stripe_tokens", "Requests that may go to Stripe at once, by endpoint; `account` is the whole.", ("of",))
RATE = gauge("stripe_rate_per_second", "Requests a second that we allow ourselves; falls when Stripe refuses.", ("of",))
QUEUE = gauge("stripe_queue_length", "Requests that wait for their turn at Stripe.", ("priority",))
WAITS = histogram("stripe_wait_seconds", "How long a request waited for its turn at Stripe.", ("priority",))
NOT_ADMITTED = counter("stripe_not_admitted_total", "Requests that were not sent to Stripe.", ("priority", "reason"))
RATE_LIMITED = counter("stripe_rate_limited_total", "Stripe's 429 answers, by the limit that it named.", ("reason",))

ACCOUNT = "account"
# While jobs wait they get one turn in ten, or a long rush would keep them from giving stock back.
SHOPPERS_IN_A_ROW = 9


class Priority(Enum):
    """Who waits at the other end: a person at the till, or nobody."""

    SHOPPER = "shopper"
    BACKGROUND = "background"


@dataclass(frozen=True, slots=True)
class Limits:
    """What this process may ask: `account_per_s` in all and `endpoint_per_s` of one endpoint.

    `places` may wait in each queue, and nobody longer than `wait_s`.
    """

    account_per_s: float
    endpoint_per_s: float
    places: int = 200
    wait_s: float = 3.0


class Busy(Exception):
    """It was not sent. `reason` is queue_full, too_long or circuit_open."""

    def __init__(self, reason: str, retry_after_s: float) -> None:
        super().__init__(reason)
        self.reason = reason
        self.retry_after_s = retry_after_s


@dataclass(eq=False, slots=True)
class _Waiter:
    endpoint: str
    admitted: asyncio.Future[None] = field(default_factory=lambda: asyncio.get_running_loop().create_future())


class Gate:
    """One for all calls of a process to one account. Not shared between event loops."""

    def __init__(self, limits: Limits, clock: Callable[[], float] = time.monotonic) -> None:
        self.limits = limits
        self._clock = clock
        self._buckets: dict[str, TokenBucket] = {}
        self._waiting: dict[Priority, dict[_Waiter, None]] = {priority: {} for priority in Priority}
        self._shoppers_in_a_row = 0
        self._timer: asyncio.TimerHandle | None = None

    def check(self, endpoint: str, priority: Priority) -> None:
        """Whether a request would be let in now. Raises Busy, at once, when it would be refused or wait too long."""
        expected_s = self._expected_wait_s(endpoint, priority)
        if len(self._waiting[priority]) >= self.limits.places:
            raise self.refusal(priority, "queue_full", expected_s)
        if expected_s > self.limits.wait_s:
            raise self.refusal(priority, "too_long", expected_s)

    async def admit(self, endpoint: str, priority: Priority) -> None:
        """Waits for the request's turn. Raises Busy; one that is cancelled while it waits leaves nothing behind."""
        self.check(endpoint, priority)
        started = self._clock()
        with self._place(endpoint, priority) as waiter:
            self._serve()
            try:
                async with asyncio.timeout(self.limits.wait_s):
                    await waiter.admitted
            except TimeoutError:
                raise self.refusal(priority, "too_long", self._expected_wait_s(endpoint, priority)) from None
        WAITS.labels(priority.value).observe(self._clock() - started)

    def slow_down(self, endpoint: str, reason: str, rest_s: float) -> None:
        """The peer refused for the limit that `reason` names, in Stripe's words; `rest_s` is its Retry-After."""
        RATE_LIMITED.labels(reason or "none").inc()
        scope, _, what = reason.partition("-")
        # Not a rate: a limit of one object ("resource-specific"), and without a reason a lock on it.
        if what in ("rate", "concurrency") and scope in ("global", "endpoint"):
            self._bucket(ACCOUNT if scope == "global" else endpoint).slow_down(self._clock(), rest_s)

    @contextmanager
    def _place(self, endpoint: str, priority: Priority) -> Iterator[_Waiter]:
        waiter, queue = _Waiter(endpoint), self._waiting[priority]
        queue[waiter] = None
        QUEUE.labels(priority.value).set(len(queue))
        try:
            yield waiter
        except BaseException:
            if waiter.admitted.done() and not waiter.admitted.cancelled():  # its turn came, and it had left
                self._bucket(ACCOUNT).give_back()
                self._bucket(endpoint).give_back()
                self._serve()
            raise
        finally:
            queue.pop(waiter, None)
            QUEUE.labels(priority.value).set(len(queue))

    def _serve(self) -> None:
        """Lets in whoever is next and has a token, and comes back when there will be one for the others."""
        now, soonest_s = self._clock(), float("inf")
        for priority, waiter in self._in_order():
            if (wait_s := self._bucket(ACCOUNT).wait_s(now)) > 0:
                soonest_s = min(soonest_s, wait_s)
                break
            if (wait_s := self._bucket(waiter.endpoint).wait_s(now)) > 0:
                soonest_s = min(soonest_s, wait_s)  # those behind it may want another endpoint
            else:
                self._let_in(priority, waiter, now)
        if self._timer is not None:
            self._timer.cancel()
        is_over = soonest_s == float("inf")
        self._timer = None if is_over else asyncio.get_running_loop().call_later(soonest_s, self._serve)

    def _in_order(self) -> list[tuple[Priority, _Waiter]]:
        shoppers = [(Priority.SHOPPER, waiter) for waiter in self._waiting[Priority.SHOPPER]]
        jobs = [(Priority.BACKGROUND, waiter) for waiter in self._waiting[Priority.BACKGROUND]]
        is_their_turn = self._shoppers_in_a_row >= SHOPPERS_IN_A_ROW
        return [*jobs[:1], *shoppers, *jobs[1:]] if is_their_turn else [*shoppers, *jobs]

    def _let_in(self, priority: Priority, waiter: _Waiter, now: float) -> None:
        del self._waiting[priority][waiter]
        if waiter.admitted.done():
            return  # cancelled, and about to leave
        self._bucket(ACCOUNT).take(now)
        self._bucket(waiter.endpoint).take(now)
        waiter.admitted.set_result(None)
        jobs_wait = bool(self._waiting[Priority.BACKGROUND])
        self._shoppers_in_a_row = self._shoppers_in_a_row + 1 if priority is Priority.SHOPPER and jobs_wait else 0

    def _expected_wait_s(self, endpoint: str, priority: Priority) -> float:
        """From who is ahead, if nothing changes."""
        ahead = [*self._waiting[Priority.SHOPPER]]
        if priority is Priority.BACKGROUND:
            ahead += self._waiting[Priority.BACKGROUND]
        same = sum(1 for waiter in ahead if waiter.endpoint == endpoint)
        now = self._clock()
        return max(self._bucket(ACCOUNT).wait_s(now, len(ahead)), self._bucket(endpoint).wait_s(now, same))

    def _bucket(self, of: str) -> TokenBucket:
        bucket = self._buckets.get(of)
        if bucket is None:
            per_s = self.limits.account_per_s if of == ACCOUNT else self.limits.endpoint_per_s
            self._buckets[of] = bucket = made = TokenBucket(per_s, self._clock())
            TOKENS.labels(of).set_function(lambda: made.tokens(self._clock()))
            RATE.labels(of).set_function(lambda: made.rate_per_s)
        return bucket

    def refusal(self, priority: Priority, reason: str, retry_after_s: float) -> Busy:
        """A refusal, counted."""
        NOT_ADMITTED.labels(priority.value, reason).inc()
        return Busy(reason, retry_after_s)
