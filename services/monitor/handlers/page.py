"""The page, and the two files it needs."""

from aiohttp import web

from services.monitor import actions
from services.monitor.handlers.keys import DESK, PAGES
from services.monitor.schemas import FileName
from shared.errors import NotFound
from shared.openapi import HTML, Content, Path, describe
from shared.permissions import Permission, permit

FILE = Path("name", FileName, wrong=NotFound)
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)


@permit(Permission.INTERNAL)
@describe({200: HTML})
async def page(request: web.Request) -> web.Response:
    """How the shop's payments are doing, as a page."""
    html = request.app[PAGES].page(await actions.read_status(request.app[DESK]))
    headers = {"Content-Security-Policy": POLICY}
    return web.Response(text=html, content_type="text/html", charset="utf-8", headers=headers)


@permit(Permission.INTERNAL)
@describe({200: Content("*/*")}, asks=(FILE,))
async def static(request: web.Request) -> web.Response:
    """What the page looks like, and what it does."""
    file = request.app[PAGES].static.get(request.match_info["name"])
    if file is None:
        raise NotFound
    # The page asks for it with its version, so that what is kept is never old.
    headers = {"Cache-Control": "private, max-age=86400"}
    return web.Response(body=file.body, content_type=file.content_type, charset="utf-8", headers=headers)
