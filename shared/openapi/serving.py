"""`GET /openapi.json`: the document, for whoever asks with what he may see. The same holds for the page to read.

Anybody sees what is open to anybody, to customers and to Stripe. What is for our own network or for staff is shown to
our own network and to staff alone: it tells a stranger where to knock.
"""

import hashlib
from dataclasses import dataclass
from typing import Any

import orjson
from aiohttp import ETag, hdrs, web

from shared.errors import Forbidden, Unauthorized
from shared.openapi.describing import Answer, Content, describe
from shared.openapi.document import build
from shared.permissions import Permission, permit
from shared.web.gate import is_internal
from shared.web.staff import signed_in

EVERYTHING = frozenset(Permission)
OPEN = EVERYTHING - {Permission.STAFF, Permission.INTERNAL}
VARY = f"{hdrs.AUTHORIZATION}, {hdrs.COOKIE}"
TAGGED = {"ETag": "Changes with the content"}


@dataclass(frozen=True, slots=True)
class Reading:
    """A body with the tag that changes with it."""

    body: bytes
    tag: str


def openapi_routes() -> list[web.RouteDef]:
    """The routes of one app's document; it is made when somebody asks first, and the app complete."""
    documents: dict[frozenset[Permission], Reading] = {}

    def document(app: web.Application, may_see: frozenset[Permission]) -> Reading:
        if may_see not in documents:
            documents[may_see] = _reading(orjson.dumps(build(app, may_see)))
        return documents[may_see]

    @permit(Permission.PUBLIC)
    @describe({200: Answer(Content("application/json"), TAGGED), 304: Answer(headers=TAGGED)})
    async def openapi(request: web.Request) -> web.Response:
        """This document, as OpenAPI 3.1.

        Operations for staff and for our own network are in it only for those who may use them.
        """
        return _answer(request, document(request.app, await _may_see(request)), "application/json")

    return [web.get("/openapi.json", openapi)]


async def _may_see(request: web.Request) -> frozenset[Permission]:
    if is_internal(request):
        return EVERYTHING
    try:
        staff = await signed_in(request)
    except (Forbidden, Unauthorized):  # a page of another name: nobody's session counts there
        return OPEN
    return OPEN if staff is None else EVERYTHING


def _reading(body: bytes) -> Reading:
    return Reading(body, hashlib.sha256(body).hexdigest()[:20])


def _answer(request: web.Request, reading: Reading, content_type: str, **headers: Any) -> web.Response:
    """The body, or 304 for who has it already."""
    asked = request.if_none_match or ()
    has_it = any(each.value in (reading.tag, "*") for each in asked)
    response = web.Response(status=304) if has_it else web.Response(body=reading.body, content_type=content_type)
    response.etag = ETag(reading.tag)
    response.headers.update({hdrs.CACHE_CONTROL: "no-cache", hdrs.VARY: VARY, **headers})
    return response
