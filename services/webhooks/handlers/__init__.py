"""The HTTP side of webhooks."""

from aiohttp import web

from services.webhooks.handlers.keys import KEYRING, POOL, RECEIVED, STORE, WEBHOOKS
from services.webhooks.handlers.stripe import SIGNATURE_FAILURES, receive

__all__ = ["KEYRING", "POOL", "RECEIVED", "ROUTES", "SIGNATURE_FAILURES", "STORE", "WEBHOOKS"]

ROUTES = (web.post("/webhooks/stripe", receive),)
