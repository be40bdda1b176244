"""Who of the staff is asking: the session behind a cookie or a bearer token, and that a form is our own page's.

A cookie is sent along with whatever page another site has a browser open. So a POST with a cookie has to come from our
own origin (browsers say so in `Origin`) and hold a token that only our own pages know. The staff pages are served under
one origin, the setting `staff_origin`; without it, on this machine alone.
"""

import hashlib
import hmac
from urllib.parse import urlsplit

from aiohttp import hdrs, web

from shared.db import Pool
from shared.errors import Forbidden, Unauthorized
from shared.permissions import right_of
from shared.staff import Staff, read_session
from shared.web.bodies import parse_form
from shared.web.keys import SETTINGS

# A service with pages for staff says where its sessions are read, and where people are sent to sign in.
STAFF_POOL = web.AppKey("STAFF_POOL", Pool)
ENTRANCE = web.AppKey("ENTRANCE", str)

STAFF = web.RequestKey("STAFF", Staff)

COOKIE = "kct_staff"
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
LONGEST_TOKEN = 200


class StaffOnly(Unauthorized):
    code = "staff_only"
    title = "This is open to staff only, and the session is missing or over"


class RightMissing(Forbidden):
    code = "right_missing"
    title = "Your account may not do this"


class NotFromHere(Forbidden):
    code = "not_from_here"
    title = "This request was not made by our own page"


async def admit(request: web.Request, handler: object) -> None:
    """Puts the member of staff into `request[STAFF]`; raises if there is none, or he may not do this.

    A browser that asks for a page is sent to the entrance instead.
    """
    staff = await signed_in(request)
    if staff is None:
        if _is_page(request) and ENTRANCE in request.app:
            raise web.HTTPSeeOther(request.app[ENTRANCE])
        raise StaffOnly
    right = right_of(handler)
    if right is not None and not staff.may(right):
        raise RightMissing(f"it takes {right}")
    request[STAFF] = staff
    if not _bearer(request) and request.method not in {hdrs.METH_GET, hdrs.METH_HEAD}:
        await _check_form(request, _token(request))


async def signed_in(request: web.Request) -> Staff | None:
    """Whose session the request carries, if it is one; raises NotFromHere where there are no staff pages."""
    own_origin(request)
    token, pool = _token(request), request.app.get(STAFF_POOL)
    if pool is None or not 0 < len(token) <= LONGEST_TOKEN:
        return None
    return await read_session(pool, token)


def csrf_token(request: web.Request) -> str:
    """What a form of ours holds: derived from the cookie, which no other page can read."""
    return _csrf(request.cookies.get(cookie_name(request), ""))


def own_origin(request: web.Request) -> str:
    """The origin under which the staff pages are served; raises NotFromHere under any other name."""
    configured = request.app[SETTINGS].staff_origin
    own = configured or f"http://{request.host}"
    try:
        parts = urlsplit(own)
    except ValueError:
        raise NotFromHere("the Host header is none") from None
    if not configured and parts.hostname not in LOOPBACK:
        raise NotFromHere("the staff pages have no address of their own here (setting STAFF_ORIGIN)")
    if request.host != parts.netloc:
        raise NotFromHere("the staff pages have another address")
    return own


def check_origin(request: web.Request) -> None:
    """A browser names the origin of the page that a POST comes from. One that doesn't is not believed."""
    if request.headers.getall(hdrs.ORIGIN, []) != [own_origin(request)]:
        raise NotFromHere


def cookie_name(request: web.Request) -> str:
    """`__Host-`: taken only over TLS, for this host and no other. Plain HTTP on loopback can't have that."""
    return f"__Host-{COOKIE}" if own_origin(request).startswith("https:") else COOKIE


def set_cookie(request: web.Request, response: web.StreamResponse, token: str) -> None:
    """Gives the browser its session; an empty token takes it away."""
    is_tls = own_origin(request).startswith("https:")
    name, age = cookie_name(request), None if token else 0
    response.set_cookie(name, token, max_age=age, path="/", secure=is_tls, httponly=True, samesite="Strict")


async def _check_form(request: web.Request, token: str) -> None:
    check_origin(request)
    given = (await parse_form(request)).get("csrf", "")
    if not hmac.compare_digest(given.encode(), _csrf(token).encode()):
        raise NotFromHere("the form is too old; open the page again")


def _csrf(token: str) -> str:
    return hmac.digest(token.encode("utf-8", "surrogateescape"), b"kct staff form", hashlib.sha256).hex()


def _token(request: web.Request) -> str:
    return _bearer(request) or request.cookies.get(cookie_name(request), "")


def _bearer(request: web.Request) -> str:
    scheme, _, token = request.headers.get(hdrs.AUTHORIZATION, "").partition(" ")
    return token.strip() if scheme.lower() == "bearer" else ""


def _is_page(request: web.Request) -> bool:
    return request.method == hdrs.METH_GET and "text/html" in request.headers.get(hdrs.ACCEPT, "")
