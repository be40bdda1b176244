"""What a client gets back, whatever happens inside."""

import asyncio
import logging
from typing import Any

import asyncpg
import pytest
from aiohttp import ClientSession, web
from pydantic import BaseModel

from shared import errors
from shared.permissions import Permission, permit
from shared.web import DRAINING, health, make_app, parse, path_uuid, reply
from tests.integration.shared.conftest import Serve, settings_with

HEADERS = {
    "Content-Security-Policy": "default-src 'none'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cache-Control": "no-store",
    "Strict-Transport-Security": "max-age=63072000; includeSubDomains",
    "Permissions-Policy": "camera=(), geolocation=(), microphone=(), payment=()",
    "Cross-Origin-Opener-Policy": "same-origin",
}
SHOP = "https://shop.example"


WRONG = {
    "deadlock": asyncpg.DeadlockDetectedError,
    "serialization": asyncpg.SerializationError,
    "held": asyncpg.LockNotAvailableError,
}


class Thing(BaseModel):
    size: int


@permit(Permission.PUBLIC)
async def make_thing(request: web.Request) -> web.Response:
    return reply(await parse(request, Thing), status=201)


@permit(Permission.PUBLIC)
async def show_thing(request: web.Request) -> web.Response:
    return reply({"id": path_uuid(request, "id"), "request_id": request["request_id"]})


@permit(Permission.PUBLIC)
async def break_down(request: web.Request) -> web.Response:
    raise ValueError("whsec_test_standin is the inside")


@permit(Permission.PUBLIC)
async def meet_no_database(request: web.Request) -> web.Response:
    raise ConnectionRefusedError("10.1.2.3:5432")


@permit(Permission.PUBLIC)
async def meet_others(request: web.Request) -> web.Response:
    raise WRONG[request.match_info["how"]]("Process 12 waits for ShareLock on transaction 34")


@permit(Permission.PUBLIC)
async def be_away(request: web.Request) -> web.Response:
    raise errors.Unavailable("Stripe does not answer", retry_after_s=2.2)


@permit(Permission.PUBLIC)
async def move_on(request: web.Request) -> web.Response:
    raise web.HTTPSeeOther("/elsewhere")


@permit(Permission.PUBLIC)
async def show_page(request: web.Request) -> web.Response:
    policy = {"Content-Security-Policy": "default-src 'self'", "Cache-Control": "max-age=60"}
    return web.Response(text="<p>hello</p>", content_type="text/html", headers=policy)


