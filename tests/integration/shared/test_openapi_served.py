"""Who is shown what of an app's document."""

from aiohttp import web

from shared.openapi import describe
from shared.permissions import Permission, permit
from shared.web import make_app
from tests.integration.shared.conftest import settings_with

STRANGER = {"X-Forwarded-For": "203.0.113.7"}


@permit(Permission.INTERNAL)
@describe({200: None})
async def look_inside(request: web.Request) -> web.Response:
    """Looks."""
    return web.Response()


def an_app() -> web.Application:
    return make_app(settings_with(trusted_hops=1), [web.get("/v1/inside", look_inside)])


async def test_our_own_network_sees_all_of_it_and_a_stranger_what_is_open_to_him(serve):
    client = await serve(an_app())
    for headers, paths in (({}, {"/v1/inside", "/healthz"}), (STRANGER, {"/healthz"})):
        async with client.get("/openapi.json", headers=headers) as response:
            document = await response.json()
            assert response.headers["Cache-Control"] == "no-cache"
            assert "Authorization" in response.headers["Vary"]
        assert set(document["paths"]) & {"/v1/inside", "/healthz"} == paths


async def test_who_has_it_already_is_told_so(serve):
    client = await serve(an_app())
    async with client.get("/openapi.json") as first:
        tag = first.headers["ETag"]
    for asked, status in ((tag, 304), ("*", 304), (f'"other", {tag}', 304), ('"other"', 200)):
        async with client.get("/openapi.json", headers={"If-None-Match": asked}) as response:
            assert (response.status, response.headers["ETag"]) == (status, tag)
    async with client.get("/openapi.json", headers={"If-None-Match": tag, **STRANGER}) as response:
        assert response.status == 200


HOSTS = ({"Host": "evil.example"}, {"Host": "["}, {"Host": "a]"}, {"Host": "\u2100"})


async def test_a_token_that_nobody_knows_opens_nothing(serve):
    client = await serve(an_app())
    for headers in ({"Authorization": "Bearer guess"}, {"Cookie": "kct_staff=guess"}, *HOSTS):
        async with client.get("/openapi.json", headers={**STRANGER, **headers}) as response:
            assert (response.status, "/v1/inside" in (await response.json())["paths"]) == (200, False)


async def test_the_page_shows_the_same_and_lets_nothing_foreign_in(serve):
    client = await serve(an_app())
    for headers, is_shown in (({}, True), (STRANGER, False)):
        async with client.get("/reference", headers=headers) as response:
            page = await response.text()
            assert (response.status, response.content_type) == (200, "text/html")
            assert response.headers["Content-Security-Policy"].startswith("default-src 'none'; style-src 'sha256-")
            assert ("/v1/inside" in page) is is_shown
            tag = response.headers["ETag"]
        async with client.get("/reference", headers={**headers, "If-None-Match": tag}) as response:
            assert response.status == 304
