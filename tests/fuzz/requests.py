"""Requests to begin from: as Stripe sends them, and signed ones that say something odd."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import orjson

from tests.stripe_events import an_event, signature


@dataclass
class Request:
    """An HTTP request in pieces, so that each can be broken by itself."""

    body: bytes
    headers: list[tuple[bytes, bytes]] = field(default_factory=list)
    method: bytes = b"POST"
    target: bytes = b"/webhooks/stripe"
    version: bytes = b"HTTP/1.1"
    line_end: bytes = b"\r\n"
    framed: bytes | None = None  # the body as it travels, if that differs

    def wire(self) -> bytes:
        lines = [b"%b %b %b" % (self.method, self.target, self.version)]
        lines += [b"%b: %b" % header for header in self.headers]
        return self.line_end.join(lines) + self.line_end * 2 + (self.body if self.framed is None else self.framed)

    def without(self, name: bytes) -> None:
        self.headers = [header for header in self.headers if header[0].lower() != name.lower()]


def signed(body: bytes, rng: Random) -> Request:
    """The body, correctly signed and framed, from an address of its own."""
    address = f"198.51.{rng.randrange(256)}.{rng.randrange(256)}"
    if rng.random() < 0.3:
        address = f"2001:db8:{rng.randrange(65536):x}::{rng.randrange(65536):x}"
    headers = {
        "Host": "127.0.0.1",
        "User-Agent": "Stripe/1.0 (+https://stripe.com/docs/webhooks)",
        "Content-Type": "application/json; charset=utf-8",
        "Content-Length": str(len(body)),
        "X-Forwarded-For": address,
        "Stripe-Signature": _signature(body),
    }
    return Request(body, [(name.encode(), value.encode()) for name, value in headers.items()])


def _signature(body: bytes) -> str:
    try:
        return signature(body)
    except UnicodeDecodeError:  # Stripe's package signs text alone
        return f"t={int(time.time())},v1={'a' * 64}"


def an_ordinary_body(rng: Random) -> bytes:
    types = ("payment_intent.succeeded", "payment_intent.canceled", "payout.paid", "something.new")
    return orjson.dumps(an_event(rng.choice(types)), option=orjson.OPT_INDENT_2)


def an_odd_body(rng: Random) -> bytes:
    """An event with something in it that parsers stumble over. It is signed, so its sender is believed."""
    event = an_event(rng.choice(("payment_intent.succeeded", "payout.paid")))
    where: Any = rng.choice((event, event["data"], event["data"]["object"], event["data"]["object"]["metadata"]))
    name = rng.choice((*where, "new"))
    text = orjson.dumps(event).decode()
    odd = rng.choice(ODD)(rng)
    if isinstance(where.get(name), str | int | bool | None):
        return text.replace(f'"{name}":{orjson.dumps(where.get(name)).decode()}', f'"{name}":{odd}', 1).encode()
    return (text[:-1] + f',"{name}":{odd}' + "}").encode()


ODD: tuple[Callable[[Random], str], ...] = (
    lambda rng: "[" * (depth := rng.choice((50, 1000, 10_000))) + "]" * depth,
    lambda rng: '{"a":' * (depth := rng.choice((50, 1000, 10_000))) + "1" + "}" * depth,
    lambda rng: "1" * rng.choice((20, 400, 5000)),
    lambda rng: rng.choice(("NaN", "Infinity", "-Infinity", "1e400", "-0", "1e-400", "0x10", "01", "1.")),
    lambda rng: rng.choice(('"\\u0000"', '"\\ud800"', '"\\udc00\\ud800"', '"\\x"', '"', "'a'", '"\x01"')),
    lambda rng: '"' + "x" * rng.choice((256, 300, 70_000, 300_000)) + '"',
    lambda rng: rng.choice(("null", "true", "[]", "{}", '""', "-1", "9223372036854775808", "undefined", "")),
    lambda rng: '1,"id":"evt_other","id":null',
    lambda rng: '"é\u2028\U0001f600\ufeff"',
)
