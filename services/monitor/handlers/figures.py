"""Metrics, incidents and status for machines."""

from aiohttp import web
from prometheus_client import CONTENT_TYPE_PLAIN_0_0_4

from services.monitor import actions
from services.monitor.handlers.keys import DESK
from services.monitor.schemas import IncidentView
from services.monitor.store.incidents import select_recent_incidents
from shared.permissions import Permission, permit
from shared.web import reply

MOST_INCIDENTS = 200


@permit(Permission.INTERNAL)
async def metrics(request: web.Request) -> web.Response:
    body = actions.expose(request.app[DESK])
    return web.Response(body=body, headers={"Content-Type": CONTENT_TYPE_PLAIN_0_0_4})


@permit(Permission.INTERNAL)
async def incidents(request: web.Request) -> web.Response:
    """Open ones first, then the latest."""
    async with request.app[DESK].pool.request() as conn:
        found = await select_recent_incidents(conn, MOST_INCIDENTS)
    return reply({"incidents": [IncidentView.of(incident) for incident in found]})


@permit(Permission.INTERNAL)
async def status(request: web.Request) -> web.Response:
    return reply(await actions.read_status(request.app[DESK]))
