"""Whose request it is, on every path and on every line of the log; and when a body is asked for."""

import asyncio
import io
import logging
from collections.abc import Iterator
from types import SimpleNamespace

import orjson
import pytest
from aiohttp import ClientSession, web
from aiohttp.test_utils import make_mocked_request
from aiohttp.typedefs import Handler

from shared import logs
from shared.permissions import Permission, permit
from shared.web import limits, make_app, reply, wire
from tests.integration.shared.conftest import Serve, settings_with

log = logging.getLogger("tests.forwarded")


@permit(Permission.PUBLIC)
async def things(request: web.Request) -> web.Response:
    log.warning("thing asked for")
    return reply({"from": request["client_address"]})


@permit(Permission.PUBLIC)
async def broken(request: web.Request) -> web.Response:
    raise ZeroDivisionError


ROUTES = [web.get("/things", things), web.post("/things", things), web.get("/broken", broken)]


@pytest.fixture
def written() -> Iterator[io.StringIO]:
    """What a process would write to its log."""
    stream = io.StringIO()
    handler = logging.StreamHandler(stream)
    handler.setFormatter(logs.JsonLines("test", "here"))
    root = logging.getLogger()
    root.addHandler(handler)
    before = root.level
    root.setLevel(logging.INFO)
    yield stream
    root.removeHandler(handler)
    root.setLevel(before)


def addresses(written: io.StringIO) -> list[tuple[str, str]]:
    lines = map(orjson.loads, written.getvalue().splitlines())
    return [(line["message"], line["client_address"]) for line in lines if line["logger"] != "asyncio"]


@pytest.mark.parametrize("trust", [{"trusted_hops": 1}, {"trusted_networks": "127.0.0.0/8"}])
@pytest.mark.parametrize(
    ("header", "value"),
    [("X-Forwarded-For", "1.1.1.1, 203.0.113.7"), ("Forwarded", 'for=1.1.1.1, for="203.0.113.7:4711";proto=https')],
)
async def test_every_line_of_a_request_names_its_client_on_every_path(
    serve: Serve, written: io.StringIO, trust: dict[str, object], header: str, value: str
) -> None:
    client = await serve(make_app(settings_with(**trust, forwarded_header=header), ROUTES))
    # The other header is the client's own word, which our proxy passes on.
    spoofed = {"X-Forwarded-For": "1.1.1.1", "Forwarded": "for=1.1.1.1", header: value}
    for method, path, status in (
        ("GET", "/things", 200),
        ("GET", "/nowhere", 404),
        ("PUT", "/things", 405),
        ("GET", "/broken", 500),
    ):
        async with client.request(method, path, headers=spoofed) as response:
            assert response.status == status
    told = addresses(written)
    assert [message for message, _ in told] == [
        *("thing asked for", "request", "request", "request", "request failed", "request"),
    ]
    assert {address for _, address in told} == {"203.0.113.7"}


@pytest.mark.parametrize(("trust", "address"), [({}, "127.0.0.1"), ({"trusted_hops": 1}, "unknown")])
async def test_what_can_not_be_read_comes_from_the_peer_or_from_nobody_we_know(
    serve: Serve, written: io.StringIO, trust: dict[str, object], address: str
) -> None:
    client = await serve(make_app(settings_with(**trust), ROUTES))
    answer = await exchange(client, b"\x16\x03\x01\x00\xa5\x01\x00\x00")
    assert answer.startswith(b"HTTP/1.0 400 ") or answer.startswith(b"HTTP/1.1 400 ")
    assert addresses(written) == [("request unreadable", address)]


async def test_a_body_is_asked_for_only_when_it_is_wanted(serve: Serve) -> None:
    client = await serve(make_app(settings_with(request_limit_per_minute=2), ROUTES, max_body_bytes=1000))
    head = b"POST /things HTTP/1.1\r\nHost: x\r\nExpect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    assert (await exchange(client, head % 5, b"hello")).startswith(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 ")
    assert (await exchange(client, head % 1001)).startswith(b"HTTP/1.1 413 ")
    assert (await exchange(client, head % 5)).startswith(b"HTTP/1.1 429 "), "who is refused anyway isn't invited"


@pytest.mark.parametrize("expected", [b"<script>", b"\xff"])
@pytest.mark.parametrize("path", [b"/things", b"/nowhere"])
async def test_an_expectation_nobody_knows_is_refused_in_our_words(serve: Serve, path: bytes, expected: bytes) -> None:
    client = await serve(make_app(settings_with(), ROUTES))
    answer = await exchange(client, b"GET %s HTTP/1.1\r\nHost: x\r\nExpect: %s\r\n\r\n" % (path, expected))
    assert answer.startswith(b"HTTP/1.1 417 ")
    for said in (b"application/problem+json", b'"expectation_failed"', b"X-Content-Type-Options: nosniff"):
        assert said in answer


async def exchange(client: ClientSession, head: bytes, body: bytes = b"") -> bytes:
    """The answer to bytes on a connection of their own; the body is sent only once the head was heard."""
    assert client._base_url is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", client._base_url.port)
    writer.write(head)
    async with asyncio.timeout(limits.BODY_S):
        answer = await reader.read(4096)
        if body:
            writer.write(body)
            answer += await reader.read(4096)
    writer.transport.abort()
    return answer


async def test_a_client_that_leaves_before_its_body_is_asked_for_is_no_error_of_ours(
    serve: Serve, written: io.StringIO
) -> None:
    """Found by the fuzzer: aiohttp calls it a RuntimeError."""

    arrived = asyncio.Event()

    @web.middleware
    async def until_it_left(request: web.Request, handler: Handler) -> web.StreamResponse:
        arrived.set()
        async with asyncio.timeout(30):
            while request.transport is not None:
                await asyncio.sleep(0.01)
        return await handler(request)

    client = await serve(make_app(settings_with(), ROUTES, guards=(until_it_left,)))
    assert client._base_url is not None
    _, writer = await asyncio.open_connection("127.0.0.1", client._base_url.port)
    writer.write(b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx")
    async with asyncio.timeout(30):
        await arrived.wait()
    writer.transport.abort()
    async with asyncio.timeout(30):
        while '"request"' not in written.getvalue():
            await asyncio.sleep(0.01)
    assert [message for message, _ in addresses(written)] == ["request"]


async def test_garbage_of_a_client_that_left_is_answered_to_nobody(serve: Serve) -> None:
    """Found by the fuzzer: between the bytes and their answer the connection was lost."""
    runner = wire.Runner(make_app(settings_with(), ROUTES))
    await runner.setup()
    assert runner.server is not None
    connection = runner.server()
    connection._manager = None  # as aiohttp leaves it when a connection is lost
    with pytest.raises(ConnectionResetError):
        request = make_mocked_request("GET", "/", writer=SimpleNamespace(output_size=0))
        connection.handle_error(request, 400, ValueError("garbage"))
    await runner.cleanup()
