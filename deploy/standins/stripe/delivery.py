"""Sends signed events to the webhook endpoints, again and again until they are taken or the schedule ends."""

import asyncio
import hashlib
import hmac
import time
from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from fnmatch import fnmatchcase
from typing import Any

import aiohttp
import orjson

from deploy.standins.stripe.account import Account
from deploy.standins.stripe.config import Endpoint
from deploy.standins.stripe.rules import Rules, Weather
from deploy.standins.stripe.tables import Json

USER_AGENT = "Stripe/1.0 (+https://stripe.com/docs/webhooks)"


def signature(body: bytes, secrets: tuple[str, ...], timestamp: int) -> str:
    signed = str(timestamp).encode() + b"." + body
    marks = [f"v1={hmac.new(secret.encode(), signed, hashlib.sha256).hexdigest()}" for secret in secrets]
    return ",".join([f"t={timestamp}", *marks])


@dataclass(frozen=True, slots=True)
class Attempt:
    event: Json
    endpoint: Endpoint
    number: int = 1
    kind: str = "first"  # first, retry, duplicate, resend


class Deliverer:
    def __init__(self, account: Account) -> None:
        self._account = account
        self._config = account.config
        self.weather = Weather(Rules(seed=account.config.seed))
        self._held: list[Attempt] = []
        self.log: deque[dict[str, Any]] = deque(maxlen=account.config.delivery_log_length)
        self._due: asyncio.Queue[Attempt] = asyncio.Queue()
        self.in_flight = 0
        account.events.listener = self.announce

    @property
    def endpoints(self) -> tuple[Endpoint, ...]:
        return self._account.hooks.enabled

    @asynccontextmanager
    async def running(self) -> AsyncIterator[None]:
        timeout = aiohttp.ClientTimeout(total=self._config.delivery_timeout_s)
        async with aiohttp.ClientSession(timeout=timeout, headers={"User-Agent": USER_AGENT}) as session:
            workers = [asyncio.create_task(self._work(session)) for _ in range(self._config.delivery_concurrency)]
            try:
                yield
            finally:
                self._account.clock.forget()
                for worker in workers:
                    worker.cancel()
                await asyncio.gather(*workers, return_exceptions=True)

    @property
    def waiting(self) -> int:
        return self._due.qsize() + self.in_flight + len(self._held)

    def reset(self) -> None:
        self.weather = Weather(Rules(seed=self._config.seed))
        self._held.clear()
        self.log.clear()
        while not self._due.empty():  # the workers hold on to this queue
            self._due.get_nowait()

    def change_weather(self, rules: Rules) -> None:
        """From now on these rules hold; what the old ones held back is due unless these do so too."""
        self.weather = Weather(rules)
        held, self._held = self._held, []
        for attempt in held:
            self._send_later(attempt, 0.0)

    def announce(self, event: Json) -> None:
        wanted = [point for point in self.endpoints if _wants(point, event["type"])]
        self._account.events.expect(event, {point.url for point in wanted})
        for endpoint in wanted:
            if self.weather.loses_event():
                self._account.events.settle(event, endpoint.url, taken=False)
                self._note(Attempt(event, endpoint, 0, "lost"), None, 0.0, "lost for good by rule")
                continue
            self._send_later(Attempt(event, endpoint), self.weather.pause_s())
            for _ in range(self.weather.extra_copies()):
                self._send_later(Attempt(event, endpoint, kind="duplicate"), self.weather.pause_s())

    def resend(self, event: Json, copies: int = 1) -> int:
        """By hand, as from the Dashboard: it does not stop the retries."""
        for endpoint in self.endpoints:
            for _ in range(copies):
                self._send_later(Attempt(event, endpoint, kind="resend"), 0.0)
        return len(self.endpoints) * copies

    def _send_later(self, attempt: Attempt, delay_s: float) -> None:
        if self.weather.rules.hold:
            self._held.append(attempt)
        elif delay_s <= 0:
            self._due.put_nowait(attempt)
        else:
            self._account.clock.later(delay_s, lambda: self._due.put_nowait(attempt))

    async def _work(self, session: aiohttp.ClientSession) -> None:
        while True:
            attempt = await self._due.get()
            self.in_flight += 1
            try:
                await self._deliver(session, attempt)
            finally:
                self.in_flight -= 1

    async def _deliver(self, session: aiohttp.ClientSession, attempt: Attempt) -> None:
        began = time.monotonic()
        status, error = await self._post(session, attempt)
        self._note(attempt, status, time.monotonic() - began, error)
        is_taken = status is not None and 200 <= status < 300
        if is_taken:
            self._account.events.settle(attempt.event, attempt.endpoint.url, taken=True)
        elif attempt.kind in {"first", "retry"}:
            self._try_again(attempt)

    async def _post(self, session: aiohttp.ClientSession, attempt: Attempt) -> tuple[int | None, str | None]:
        if self.weather.loses_attempt():
            return None, "lost on the way by rule"
        endpoint = self._account.hooks.current(attempt.endpoint) or attempt.endpoint
        body = orjson.dumps(attempt.event, option=orjson.OPT_INDENT_2)
        headers = {
            "Content-Type": "application/json; charset=utf-8",
            "Stripe-Signature": signature(body, endpoint.secrets, int(time.time())),
        }
        try:
            async with session.post(endpoint.url, data=body, headers=headers, allow_redirects=False) as response:
                await response.read()
                return response.status, None
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            return None, type(error).__name__

    def _try_again(self, attempt: Attempt) -> None:
        events, url = self._account.events, attempt.endpoint.url
        is_gone = self._account.hooks.current(attempt.endpoint) is None
        if attempt.number > len(self._config.retry_steps_s) or is_gone:
            events.settle(attempt.event, url, taken=False)
            return
        delay_s = self._config.retry_steps_s[attempt.number - 1]
        self._send_later(Attempt(attempt.event, attempt.endpoint, attempt.number + 1, "retry"), delay_s)

    def _note(self, attempt: Attempt, status: int | None, seconds: float, error: str | None) -> None:
        entry = {
            "event": attempt.event["id"],
            "type": attempt.event["type"],
            "url": attempt.endpoint.url,
            "attempt": attempt.number,
            "kind": attempt.kind,
            "at": time.time(),
            "status": status,
            "ms": round(seconds * 1000, 1),
            "error": error,
        }
        self.log.append(entry)


def _wants(endpoint: Endpoint, kind: str) -> bool:
    return any(fnmatchcase(kind, pattern) for pattern in endpoint.events)
