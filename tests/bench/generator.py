"""The load: a process of its own that writes prepared bytes on a few connections and times the answers.

Everything is built and signed beforehand; between two requests nothing happens but a write. Reads a plan (JSON) on
standard input, writes the outcome (JSON) on standard output.
"""

import asyncio
import json
import secrets
import sys
import time
from collections import Counter, deque
from typing import Any

import uvloop

from tests.stripe_events import a_payment_intent, an_event, body_of, signature

ADDRESS = {
    "name": "Ada Lovelace",
    "line1": "12 St James Square",
    "city": "London",
    "postal_code": "SW1Y 4JH",
    "country": "GB",
}


class Line(asyncio.Protocol):
    """One connection kept alive: the next request goes out when the answer to the last is whole."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._buffer = b""
        self._began = 0.0

    def connection_made(self, transport: Any) -> None:
        self._transport = transport

    def begin(self) -> None:
        if not self._load.requests:
            self._load.leave()
            return
        self._began = time.perf_counter()
        self._transport.write(self._load.requests.popleft())

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        head, gap, body = self._buffer.partition(b"\r\n\r\n")
        if not gap:
            return
        length = int(head.lower().split(b"content-length:")[1].split(b"\r\n", 1)[0])
        if len(body) < length:
            return
        self._load.times.append(time.perf_counter() - self._began)
        self._load.answers[self._buffer[9:12].decode()] += 1
        self._buffer = b""
        self.begin()

    def connection_lost(self, _: Exception | None) -> None:
        self._load.leave()


class Load:
    def __init__(self, requests: list[bytes], lines: int) -> None:
        self.requests = deque(requests)
        self.times: list[float] = []
        self.answers: Counter[str] = Counter()
        self._lines = lines
        self._over = asyncio.Event()

    async def run(self, port: int) -> dict[str, Any]:
        loop = asyncio.get_running_loop()
        lines = [(await loop.create_connection(lambda: Line(self), "127.0.0.1", port))[1] for _ in range(self._lines)]
        at, began, cpu = time.time(), time.perf_counter(), time.process_time()
        for line in lines:
            line.begin()
        await asyncio.wait_for(self._over.wait(), 120)
        seconds, cpu = time.perf_counter() - began, time.process_time() - cpu
        return {"began_at": at, "seconds": seconds, "cpu_s": cpu, "times": self.times, "answers": dict(self.answers)}

    def leave(self) -> None:
        self._lines -= 1
        if self._lines == 0:
            self._over.set()


def request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    fields = {"Host": "127.0.0.1", "Content-Type": "application/json", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"POST {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def signed_event(secret: str) -> bytes:
    body = body_of(an_event(subject=a_payment_intent(description="Order of a benchmark " + "x" * 2400)))
    return request("/webhooks/stripe", body, {"Stripe-Signature": signature(body, secret)})


def basket(sku: str) -> dict[str, Any]:
    return {
        "email": "ada@example.com",
        "locale": "en",
        "currency": "usd",
        "lines": [{"sku": sku, "quantity": 1}],
        "shipping_address": ADDRESS,
    }


def order(number: int, skus: list[str], hot: int) -> bytes:
    """Every other order is for one of the few that everybody wants."""
    sku = skus[number // 2 % hot] if number % 2 else skus[number % len(skus)]
    return request("/v1/orders", json.dumps(basket(sku)).encode(), {"Idempotency-Key": secrets.token_hex(12)})


def prepared(plan: dict[str, Any]) -> list[bytes]:
    if plan["kind"] == "events":
        return [signed_event(plan["secret"]) for _ in range(plan["count"])]
    return [order(number, plan["skus"], plan["hot"]) for number in range(plan["count"])]


def main() -> None:
    plan = json.load(sys.stdin)
    requests = prepared(plan)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as loop:
        json.dump(loop.run(Load(requests, plan["connections"]).run(plan["port"])), sys.stdout)


if __name__ == "__main__":
    main()
