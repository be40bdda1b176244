"""Forms: read as browsers send them; whatever else comes is refused, and is no bug of ours.

aiohttp's own reading answered 500 for a multipart form without a boundary, and for bytes that are no text.
"""

import pytest
from aiohttp import ClientSession, web

from shared.permissions import Permission, permit
from shared.web import make_app, parse_form, reply
from tests.integration.shared.conftest import Serve, settings_with

FORM = "application/x-www-form-urlencoded"


@permit(Permission.PUBLIC)
async def take(request: web.Request) -> web.Response:
    return reply(await parse_form(request))


@pytest.fixture
async def client(serve: Serve) -> ClientSession:
    return await serve(make_app(settings_with(), [web.post("/form", take)]))


async def test_a_form_becomes_its_fields(client):
    body = {"reason": "Größe & Farbe", "csrf": ""}
    async with client.post("/form", data=body) as response:
        assert (response.status, await response.json()) == (200, body)
    async with client.post("/form") as response:
        assert (response.status, await response.json()) == (200, {})


@pytest.mark.parametrize(
    ("content_type", "body", "status", "code"),
    [
        ("multipart/form-data", b"reason=x", 415, "unsupported_media_type"),
        ("application/json", b"{}", 415, "unsupported_media_type"),
        (FORM, b"reason=\xff", 400, "malformed_form"),
        (FORM, b"reason=%FF", 400, "malformed_form"),
        (FORM, b"a=1&a=2", 400, "malformed_form"),
        (FORM, b"&".join(b"f%d=" % number for number in range(51)), 400, "malformed_form"),
        (f"{FORM}; charset=nothing-known", b"a=1", 200, None),
    ],
)
async def test_what_is_no_form_is_refused(client, content_type, body, status, code):
    async with client.post("/form", data=body, headers={"Content-Type": content_type}) as response:
        assert (response.status, (await response.json()).get("code")) == (status, code)
