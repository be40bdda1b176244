"""`python -m services.webhooks`: configured by the environment alone."""

from services.webhooks.actions import SERVICE
from services.webhooks.app import make
from services.webhooks.settings import WebhooksSettings
from shared import logs, tracing
from shared.settings import load
from shared.web import run


def main() -> None:
    settings = load(WebhooksSettings)
    logs.configure(SERVICE, settings.log_level, settings.instance)
    tracing.configure(SERVICE, settings.instance, settings.otlp_url)
    run(make(settings), settings)


if __name__ == "__main__":
    main()
