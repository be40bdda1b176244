"""What the app carries for its handlers."""

import asyncio

from aiohttp import web

from services.webhooks.settings import WebhooksSettings
from shared.db import Pool

POOL = web.AppKey("POOL", Pool)
RECEIVED = web.AppKey("RECEIVED", asyncio.Event)
WEBHOOKS = web.AppKey("WEBHOOKS", WebhooksSettings)