@permit(Permission.PUBLIC)
async def break_off(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write(b"half")
    raise ValueError("the other half")


async def undeclared(request: web.Request) -> web.Response:
    return reply({"reached": True})


@permit(Permission.INTERNAL)
async def internal(request: web.Request) -> web.Response:
    return reply({"client": request["client_address"]})


@permit(Permission.STAFF)
async def staff(request: web.Request) -> web.Response:
    return reply({"reached": True})


ROUTES = [
    web.post("/things", make_thing),
    web.get("/things/{id}", show_thing),
    web.get("/broken", break_down),
    web.get("/no-database", meet_no_database),
    web.get("/met/{how}", meet_others),
    web.get("/away", be_away),
    web.get("/moved", move_on),
    web.get("/page", show_page),
    web.get("/half", break_off),
    web.get("/undeclared", undeclared),
    web.get("/internal", internal),
    web.get("/staff", staff),
]


@pytest.fixture
async def client(serve: Serve) -> ClientSession:
    return await serve(make_app(settings_with(cors_origins=(SHOP,)), ROUTES, max_body_bytes=1000))


async def problem_of(client: ClientSession, method: str, path: str, status: int, **sent: Any) -> dict[str, Any]:
    """Asks, and checks what every problem document must be."""
    async with client.request(method, path, allow_redirects=False, **sent) as response:
        assert response.status == status
        assert response.content_type == "application/problem+json"
        problem: dict[str, Any] = await response.json(content_type=None)
        assert set(problem) == {"type", "title", "status", "detail", "code", "request_id", "errors"}
        assert problem["status"] == status
        assert problem["type"] == f"urn:kct:problem:{problem['code']}"
        assert problem["request_id"] == response.headers["X-Request-Id"]
        assert {name: response.headers.get(name) for name in HEADERS} == HEADERS
        return problem


@pytest.mark.parametrize(
    ("method", "path", "status", "code"),
    [
        ("GET", "/nowhere", 404, "not_found"),
        ("GET", "/things", 405, "method_not_allowed"),
        ("PATCH", "/things", 405, "method_not_allowed"),
        ("GET", "/broken", 500, "internal"),
        ("GET", "/no-database", 503, "database_away"),
        ("GET", "/away", 503, "unavailable"),
        ("GET", "/things/1", 400, "malformed_id"),
        ("GET", "/undeclared", 403, "not_permitted"),
        ("GET", "/staff", 401, "staff_only"),
    ],
)
async def test_whatever_goes_wrong_is_a_problem_document(
    client: ClientSession, method: str, path: str, status: int, code: str
) -> None:
    assert (await problem_of(client, method, path, status))["code"] == code


@pytest.mark.parametrize(
    "path", ["/page", "/things/01936b2e-1234-7123-8123-123456789012", "/healthz", "/nowhere", "/moved"]
)
async def test_every_answer_has_the_security_headers(client: ClientSession, path: str) -> None:
    async with client.get(path, allow_redirects=False) as response:
        assert set(HEADERS) <= set(response.headers)
        assert "X-Request-Id" in response.headers
        assert "Server" not in response.headers


async def test_a_page_may_set_its_own_policy(client: ClientSession) -> None:
    async with client.get("/page") as response:
        assert response.headers["Content-Security-Policy"] == "default-src 'self'"
        assert response.headers["Cache-Control"] == "max-age=60"


async def test_the_methods_there_are_stay_named(client: ClientSession) -> None:
    async with client.get("/things") as response:
        assert response.headers["Allow"] == "POST"


async def test_a_wait_is_said_in_whole_seconds(client: ClientSession) -> None:
    async with client.get("/away") as response:
        assert response.headers["Retry-After"] == "3"


async def test_a_redirect_stays_a_redirect(client: ClientSession) -> None:
    async with client.get("/moved", allow_redirects=False) as response:
        assert (response.status, response.headers["Location"]) == (303, "/elsewhere")


async def test_a_bug_is_in_the_log_once_and_not_in_the_answer(
    client: ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    problem = await problem_of(client, "GET", "/broken", 500)
    assert "inside" not in str(problem)
    failures = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.exc_info is not None for record in failures] == [True]


async def test_a_database_that_is_away_is_no_bug(client: ClientSession, caplog: pytest.LogCaptureFixture) -> None:
    problem = await problem_of(client, "GET", "/no-database", 503)
    assert "10.1.2.3" not in str(problem)
    assert [record.levelname for record in caplog.records if record.levelno >= logging.WARNING] == ["WARNING"]


@pytest.mark.parametrize("how", WRONG)
async def test_who_met_others_in_the_database_is_asked_to_come_again(
    client: ClientSession, caplog: pytest.LogCaptureFixture, how: str
) -> None:
    problem = await problem_of(client, "GET", f"/met/{how}", 503)
    assert problem["code"] == "others_in_the_way"
    assert "12" not in problem["detail"]
    assert [record.levelname for record in caplog.records if record.levelno >= logging.WARNING] == ["WARNING"]
    async with client.get(f"/met/{how}") as response:
        assert response.headers["Retry-After"] == "1"


async def test_half_an_answer_does_not_look_like_a_whole_one(
    client: ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    async with client.get("/half") as response:
        with pytest.raises(Exception, match="payload"):
            await response.read()
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.ERROR] == ["request failed"]


async def test_a_requests_id_is_ours_and_told_to_all(client: ClientSession) -> None:
    path = "/things/01936b2e-1234-7123-8123-123456789012"
    async with client.get(path, headers={"X-Request-Id": "forged"}) as response:
        assert response.headers["X-Request-Id"] == (await response.json())["request_id"] != "forged"


@pytest.mark.parametrize(
    ("media_type", "body", "status", "code", "fields"),
    [
        ("application/json", b'{"size": 1}', 201, None, None),
        ("application/json; charset=UTF-8", b'{"size": 1}', 201, None, None),
        ("application/json", b'{"size": "x"}', 422, "invalid_request", ["size"]),
        ("application/json", b"{}", 422, "invalid_request", ["size"]),
        ("application/json", b"{", 400, "malformed_json", []),
        ("application/json", b"", 400, "malformed_json", []),
        ("application/json", b"[]", 400, "malformed_json", []),
        ("application/json", b'{"size": NaN}', 400, "malformed_json", []),
        ("application/json", b'{"size": 1, "size": 2}', 400, "malformed_json", []),
        ("application/json", b'{"size": "\xff"}', 400, "malformed_json", []),
        ("application/json", b"[" * 900, 400, "malformed_json", []),
        ("application/json; charset=latin-1", b'{"size": 1}', 415, "unsupported_media_type", []),
        ("text/plain", b'{"size": 1}', 415, "unsupported_media_type", []),
        ("application/x-www-form-urlencoded", b"size=1", 415, "unsupported_media_type", []),
        (None, b'{"size": 1}', 415, "unsupported_media_type", []),
    ],
)
async def test_a_body_is_taken_only_as_what_it_must_be(
    client: ClientSession, media_type: str | None, body: bytes, status: int, code: str | None, fields: list[str] | None
) -> None:
    headers = {"Content-Type": media_type} if media_type else {}
    skip = () if media_type else ("Content-Type",)
    sent: dict[str, Any] = {"data": body, "headers": headers, "skip_auto_headers": skip}
    if code is None:
        async with client.post("/things", **sent) as response:
            assert (response.status, await response.json()) == (status, {"size": 1})
        return
    problem = await problem_of(client, "POST", "/things", status, **sent)
    assert (problem["code"], [each["field"] for each in problem["errors"]]) == (code, fields)


async def in_pieces(count: int, piece: bytes) -> Any:
    for _ in range(count):
        yield piece


async def test_a_body_too_large_is_refused_by_its_announced_length(client: ClientSession) -> None:
    headers = {"Content-Type": "application/json"}
    assert (await problem_of(client, "POST", "/things", 413, data=b"x" * 1001, headers=headers))["code"] == "too_large"


async def test_a_body_too_large_is_refused_while_it_comes_in_chunks(client: ClientSession) -> None:
    headers = {"Content-Type": "application/json"}
    sent = {"data": in_pieces(20, b"x" * 100), "headers": headers}
    assert (await problem_of(client, "POST", "/things", 413, **sent))["code"] == "too_large"


async def test_a_packed_body_is_refused(client: ClientSession) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "gzip"}
    await problem_of(client, "POST", "/things", 415, data=b"\x1f\x8b", headers=headers)


