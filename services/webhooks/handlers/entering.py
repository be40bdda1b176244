"""Where a sign-in code becomes a session, and a session ends; and the style of the pages.

Signing in with password and second factor will be checkout's; it writes the same sessions.
"""

from aiohttp import web

from services.webhooks.actions import entering
from services.webhooks.handlers.keys import ENTRY_LIMIT, PAGES, POOL
from services.webhooks.handlers.staff import html
from services.webhooks.schemas import LONGEST_CODE, EnterForm, FileName, Form
from shared.errors import NotFound, TooManyRequests
from shared.openapi import HTML, Content, Path, Redirect, describe, form_of
from shared.permissions import Permission, permit
from shared.web import CLIENT_ADDRESS, parse_form
from shared.web.staff import STAFF, NotFromHere, check_origin, own_origin, set_cookie

FILE = Path("name", FileName, wrong=NotFound)


@permit(Permission.PUBLIC)
@describe({200: HTML}, problems=(NotFromHere,))
async def enter_page(request: web.Request) -> web.Response:
    """Where staff sign in."""
    own_origin(request)
    return html(request, "enter.html", wrong="")


@permit(Permission.PUBLIC)
@describe({303: Redirect("/staff/events"), 403: HTML, 422: HTML}, takes=form_of(EnterForm), problems=(NotFromHere,))
async def enter(request: web.Request) -> web.Response:
    """Takes a sign-in code, gives the session as a cookie.

    From our own origin alone. A few tries a minute from one address; each leaves its row.
    """
    check_origin(request)
    wait_s = request.app[ENTRY_LIMIT].wait_s(request[CLIENT_ADDRESS])
    if wait_s > 0:
        raise TooManyRequests("a few tries a minute are enough", retry_after_s=wait_s)
    code = (await parse_form(request)).get("code", "")
    if not 0 < len(code.strip()) <= LONGEST_CODE:
        return html(request, "enter.html", status=422, wrong="Paste the code that you were given.")
    token = await entering.enter(request.app[POOL], code.strip(), request[CLIENT_ADDRESS])
    if token is None:
        return html(request, "enter.html", status=403, wrong="This code is not valid, or was used already.")
    response = web.Response(status=303, headers={"Location": "/staff/events"})
    set_cookie(request, response, token)
    return response


@permit(Permission.STAFF)
@describe({303: Redirect("/staff/enter")}, takes=form_of(Form))
async def leave(request: web.Request) -> web.Response:
    """Ends the session."""
    await entering.leave(request.app[POOL], request[STAFF])
    response = web.Response(status=303, headers={"Location": "/staff/enter"})
    set_cookie(request, response, "")
    return response


@permit(Permission.PUBLIC)
@describe({200: Content("*/*")}, asks=(FILE,))
async def static(request: web.Request) -> web.Response:
    """What the pages for staff look like."""
    file = request.app[PAGES].static.get(request.match_info["name"])
    if file is None:
        raise NotFound
    # The page asks for it with its version, so that what is kept is never old.
    headers = {"Cache-Control": "private, max-age=86400"}
    return web.Response(body=file[0], content_type=file[1], charset="utf-8", headers=headers)
