"""The ceiling of ingestion: the service's own app and handler on a database and a broker that are nothing.

`python -m tests.bench.ceiling`, with the environment of `services.webhooks`.
"""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

from services.webhooks.actions import SERVICE
from services.webhooks.handlers import POOL, RECEIVED, ROUTES, WEBHOOKS
from services.webhooks.settings import WebhooksSettings
from shared import logs, tracing
from shared.settings import load
from shared.web import make_app, run


class Nothing:
    """A pool and a connection at once: every statement succeeds at no cost."""

    @contextlib.asynccontextmanager
    async def request(self) -> AsyncIterator["Nothing"]:
        yield self

    async def execute(self, *_: Any) -> str:
        return "INSERT 0 1"


def main() -> None:
    settings = load(WebhooksSettings)
    logs.configure(SERVICE, settings.log_level, settings.instance)
    tracing.configure(SERVICE, settings.instance, settings.otlp_url)
    app = make_app(settings, ROUTES, max_body_bytes=settings.body_limit_bytes)
    app[WEBHOOKS], app[RECEIVED], app[POOL] = settings, asyncio.Event(), Nothing()  # type: ignore[misc]
    run(app, settings)


if __name__ == "__main__":
    main()
