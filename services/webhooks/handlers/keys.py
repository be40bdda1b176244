"""What the app carries for its handlers."""

import asyncio

from aiohttp import web

from services.webhooks.actions.guarding import Guard
from services.webhooks.actions.keyring import Keyring
from services.webhooks.actions.receiving import Store
from services.webhooks.pages import Pages
from services.webhooks.settings import WebhooksSettings
from shared.db import Pool
from shared.web.limits import AddressLimit

# Set on a request that the guard has counted as not Stripe's, so that nobody counts it twice.
COUNTED = web.RequestKey("COUNTED", bool)
GUARD = web.AppKey("GUARD", Guard)
POOL = web.AppKey("POOL", Pool)
KEYRING = web.AppKey("KEYRING", Keyring)
STORE = web.AppKey("STORE", Store)
RECEIVED = web.AppKey("RECEIVED", asyncio.Event)
WEBHOOKS = web.AppKey("WEBHOOKS", WebhooksSettings)
PAGES = web.AppKey("PAGES", Pages)
ENTRY_LIMIT = web.AppKey("ENTRY_LIMIT", AddressLimit)
