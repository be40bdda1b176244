"""Stripe's own package as this product uses it: the pinned version, a client that loses no error, keys of one mode.

Services translate what it raises for themselves: a read that failed can be repeated, a payment that failed can't.
"""

import contextlib
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

import aiohttp
import stripe

from shared import http_client

STRIPE_API = "https://api.stripe.com"

# The version whose shapes this code was written against. Pinned here: the package sends a newer one by itself.
API_VERSION = "2026-09-30.endive"

RETRIES = 2  # the package's own: same key, 0.5-5 s apart; passed explicitly, since a StripeClient's default is none

Mode = Literal["test", "live"]


@dataclass(frozen=True, slots=True)
class Access:
    """Where Stripe is, and how it is asked. `timeout_s` bounds one call, body included."""

    secret_key: str
    url: str = STRIPE_API
    timeout_s: float = 10.0

    def __repr__(self) -> str:
        return f"Access({self.url})"


class SafeClient(stripe.AIOHTTPClient):
    """The package's client reads the body outside its error handling: a cut body came out as a raw aiohttp error,
    unretried. Here the body is read inside (stripe 16.1.0; stripe-node had the same bug, its PR 2815)."""

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        args, kwargs = self._get_request_args_kwargs(method, url, headers, post_data)
        try:
            async with self._session.request(*args, **kwargs) as response:
                return await response.read(), response.status, response.headers
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            self._handle_request_error(error)


@contextlib.asynccontextmanager
async def open_client(access: Access, retries: int = RETRIES) -> AsyncIterator[stripe.StripeClient]:
    """A client for the account whose key is given; its connections are closed when the block ends."""
    # Telemetry writes a file in the home folder from inside the event loop, and sends it.
    stripe.enable_telemetry = False
    async with http_client.session(access.timeout_s, peer="stripe") as session:
        yield stripe.StripeClient(
            access.secret_key,
            base_addresses={"api": access.url},
            stripe_version=API_VERSION,
            max_network_retries=retries,
            # The session has the timeout; given here as well, the package would overrule it.
            http_client=SafeClient(session=session, timeout=None),
        )


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
