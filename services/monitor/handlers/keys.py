"""What the app carries for its handlers."""

from aiohttp import web

from services.monitor.actions import Desk
from services.monitor.pages import Pages

DESK = web.AppKey("DESK", Desk)
PAGES = web.AppKey("PAGES", Pages)
