"""`/healthz`: the process runs. `/readyz`: it can do its work, so traffic may come."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Mapping
from typing import Literal

from aiohttp import web
from pydantic import BaseModel

from shared.errors import FieldError, Unavailable
from shared.openapi import describe
from shared.permissions import Permission, permit
from shared.web.bodies import reply
from shared.web.keys import DRAINING
from shared.web.limits import unlimited

log = logging.getLogger(__name__)

ReadyCheck = Callable[[], Awaitable[bool]]

CHECK_TIMEOUT_S = 2.0
# Anybody may ask: an answer is good for this long, so that asking often costs the database nothing.
REMEMBER_S = 1.0


class NotReady(Unavailable):
    code = "not_ready"
    title = "This process can't do its work right now"


class Draining(Unavailable):
    code = "draining"
    title = "This process is stopping"


class Health(BaseModel):
    status: Literal["alive", "ready"]


class Readiness:
    """Runs the checks, at most once per `REMEMBER_S`."""

    def __init__(self, checks: Mapping[str, ReadyCheck]) -> None:
        self._checks = dict(checks)
        self._failing: list[str] = []
        self._asked_at = -REMEMBER_S
        self._lock = asyncio.Lock()

    async def failing(self) -> list[str]:
        """Names of the checks that fail."""
        async with self._lock:
            if time.monotonic() - self._asked_at >= REMEMBER_S:
                results = await asyncio.gather(*(_passes(*item) for item in self._checks.items()))
                self._failing = [name for name, passed in zip(self._checks, results, strict=True) if not passed]
                self._asked_at = time.monotonic()
            return self._failing


def health_routes(checks: Mapping[str, ReadyCheck]) -> list[web.RouteDef]:
    readiness = Readiness(checks)

    @unlimited
    @permit(Permission.PUBLIC)
    @describe({200: Health})
    async def healthz(request: web.Request) -> web.Response:
        """Whether the process lives."""
        return reply({"status": "alive"})

    @unlimited
    @permit(Permission.PUBLIC)
    @describe({200: Health}, problems=(NotReady, Draining))
    async def readyz(request: web.Request) -> web.Response:
        """Whether the process can do its work. What fails stands in `errors`."""
        if request.app[DRAINING].is_set():
            raise Draining(retry_after_s=1)
        if failing := await readiness.failing():
            raise NotReady(
                f"failing: {', '.join(failing)}",
                errors=[FieldError(name, "is not available") for name in failing],
                retry_after_s=1,
            )
        return reply({"status": "ready"})

    return [web.get("/healthz", healthz), web.get("/readyz", readyz)]


async def _passes(name: str, check: ReadyCheck) -> bool:
    try:
        async with asyncio.timeout(CHECK_TIMEOUT_S):
            return bool(await check())
    except Exception as error:
        log.warning("readiness check failed", extra={"check": name, "reason": type(error).__name__})
        return False
