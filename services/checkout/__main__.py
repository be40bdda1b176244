"""`python -m services.checkout`: takes orders and money. Settings come from CHECKOUT_… in the environment."""

from services.checkout.app import SERVICE, make
from services.checkout.settings import CheckoutSettings
from shared import logs, tracing
from shared.settings import load
from shared.web import run

if __name__ == "__main__":
    settings = load(CheckoutSettings)
    logs.configure(SERVICE, settings.log_level, settings.instance)
    tracing.configure(SERVICE, settings.instance, settings.otlp_url)
    run(make(settings), settings)
