"""The monitor's HTTP side. All of it is for our own network."""

from aiohttp import web

from services.monitor.handlers.figures import incidents, metrics, status
from services.monitor.handlers.keys import DESK, PAGES
from services.monitor.handlers.live import LIVE, Live, live
from services.monitor.handlers.page import page, static

__all__ = ["DESK", "LIVE", "PAGES", "ROUTES", "Live"]

ROUTES = (
    web.get("/", page),
    web.get("/dashboard", page),
    web.get("/static/{name}", static),
    web.get("/live", live),
    web.get("/metrics", metrics),
    web.get("/v1/incidents", incidents),
    web.get("/v1/status", status),
)
