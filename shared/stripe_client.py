"""Stripe's own package as this product uses it: the pinned version, a client that loses no error, keys of one mode.

Services translate what it raises for themselves: a read that failed can be repeated, a payment that failed can't.
"""

import contextlib
import time
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Literal
from urllib.parse import urlsplit

import aiohttp
import stripe

from shared import http_client
from shared.admission import CircuitBreaker, Gate, Limits, Priority, State, Trip

STRIPE_API = "https://api.stripe.com"

# The version whose shapes this code was written against. Pinned here: the package sends a newer one by itself.
API_VERSION = "2026-09-30.endive"

RETRIES = 2  # the package's own: same key, 0.5-5 s apart; passed explicitly, since a StripeClient's default is none

Mode = Literal["test", "live"]

# Requests a second that Stripe takes of an account, and of one endpoint; docs.stripe.com/rate-limits.
ACCOUNT_PER_S: Mapping[Mode, float] = {"live": 100.0, "test": 25.0}
ENDPOINT_PER_S = 25.0
# A stand-in has the limits that it is told; ours give way when it refuses.
STAND_IN_PER_S = 1000.0

CIRCUIT_OPEN = "circuit_open"

LONGEST_REST_S = 60.0  # of a Retry-After: a longer one would be a mistake of somebody's


@dataclass(frozen=True, slots=True)
class Access:
    """Where Stripe is, and how it is asked. `timeout_s` bounds one call, body included, once its turn has come."""

    secret_key: str
    url: str = STRIPE_API
    timeout_s: float = 10.0
    trip: Trip = field(default_factory=Trip)
    limits: Limits = field(default_factory=lambda: Limits(ACCOUNT_PER_S["test"], ENDPOINT_PER_S))

    def __repr__(self) -> str:
        return f"Access({self.url})"


class SafeClient(stripe.AIOHTTPClient):
    """The package's client reads the body outside its error handling: a cut body came out as a raw aiohttp error,
    unretried. Here the body is read inside (stripe 16.1.0; stripe-node had the same bug, its PR 2815).

    Each request waits at the gate for its turn, the package's repeats and further pages too, and the breaker hears how
    it ended. What the gate raises goes through the package as it is."""

    def __init__(self, session: aiohttp.ClientSession, account: "Account", priority: Priority) -> None:
        # The session has the timeout; given here as well, the package would overrule it.
        super().__init__(session=session, timeout=None)
        self._account = account
        self._priority = priority

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        endpoint = endpoint_of(method, url)
        gate, breaker = self._account.gate, self._account.breaker
        self._account.require_circuit(self._priority)
        await gate.admit(endpoint, self._priority)
        self._account.require_circuit(self._priority)
        with breaker.call() as call:
            try:
                body, status, answered = await self._send(method, url, headers, post_data)
            except stripe.APIConnectionError:
                call.is_well = False
                raise
            # A 500 that Stripe keeps under a key and repeats says nothing about now.
            call.is_well = status < 500 or answered.get("Idempotent-Replayed") == "true"
        if status == 429:
            reason = answered.get("Stripe-Rate-Limited-Reason", "")
            gate.slow_down(endpoint, reason, _seconds(answered.get("Retry-After", "")))
        return body, status, answered

    async def _send(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any
    ) -> tuple[bytes, int, Mapping[str, str]]:
        args, kwargs = self._get_request_args_kwargs(method, url, headers, post_data)
        try:
            async with self._session.request(*args, **kwargs) as response:
                return await response.read(), response.status, response.headers
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._handle_request_error(error)


def endpoint_of(method: str, url: str) -> str:
    """What Stripe limits by: the method and the path without ids, such as `POST /v1/payment_intents/{id}/cancel`."""
    parts = urlsplit(url).path.split("/")
    if len(parts) > 3 and parts[3] != "search":
        parts[3] = "{id}"
    return f"{method.upper()} {'/'.join(parts)}"


def _seconds(retry_after: str) -> float:
    """A Retry-After in seconds; 0 for none, and for a date, which nobody sends with a 429."""
    return min(float(retry_after), LONGEST_REST_S) if retry_after.isdecimal() else 0.0


class Account:
    """One account at Stripe, asked by people at the till and by jobs, who share its gate and its circuit breaker."""

    def __init__(self, access: Access, session: aiohttp.ClientSession, retries: int) -> None:
        self.gate = Gate(access.limits)
        self.breaker = CircuitBreaker(access.trip, time.monotonic)
        self._access = access
        self._session = session
        self._retries = retries

    def client(self, priority: Priority) -> stripe.StripeClient:
        return stripe.StripeClient(
            self._access.secret_key,
            base_addresses={"api": self._access.url},
            stripe_version=API_VERSION,
            max_network_retries=self._retries,
            http_client=SafeClient(self._session, self, priority),
        )

    @property
    def is_well(self) -> bool:
        """Whether jobs may begin something: while Stripe is only tried, the few requests are for shoppers."""
        return self.breaker.state is State.CLOSED

    def require_room(self, endpoint: str, priority: Priority) -> None:
        """Raises Busy if a request would not be sent soon: to be asked before anything is written."""
        self.require_circuit(priority)
        self.gate.check(endpoint, priority)

    def require_circuit(self, priority: Priority) -> None:
        """Raises Busy while Stripe is left alone."""
        if (wait_s := self.breaker.wait_s()) > 0:
            raise self.gate.refusal(priority, CIRCUIT_OPEN, wait_s)


@contextlib.asynccontextmanager
async def open_account(access: Access, retries: int = RETRIES) -> AsyncIterator[Account]:
    """The account whose key is given; its connections are closed when the block ends."""
    # Telemetry writes a file in the home folder from inside the event loop, and sends it.
    stripe.enable_telemetry = False
    async with http_client.session(access.timeout_s, peer="stripe") as session:
        yield Account(access, session, retries)


def require_mode(mode: Mode, url: str, **keys: tuple[str, tuple[str, ...]]) -> None:
    """Live and test never mix. `keys`: setting -> its value and the kinds it may be of ("sk", "rk", "pk").

    Raises ValueError, without a value in it, for a key of the other mode, and for a live one that would be shown to
    anybody but Stripe itself.
    """
    for name, (key, kinds) in keys.items():
        if not key.startswith(tuple(f"{kind}_{mode}_" for kind in kinds)):
            raise ValueError(f"{name} is not a {mode} key, and the mode is {mode}")
    if mode == "live" and url != STRIPE_API:
        raise ValueError("the mode is live, so stripe_url must be Stripe's own")
