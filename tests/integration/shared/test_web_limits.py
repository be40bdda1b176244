"""How often one client may ask."""

import asyncio

import pytest
from aiohttp import ClientSession, web

from shared import metrics
from shared.permissions import Permission, permit
from shared.web import limits, make_app, reply, unlimited, wire
from tests.integration.shared.conftest import Serve, settings_with


@permit(Permission.PUBLIC)
async def limited(request: web.Request) -> web.Response:
    return reply({})


@unlimited
@permit(Permission.PUBLIC)
async def door(request: web.Request) -> web.Response:
    return reply({})


ROUTES = [web.get("/limited", limited), web.get("/door", door)]
SHOP = "https://shop.example"


@pytest.fixture
async def client(serve: Serve) -> ClientSession:
    """Three requests a minute, behind one proxy."""
    settings = settings_with(request_limit_per_minute=3, trusted_hops=1, cors_origins=(SHOP,))
    return await serve(make_app(settings, ROUTES))


async def ask(client: ClientSession, path: str = "/limited", address: str = "203.0.113.7") -> int:
    async with client.get(path, headers={"X-Forwarded-For": address}) as response:
        return response.status


def refused() -> float:
    return metrics.REGISTRY.get_sample_value("http_refused_total", {"reason": "rate"}) or 0.0


async def test_who_asks_too_often_is_told_when_to_come_back(client: ClientSession) -> None:
    before = refused()
    assert [await ask(client) for _ in range(4)] == [200, 200, 200, 429]
    headers = {"X-Forwarded-For": "203.0.113.7", "Origin": SHOP}
    async with client.get("/limited", headers=headers) as response:
        assert (response.status, response.content_type) == (429, "application/problem+json")
        assert int(response.headers["Retry-After"]) in range(1, 21)
        assert response.headers["Access-Control-Allow-Origin"] == SHOP, "or the shop couldn't read why"
        assert (await response.json(content_type=None))["code"] == "too_many_requests"
    assert refused() == before + 2


async def test_a_browser_that_asks_whether_it_may_ask_is_not_held_back(client: ClientSession) -> None:
    """A refused preflight would look like a refusal of the shop, and hide when to come back."""
    assert [await ask(client) for _ in range(4)][-1] == 429
    headers = {"X-Forwarded-For": "203.0.113.7", "Origin": SHOP, "Access-Control-Request-Method": "GET"}
    async with client.options("/limited", headers=headers) as response:
        assert response.status == 204


async def test_others_are_not_held_back(client: ClientSession) -> None:
    assert [await ask(client) for _ in range(4)][-1] == 429
    assert await ask(client, address="203.0.113.8") == 200


async def test_a_spoofed_address_gives_no_new_allowance(client: ClientSession) -> None:
    statuses = [await ask(client, address=f"10.0.0.{n}, 203.0.113.7") for n in range(4)]
    assert statuses == [200, 200, 200, 429]


async def test_what_does_not_exist_counts_too(client: ClientSession) -> None:
    assert [await ask(client, "/nowhere") for _ in range(4)] == [404, 404, 404, 429]


async def test_the_door_and_health_are_not_limited(client: ClientSession) -> None:
    assert {await ask(client, path) for path in ("/door", "/healthz") for _ in range(10)} == {200}


async def test_a_connection_that_stays_silent_is_closed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "FIRST_REQUEST_S", 0.2)
    client = await serve(make_app(settings_with(), ROUTES))
    for first_bytes in (b"", b"GET /limited HTTP/1.1\r\nHost: x\r\n"):
        reader, writer = await connect(client)
        writer.write(first_bytes)
        async with asyncio.timeout(30):
            assert await reader.read() == b""
        writer.close()


async def test_a_connection_in_use_is_not_closed(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "FIRST_REQUEST_S", 0.2)
    client = await serve(make_app(settings_with(), ROUTES))
    reader, writer = await connect(client)
    for _ in range(2):
        writer.write(b"GET /limited HTTP/1.1\r\nHost: x\r\n\r\n")
        assert b"200 OK" in await reader.readuntil(b"{}")
        await asyncio.sleep(0.3)
    writer.close()


async def test_a_body_that_dribbles_in_is_given_up(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "BODY_S", 0.2)
    client = await serve(make_app(settings_with(), [web.post("/limited", limited)]))
    reader, writer = await connect(client)
    writer.write(b"POST /limited HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx")
    async with asyncio.timeout(30):
        answer = await reader.readuntil(b"}")
    writer.close()
    assert answer.startswith(b"HTTP/1.1 408 ")
    assert b'"too_slow"' in answer


async def connect(client: ClientSession) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    assert client._base_url is not None
    return await asyncio.open_connection("127.0.0.1", client._base_url.port)
