"""The HTTP side of webhooks."""

from aiohttp import web

from services.webhooks.handlers.guard import guard
from services.webhooks.handlers.keys import GUARD, KEYRING, POOL, RECEIVED, STORE, WEBHOOKS
from services.webhooks.handlers.stripe import SIGNATURE_FAILURES, receive

__all__ = ["GUARD", "KEYRING", "POOL", "RECEIVED", "ROUTES", "SIGNATURE_FAILURES", "STORE", "WEBHOOKS", "guard"]

ROUTES = (web.post("/webhooks/stripe", receive),)
