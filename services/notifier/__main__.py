"""`python -m services.notifier`: configured by the environment alone."""

from services.notifier.app import SERVICE, make
from services.notifier.settings import NotifierSettings
from shared import logs, tracing
from shared.settings import load
from shared.web import run


def main() -> None:
    settings = load(NotifierSettings)
    logs.configure(SERVICE, settings.log_level, settings.instance)
    tracing.configure(SERVICE, settings.instance, settings.otlp_url)
    run(make(settings), settings)


if __name__ == "__main__":
    main()