async def test_a_client_that_speaks_no_http_gets_a_problem_too(client: ClientSession) -> None:
    assert client._base_url is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", client._base_url.port)
    writer.write(b"this is no HTTP\r\n\r\n")
    answer = await reader.read()
    writer.close()
    assert b"400 Bad Request" in answer
    assert b"application/problem+json" in answer
    assert b"aiohttp" not in answer
    assert b"this is no" not in answer


async def test_a_known_shop_may_ask_and_read(client: ClientSession) -> None:
    asking = {
        "Origin": SHOP,
        "Access-Control-Request-Method": "POST",
        "Access-Control-Request-Headers": "idempotency-key",
    }
    async with client.options("/things", headers=asking) as response:
        assert response.status == 204
        assert response.headers["Access-Control-Allow-Origin"] == SHOP
        assert response.headers["Access-Control-Allow-Methods"] == "POST"
        assert response.headers["Access-Control-Allow-Headers"] == (
            "Authorization, Content-Type, Idempotency-Key, Last-Event-ID"
        )
    async with client.get("/nowhere", headers={"Origin": SHOP}) as response:
        assert response.headers["Access-Control-Allow-Origin"] == SHOP
        assert response.headers["Access-Control-Expose-Headers"] == "X-Request-Id, Retry-After, Idempotent-Replayed"
        assert response.headers["Vary"] == "Origin"
        assert "Access-Control-Allow-Credentials" not in response.headers


@pytest.mark.parametrize(
    "origin", ["https://evil.example", SHOP + ".evil.example", "http://shop.example", "null", SHOP.upper()]
)
async def test_another_origin_may_not(client: ClientSession, origin: str) -> None:
    asking = {"Origin": origin, "Access-Control-Request-Method": "POST"}
    for method in ("OPTIONS", "GET"):
        async with client.request(method, "/things", headers=asking) as response:
            assert not [name for name in response.headers if name.startswith("Access-Control-")]
            assert response.headers["Vary"] == "Origin"


