"""Metrics, incidents and status for machines."""

from aiohttp import web
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from services.monitor import actions
from services.monitor.handlers.keys import DESK
from services.monitor.schemas import IncidentsView, IncidentView, StatusView
from services.monitor.store.incidents import select_recent_incidents
from shared.openapi import Content, describe
from shared.permissions import Permission, permit
from shared.web import reply

MOST_INCIDENTS = 200


@permit(Permission.INTERNAL)
@describe({200: Content("text/plain")})
async def metrics(request: web.Request) -> web.Response:
    """The figures of all processes, for Prometheus."""
    body = actions.expose(request.app[DESK])
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


@permit(Permission.INTERNAL)
@describe({200: IncidentsView})
async def incidents(request: web.Request) -> web.Response:
    """Incidents: open ones first, then the latest."""
    async with request.app[DESK].pool.request() as conn:
        found = await select_recent_incidents(conn, MOST_INCIDENTS)
    return reply(IncidentsView(incidents=tuple(map(IncidentView.of, found))))


@permit(Permission.INTERNAL)
@describe({200: StatusView})
async def status(request: web.Request) -> web.Response:
    """What the page shows, for machines."""
    return reply(await actions.read_status(request.app[DESK]))
