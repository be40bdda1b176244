"""The ceiling of ingestion: the service's own app, handler and checks, where storing and publishing are nothing.

`python -m tests.bench.ceiling`, with the environment of `services.webhooks`.
"""

import asyncio

from services.webhooks.actions import SERVICE
from services.webhooks.handlers import RECEIVED, ROUTES, STORE, WEBHOOKS
from services.webhooks.settings import WebhooksSettings
from services.webhooks.store.deliveries import Delivery
from shared import logs, tracing
from shared.settings import load
from shared.web import make_app, run


class Nothing:
    """Stores at no cost."""

    async def store(self, delivery: Delivery) -> str:
        return delivery.state


def main() -> None:
    settings = load(WebhooksSettings)
    logs.configure(SERVICE, settings.log_level, settings.instance)
    tracing.configure(SERVICE, settings.instance, settings.otlp_url)
    app = make_app(settings, ROUTES, max_body_bytes=settings.body_limit_bytes)
    app[WEBHOOKS], app[RECEIVED], app[STORE] = settings, asyncio.Event(), Nothing()
    run(app, settings)


if __name__ == "__main__":
    main()
