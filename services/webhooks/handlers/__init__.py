"""The HTTP side of webhooks."""

from aiohttp import web

from services.webhooks.handlers import entering, staff
from services.webhooks.handlers.guard import guard
from services.webhooks.handlers.keys import ENTRY_LIMIT, GUARD, KEYRING, PAGES, POOL, RECEIVED, STORE, WEBHOOKS
from services.webhooks.handlers.stripe import SIGNATURE_FAILURES, receive

__all__ = [
    "ENTRY_LIMIT",
    "GUARD",
    "KEYRING",
    "PAGES",
    "POOL",
    "RECEIVED",
    "ROUTES",
    "SIGNATURE_FAILURES",
    "STORE",
    "WEBHOOKS",
    "guard",
]

ROUTES = (
    web.post("/webhooks/stripe", receive),
    web.get("/staff/enter", entering.enter_page),
    web.post("/staff/enter", entering.enter),
    web.post("/staff/leave", entering.leave),
    web.get("/staff/static/{name}", entering.static),
    web.get("/staff/events", staff.events),
    web.get("/staff/events/{id}", staff.event),
    web.post("/staff/events/{id}/resync", staff.resync),
)