@pytest.mark.parametrize(
    ("hops", "forwarded", "status"),
    [(0, "8.8.8.8", 200), (1, "8.8.8.8", 403), (1, "8.8.8.8, 127.0.0.2", 200), (1, "127.0.0.1, 8.8.8.8", 403)],
)
async def test_what_is_internal_is_judged_by_the_address_behind_the_trusted_proxies(
    serve: Serve, hops: int, forwarded: str, status: int
) -> None:
    client = await serve(make_app(settings_with(trusted_hops=hops), ROUTES))
    async with client.get("/internal", headers={"X-Forwarded-For": forwarded}) as response:
        assert response.status == status
        assert status == 200 or (await response.json(content_type=None))["code"] == "internal_only"


async def test_a_process_is_ready_when_all_it_needs_is_there(serve: Serve) -> None:
    async def fine() -> bool:
        return True

    async def away() -> bool:
        return False

    async def broken() -> bool:
        raise OSError

    async def hanging() -> bool:
        await asyncio.sleep(60)
        return True

    client = await serve(make_app(settings_with(), [], ready_checks={"database": fine}))
    async with client.get("/readyz") as response:
        assert (response.status, await response.json()) == (200, {"status": "ready"})
    checks = {"database": fine, "broker": away, "peer": broken, "disk": hanging}
    client = await serve(make_app(settings_with(), [], ready_checks=checks))
    problem = await problem_of(client, "GET", "/readyz", 503)
    assert (problem["code"], [each["field"] for each in problem["errors"]]) == ("not_ready", ["broker", "peer", "disk"])
    async with client.get("/healthz") as response:
        assert response.status == 200


async def test_asking_often_does_not_check_often(serve: Serve, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "REMEMBER_S", 60.0)
    asked = 0

    async def database() -> bool:
        nonlocal asked
        asked += 1
        return True

    client = await serve(make_app(settings_with(), [], ready_checks={"database": database}))
    for _ in range(5):
        async with client.get("/readyz") as response:
            assert response.status == 200
    assert asked == 1


async def test_a_draining_process_is_alive_but_not_ready(serve: Serve) -> None:
    app = make_app(settings_with(), ROUTES)
    client = await serve(app)
    app[DRAINING].set()
    assert (await problem_of(client, "GET", "/readyz", 503))["code"] == "draining"
    async with client.get("/healthz") as response:
        assert (response.status, response.headers["Connection"]) == (200, "close")


@pytest.mark.parametrize(
    "head",
    [
        b"Content-Length: abc\r\n\r\n",
        b"Content-Length: -5\r\n\r\n",
        b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcde",
        b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"Transfer-Encoding: chunked\r\n\r\nzz\r\nabc\r\n",
        b"X: " + b"y" * 9000 + b"\r\n\r\n",
        b"".join(b"X-%d: y\r\n" % number for number in range(300)) + b"\r\n",
    ],
    ids=lambda head: repr(head[:30]),
)
async def test_a_request_that_could_be_read_two_ways_is_not_read(
    client: ClientSession, head: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    assert client._base_url is not None
    reader, writer = await asyncio.open_connection("127.0.0.1", client._base_url.port)
    writer.write(b"POST /things HTTP/1.1\r\nHost: x\r\n" + head)
    answer = await reader.read()
    writer.close()
    assert b" 400 " in answer.splitlines()[0]
    assert b'"bad_request"' in answer
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]


async def test_a_client_that_leaves_in_the_middle_of_its_body_is_no_error(
    client: ClientSession, caplog: pytest.LogCaptureFixture
) -> None:
    assert client._base_url is not None
    caplog.set_level(logging.INFO)
    _, writer = await asyncio.open_connection("127.0.0.1", client._base_url.port)
    writer.write(b"POST /things HTTP/1.1\r\nHost: x\r\nContent-Length: 50\r\n\r\nabc")
    await asyncio.sleep(0.1)
    writer.close()
    async with asyncio.timeout(30):
        while not [record for record in caplog.records if getattr(record, "status", None) == 499]:
            await asyncio.sleep(0.02)
    assert not [record for record in caplog.records if record.levelno >= logging.WARNING]
