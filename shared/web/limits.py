"""How much one client may ask for: a token bucket per address, and a bound on bodies.

Own code, since the `limits` package's memory storage (5.8) has a task walk all known addresses over and over,
and keeps as many addresses as ever ask: a flood from many would cost both time and memory.
"""

import asyncio
import contextlib
import time
from collections import OrderedDict
from collections.abc import Callable
from typing import TypeVar

from aiohttp import HttpVersion11, hdrs, web
from aiohttp.typedefs import Handler, Middleware

from shared.errors import AppError, TooLarge, TooManyRequests, UnsupportedMediaType
from shared.metrics import HTTP_REFUSED
from shared.web.address import household
from shared.web.keys import CLIENT_ADDRESS

MOST_ADDRESSES = 20_000  # a few megabytes; the least recently seen goes first
_UNLIMITED = "__kct_unlimited__"
_MINUTE_S = 60.0

# Enough for 64 KiB over a bad line. Who takes longer holds a connection for nothing.
BODY_S = 15.0

H = TypeVar("H", bound=Callable[..., object])


def unlimited(handler: H) -> H:
    """Let a handler out of the limit per address: for what limits itself, such as Stripe's door."""
    setattr(handler, _UNLIMITED, True)
    return handler


def is_unlimited(handler: object) -> bool:
    """Whether it was let out."""
    return bool(getattr(handler, _UNLIMITED, False))


class TooSlow(AppError):
    status = 408
    code = "too_slow"
    title = "The request takes too long to arrive"
    may_pass_later = True


class ExpectationFailed(AppError):
    status = 417
    code = "expectation_failed"
    title = "Of expectations only 100-continue is known here"


class AddressLimit:
    """A bucket per address, kept as one number: the time at which it will be full again."""

    def __init__(
        self,
        per_minute: int,
        clock: Callable[[], float] = time.monotonic,
        most_addresses: int = MOST_ADDRESSES,
    ) -> None:
        self._interval_s = _MINUTE_S / per_minute
        self._depth_s = _MINUTE_S - self._interval_s  # how far ahead of now a bucket may run, less this request
        self._clock = clock
        self._most_addresses = most_addresses
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def wait_s(self, address: str) -> float:
        """Take one request out of the address's bucket: 0, or how long until there is one."""
        key = household(address)
        now = self._clock()
        full_at = max(now, self._full_at.get(key, now))
        if full_at - now > self._depth_s + 1e-9:
            self._full_at.move_to_end(key)
            return full_at - now - self._depth_s
        self._full_at[key] = full_at + self._interval_s
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._most_addresses:
            self._full_at.popitem(last=False)
        return 0.0

    def __len__(self) -> int:
        return len(self._full_at)


def limit_requests(per_minute: int) -> Middleware:
    limit = AddressLimit(per_minute)

    @web.middleware
    async def limits(request: web.Request, handler: Handler) -> web.StreamResponse:
        if not is_unlimited(request.match_info.handler):
            wait_s = limit.wait_s(request[CLIENT_ADDRESS])
            if wait_s > 0:
                HTTP_REFUSED.labels(reason="rate").inc()
                raise TooManyRequests(f"at most {per_minute} requests a minute", retry_after_s=wait_s)
        return await handler(request)

    return limits


async def expect_later(_: web.Request) -> None:
    """In place of aiohttp's own answer to `Expect`, which invites a body before anybody has asked whose it is."""


async def _invite(request: web.Request) -> None:
    """`100 Continue` to a client that waits for it: from here on its body is wanted."""
    expected = request.headers.get(hdrs.EXPECT)
    if expected is None:
        return
    if expected.lower() != "100-continue":
        raise ExpectationFailed
    if request.version >= HttpVersion11:
        await request.writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        request.writer.output_size = 0  # the answer itself has not begun


@web.middleware
async def limit_body(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Read the body, bounded in size and time; handlers find it read (`request.read()` answers at once)."""
    if request.headers.get(hdrs.CONTENT_ENCODING, "identity").lower() != "identity":
        raise UnsupportedMediaType("bodies are taken as they are, without a content encoding")
    most = request.client_max_size
    if request.content_length is not None and request.content_length > most:
        raise _too_large(most)  # before a byte of it is read
    await _invite(request)
    if request.can_read_body:
        await _read(request)
    return await handler(request)


async def _read(request: web.Request) -> None:
    # A body that is there already, as most are, needs no timer.
    patience = contextlib.nullcontext() if request.content.is_eof() else asyncio.timeout(BODY_S)
    try:
        async with patience:
            await request.read()
    except web.HTTPRequestEntityTooLarge:
        raise _too_large(request.client_max_size) from None
    except TimeoutError:
        HTTP_REFUSED.labels(reason="slow").inc()
        raise TooSlow(f"a body has to arrive within {BODY_S:.0f} seconds") from None
    except RuntimeError as error:
        if request.transport is None:  # aiohttp's word for a client that left before its body was asked for
            raise ConnectionResetError("the client left") from error
        raise


def _too_large(most: int) -> TooLarge:
    HTTP_REFUSED.labels(reason="size").inc()
    return TooLarge(f"a body may have at most {most} bytes here")
