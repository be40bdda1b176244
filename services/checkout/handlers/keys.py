"""What the app carries for its handlers."""

from aiohttp import web

from services.checkout.actions.live import Live
from services.checkout.actions.orders import Till

TILL = web.AppKey("TILL", Till)
LIVE = web.AppKey("LIVE", Live)
