"""`GET /openapi.json` and `/reference`: the document and its page, for whoever asks with what he may see.

Anybody sees what is open to anybody, to customers and to Stripe. What is for our own network or for staff is shown to
our own network and to staff alone: it tells a stranger where to knock.
"""

import hashlib
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from aiohttp import ETag, hdrs, web
from pydantic import BaseModel, ConfigDict

from shared.errors import Forbidden, Unauthorized
from shared.openapi.describing import HTML, Answer, describe
from shared.openapi.document import build
from shared.openapi.reference import POLICY, render
from shared.permissions import Permission, permit
from shared.web.gate import is_internal
from shared.web.staff import signed_in

EVERYTHING = frozenset(Permission)
OPEN = EVERYTHING - {Permission.STAFF, Permission.INTERNAL}
VARY = f"{hdrs.AUTHORIZATION}, {hdrs.COOKIE}"
TAGGED = {"ETag": "Changes with the content"}


class Document(BaseModel):
    """An OpenAPI document."""

    model_config = ConfigDict(extra="allow")

    openapi: Literal["3.1.0"]
    info: dict[str, Any]
    paths: dict[str, Any]
    components: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reading:
    """A body with the tag that changes with it."""

    body: bytes
    tag: str


def openapi_routes() -> list[web.RouteDef]:
    """The routes of one app's document; it is made when somebody asks first, and the app complete."""
    written: dict[frozenset[Permission], tuple[Reading, Reading]] = {}

    async def readings(request: web.Request) -> tuple[Reading, Reading]:
        may_see = await _may_see(request)
        if may_see not in written:
            document = build(request.app, may_see)
            written[may_see] = _reading(orjson.dumps(document)), _reading(render(document).encode())
        return written[may_see]

    @permit(Permission.PUBLIC)
    @describe({200: Answer(Document, TAGGED), 304: Answer(headers=TAGGED)})
    async def openapi(request: web.Request) -> web.Response:
        """This document, as OpenAPI 3.1.

        Operations for staff and for our own network are in it only for those who may use them.
        """
        document, _ = await readings(request)
        return _answer(request, document, {hdrs.CONTENT_TYPE: "application/json"})

    @permit(Permission.PUBLIC)
    @describe({200: Answer(HTML, TAGGED), 304: Answer(headers=TAGGED)})
    async def reference(request: web.Request) -> web.Response:
        """The same as a page to read."""
        _, page = await readings(request)
        headers = {hdrs.CONTENT_TYPE: "text/html; charset=utf-8", "Content-Security-Policy": POLICY}
        return _answer(request, page, headers)

    return [web.get("/openapi.json", openapi), web.get("/reference", reference)]


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


def _answer(request: web.Request, reading: Reading, headers: dict[str, str]) -> web.Response:
    """The body, or 304 for who has it already."""
    asked = request.if_none_match or ()
    has_it = any(each.value in (reading.tag, "*") for each in asked)
    headers |= {hdrs.CACHE_CONTROL: "no-cache", hdrs.VARY: VARY}
    response = web.Response(status=304 if has_it else 200, body=None if has_it else reading.body, headers=headers)
    response.etag = ETag(reading.tag)
    return response
