"""The app of each service, not running: for what can be read off its routes."""

from typing import Any

from aiohttp import web

from services.checkout.app import make as make_checkout
from services.checkout.settings import CheckoutSettings
from services.monitor.app import make as make_monitor
from services.monitor.settings import MonitorSettings
from services.notifier.app import make as make_notifier
from services.webhooks.app import make as make_webhooks
from services.webhooks.settings import WebhooksSettings
from tests.unit.notifier.letters import settings as notifier_settings

COMMON: dict[str, Any] = {"database_url": "postgresql://localhost/kct", "amqp_url": "amqp://localhost/"}
CHECKOUT: dict[str, Any] = {
    "stripe_mode": "test",
    "stripe_secret_key": "sk_test_standin",
    "stripe_publishable_key": "pk_test_standin",
    "order_token_keys": "order-token-key",
    "link_keys": "mail-link-key",
}


def apps() -> dict[str, web.Application]:
    """By the name of the service."""
    return {
        "checkout": make_checkout(CheckoutSettings(**COMMON, **CHECKOUT)),
        "monitor": make_monitor(MonitorSettings(**COMMON)),
        "notifier": make_notifier(notifier_settings()),
        "webhooks": make_webhooks(WebhooksSettings(**COMMON, stripe_secrets=("whsec_test_standin",), livemode=False)),
    }
