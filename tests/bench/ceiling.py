"""The ceiling of ingestion: the service's own app with all its checks, where storing and publishing are nothing.

`python -m tests.bench.ceiling`, with the environment of `services.webhooks`.
"""

from services.webhooks.actions import SERVICE
from services.webhooks.app import make
from services.webhooks.handlers import STORE
from services.webhooks.settings import WebhooksSettings
from services.webhooks.store.deliveries import Delivery
from shared import logs, tracing
from shared.settings import load
from shared.web import run


class Nothing:
    """Stores at no cost."""

    async def store(self, delivery: Delivery) -> str:
        return delivery.state


def main() -> None:
    settings = load(WebhooksSettings)
    logs.configure(SERVICE, settings.log_level, settings.instance)
    tracing.configure(SERVICE, settings.instance, settings.otlp_url)
    app = make(settings)
    app.cleanup_ctx.clear()  # neither database nor broker, nor any job
    app[STORE] = Nothing()
    run(app, settings)


if __name__ == "__main__":
    main()
