"""What is hardly HTTP, or too much of it: answered in order or hung up on, with nothing stored and nothing broken."""

import asyncio
import logging
import time

import pytest

from shared.web import limits, wire
from tests.integration.webhooks.conftest import opened
from tests.integration.webhooks.raw import Answer, send
from tests.stripe_events import an_event, body_of, signature

HOST = b"Host: x\r\n"
BODY = b'{"id":"evt_1","type":"payout.paid"}'
GET = b"GET /nowhere HTTP/1.1\r\nHost: x\r\n\r\n"


@pytest.fixture(scope="module")
async def long_open_door(database, amqp_url):
    async with opened(database, amqp_url) as door:
        yield door


@pytest.fixture
async def door(long_open_door, owner, caplog):
    """Afterwards it is as well as before, and has complained of nothing."""
    await owner.execute("TRUNCATE webhooks.stripe_events, webhooks.stripe_event_ids")
    with caplog.at_level(logging.INFO):
        yield long_open_door
    records = caplog.get_records("call")
    ours = [record for record in records if record.name.startswith(("services", "shared", "aiohttp", "asyncio"))]
    assert [record.getMessage() for record in ours if record.levelno >= logging.ERROR or record.exc_info] == []
    assert (await long_open_door.deliver(an_event()))[0] == 200


def post(*headers: bytes, body: bytes = BODY, start: bytes = b"POST /webhooks/stripe HTTP/1.1") -> bytes:
    """A forged request: fresh, well-formed, and not signed by anybody."""
    forged = b"Stripe-Signature: t=%d,v1=%b" % (time.time(), b"a" * 64)
    return b"\r\n".join([start, b"Host: x", forged, *headers, b"", b""]) + body


def sized(body: bytes = BODY) -> bytes:
    return b"Content-Length: %d" % len(body)


# Every one of them is refused (4xx) or hung up on; those in SILENT wait for more and get nothing.
START_LINES = [
    *(b"GET", b"PUT", b"DELETE", b"PATCH", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"PROPFIND", b"PURGE", b"LINK"),
    *(
        b"post",
        b"POST\x00",
        b"P OST",
        b"(POST)",
        b"\xc3\xa9",
        b"X" * 100,
        b"X" * 9000,
        b"",
        b"POST\t",
        b"\rPOST",
        b"M-SEARCH",
    ),
]
TARGETS = [
    *(
        b"/",
        b"//",
        b"/webhooks",
        b"/webhooks/stripe/",
        b"/webhooks//stripe",
        b"/webhooks/./stripe",
        b"/webhooks/stripe%00",
    ),
    *(
        b"/webhooks/stripe%2f",
        b"/WEBHOOKS/STRIPE",
        b"/webhooks/stripe;x",
        b"/..%2f..%2fetc/passwd",
        b"/../../etc/passwd",
    ),
    *(
        b"/.env",
        b"/.git/config",
        b"/wp-login.php",
        b"/cgi-bin/luci",
        b"/actuator/env",
        b"/%",
        b"/%zz",
        b"/%c0%ae",
        b"/\xff",
    ),
    *(
        b"/" + b"a" * 9000,
        b"/?" + b"a" * 9000,
        b"*",
        b"x",
        b"http://",
        b"http://x:99999/",
        b"http://[::1",
        b"http://x/webhooks",
    ),
    *(
        b"ftp://x/webhooks/stripe/x",
        b"/webhooks/stripe HTTP/1.1 x",
        b"/a b",
        b"\\webhooks\\stripe",
        b"/\x00",
        b"/\x7f",
        b"",
    ),
]
VERSIONS = [
    *(
        b"HTTP/0.9",
        b"HTTP/1.2",
        b"HTTP/2.0",
        b"HTTP/3",
        b"HTTP/11.1",
        b"HTTP/1.",
        b"HTTP/.1",
        b"HTTP/1.1.1",
        b"HTTP 1.1",
        b"http/1.1",
    ),
    *(
        b"HTTP/-1.1",
        b"HTTP/\xd9\xa1.1",
        b"ICY/1.1",
        b"HTTP/1.1 ",
        b"HTTP/1.1\x00",
        b"HTTP" + b"/" * 9000,
        b"RTSP/1.0",
        b"1.1",
    ),
]
HEADERS = [
    *(
        b"no colon at all",
        b": no name",
        b" leading: blank",
        b"na me: x",
        b"name : x",
        b"na\x00me: x",
        b"na\xffme: x",
        b"(x): y",
    ),
    *(
        b"X: a\x00b",
        b"X: a\rb",
        b"X: a\nb",
        b"X: \x01",
        b"X: a\r\n folded",
        b"X:\r\n\tfolded",
        b"X" * 9000 + b": y",
        b"X: " + b"y" * 9000,
    ),
    *(
        b"\r\n".join(b"X-%d: y" % n for n in range(65)),
        b"\r\n".join(b"X: y" for _ in range(5000)),
        b"Host: y",
        b"Host:",
        b"Host: a,b",
    ),
    b"\r\n".join(b"X-%d: %b" % (n, b"y" * 8000) for n in range(500)),
    *(b"Cookie: " + b"a=b; " * 1600, b"Range: bytes=" + b"0-0," * 1500, b"Accept-Encoding: " + b"gzip," * 1500),
    *(
        b"Content-Encoding: gzip",
        b"Content-Encoding: br",
        b"Content-Encoding: deflate, gzip",
        b"Content-Encoding: nonsense",
    ),
    *(b"Expect: nonsense", b"Expect: 100-continue, x", b"Expect: 200-ok"),
]
LENGTHS = [
    *(
        b"-1",
        b"+5",
        b"5 5",
        b"5,5",
        b"5, 6",
        b"0x10",
        b"1e2",
        b"1_0",
        b"5.0",
        b"nonsense",
        b"",
        b"\xd9\xa3",
        b"5\x00",
        b"5;",
    ),
    *(b"99999999999999999999", b"9" * 400, b"524289", b"18446744073709551616", b"9223372036854775808", b"-0"),
]
ENCODINGS = [
    *(
        b"nonsense",
        b"identity",
        b"gzip",
        b"gzip, chunked",
        b"chunked, gzip",
        b"chunked, chunked",
        b"xchunked",
        b"chunked\x0b",
    ),
    *(b"\x0bchunked", b'"chunked"', b"chunked;x=y", b"chunked, identity", b"", b",", b"chunked\x00", b"chu\r\n nked"),
]
CHUNKS = [
    *(
        b"-1\r\nx\r\n0\r\n\r\n",
        b"g\r\nx\r\n0\r\n\r\n",
        b"0x1\r\nx\r\n0\r\n\r\n",
        b"+1\r\nx\r\n0\r\n\r\n",
        b"1 1\r\nx\r\n0\r\n\r\n",
    ),
    *(
        b"FFFFFFFFFFFFFFFFF\r\nx",
        b"7fffffffffffffff\r\nx",
        b"\r\nx\r\n0\r\n\r\n",
        b"1\r\nxx\r\n0\r\n\r\n",
        b"1\nx\n0\n\n",
        b"2\r\nx\r\n0\r\n\r\n",
    ),
    *(
        b"1;" + b"e" * 9000 + b"\r\nx\r\n0\r\n\r\n",
        b"1" * 400 + b"\r\nx",
        b"1;\x00\r\nx\r\n0\r\n\r\n",
        b"\xff\r\n\r\n",
        b"1\r\nx0\r\n\r\n",
    ),
    *(
        b"0\r\nno colon\r\n\r\n",
        b"0\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"0\r\nX: " + b"y" * 9000 + b"\r\n\r\n",
        b"0\r\nX\x00: y\r\n\r\n",
    ),
    *(
        b"0\r\nContent-Length: 5\r\n\r\nhello",
        b"0\r\nStripe-Signature: t=1,v1=aa\r\n\r\n",
        b"1\r\n\xff\r\n0\r\n\r\n",
        b"0\r\n\r\n",
    ),
]
OTHER_PROTOCOLS = [
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x12\x04\x00\x00\x00\x00\x00",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(range(256)) * 2,
    b"\x16\x03\x01\x00\xa5" + b"\x01" * 165,
    *(
        b"GET /\r\n\r\n",
        b"GET /webhooks/stripe\r\n\r\n",
        b"SSH-2.0-OpenSSH_9\r\n\r\n",
        b"EHLO x\r\n\r\n",
        b"\x00" * 300 + b"\r\n\r\n",
    ),
    b"PROXY TCP4 127.0.0.1 127.0.0.1 1 2\r\n" + GET,
    b"\r\n\r\n\r\n\r\nPROXY x\r\n\r\n",
    b"\x0d\x0a\x0d\x0a\x00\x0d\x0a\x51\x55\x49\x54\x0a\x21\x11\x00\x0c" + b"\x7f\x00\x00\x01" * 3,
    *(
        b"*1\r\n$4\r\nINFO\r\n\r\n",
        b"\x03\x00\x00\x13\x0e\xe0\x00\x00\r\n\r\n",
        b"{}\r\n\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"\xef\xbb\xbf" + GET,
    ),
]

HOSTILE = {
    **{
        f"method {n}": post(sized(), start=method + b" /webhooks/stripe HTTP/1.1")
        for n, method in enumerate(START_LINES)
    },
    **{f"target {n}": post(sized(), start=b"POST " + target + b" HTTP/1.1") for n, target in enumerate(TARGETS)},
    **{f"version {n}": post(sized(), start=b"POST /webhooks/stripe " + version) for n, version in enumerate(VERSIONS)},
    **{f"header {n}": post(sized(), header) for n, header in enumerate(HEADERS)},
    **{f"length {n}": post(b"Content-Length: " + length) for n, length in enumerate(LENGTHS)},
    **{
        f"encoding {n}": post(b"Transfer-Encoding: " + each, body=b"1\r\nx\r\n0\r\n\r\n")
        for n, each in enumerate(ENCODINGS)
    },
    **{f"chunk {n}": post(b"Transfer-Encoding: chunked", body=chunk) for n, chunk in enumerate(CHUNKS)},
    **{f"protocol {n}": each for n, each in enumerate(OTHER_PROTOCOLS)},
}


def test_there_are_hundreds_of_them():
    assert len(HOSTILE) >= 150


@pytest.mark.parametrize("case", HOSTILE)
async def test_it_is_refused_or_hung_up_on_and_nothing_is_stored(door, rows, case):
    answer = await send(door.url, HOSTILE[case])
    assert answer.is_decent, answer.raw[:1000]
    assert all(400 <= status < 500 for status in answer.statuses), answer.raw[:1000]
    assert await rows.count() == (0, 0)


def valid(*headers: bytes, framed: bytes | None = None) -> tuple[bytes, bytes]:
    """A request that is really signed; and its body."""
    body = body_of(an_event())
    start = b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nStripe-Signature: " + signature(body).encode()
    return b"\r\n".join([start, *(headers or (sized(body),)), b"", b""]) + (body if framed is None else framed), body


SMUGGLED = {
    "length and chunks": (b"Content-Length: 6", b"Transfer-Encoding: chunked"),
    "chunks and length": (b"Transfer-Encoding: chunked", b"Content-Length: 6"),
    "two lengths": (b"Content-Length: 0", b"Content-Length: 6"),
    "two equal lengths": (b"Content-Length: 6", b"Content-Length: 6"),
    "a length with a list": (b"Content-Length: 0, 6",),
    "chunks twice": (b"Transfer-Encoding: chunked", b"Transfer-Encoding: chunked"),
    "chunks, then not": (b"Transfer-Encoding: chunked", b"Transfer-Encoding: identity"),
    "chunks, badly written": (b"Transfer-Encoding: xchunked", b"Content-Length: 6"),
    "chunks with a blank": (b"Transfer-Encoding : chunked", b"Content-Length: 6"),
    "chunks with a tab": (b"Transfer-Encoding:\tchunked", b"Content-Length: 6"),
    "chunks in a fold": (b"X: y\r\n Transfer-Encoding: chunked", b"Content-Length: 6"),
    "a bare line feed": (b"X: y\nTransfer-Encoding: chunked", b"Content-Length: 6"),
    "a bare carriage return": (b"X: y\rTransfer-Encoding: chunked", b"Content-Length: 6"),
}


@pytest.mark.parametrize("case", SMUGGLED)
async def test_a_request_with_two_ends_is_refused_and_what_hides_behind_it_is_not_read(door, rows, case):
    """Two readers that disagree where a request ends let a second one through that only one of them has seen."""
    hidden, _ = valid()
    answer = await send(door.url, post(*SMUGGLED[case], body=b"0\r\n\r\nX" + hidden))
    assert answer.is_decent, answer.raw[:1000]
    assert all(400 <= status < 500 for status in answer.statuses), answer.raw[:1000]
    assert await rows.count() == (0, 0)


@pytest.mark.parametrize("pieces", [1, 2, 40])
async def test_pipelined_requests_are_answered_in_their_order(door, rows, pieces):
    first, _ = valid()
    last, _ = valid()
    wire_ = first + post(sized()) + GET + last
    size = len(wire_) // pieces + 1
    answer = await send(
        door.url, *(wire_[at : at + size] for at in range(0, len(wire_), size)), pause_s=0.002, answers=4
    )
    assert answer.statuses == [200, 400, 404, 200], answer.raw
    assert await rows.count() == (2, 2)


async def test_a_thousand_pipelined_requests_are_no_trouble(door):
    answer = await send(door.url, GET * 1000, quiet_s=1.0, answers=31)
    assert set(answer.statuses) <= {404, 429}
    assert len(answer.statuses) > 30


@pytest.mark.parametrize(
    "headers",
    [
        (b"Upgrade: websocket", b"Connection: Upgrade"),
        (b"Upgrade: h2c", b"Connection: Upgrade, HTTP2-Settings", b"HTTP2-Settings: AAMAAABkAAQAAP__"),
        (b"Upgrade: TLS/1.3", b"Connection: Upgrade"),
        (b"Expect: 100-continue",),
        (b"Connection: close",),
        (b"TE: trailers, deflate",),
        (b"X-Forwarded-For: " + b"127.0.0.1, " * 500, b'Forwarded: for="'),
    ],
    ids=["websocket", "h2c", "tls", "expect", "close", "te", "forwarded"],
)
async def test_odd_wishes_beside_a_valid_request_change_nothing(door, rows, headers):
    body = body_of(an_event())
    wire_, _ = valid(*headers, sized(body), framed=b"")
    signed_wire = wire_.replace(b"\r\n\r\n", b"\r\n\r\n", 1)
    signed_wire = signed_wire.replace(
        signed_wire.split(b"Stripe-Signature: ")[1].split(b"\r\n")[0], signature(body).encode()
    )
    answer = await send(door.url, signed_wire + body, answers=1)
    assert [status for status in answer.statuses if status >= 200] == [200]
    assert (await rows.one())["body"] == body


async def test_a_valid_request_in_chunks_is_taken_and_its_trailers_mean_nothing(door, rows):
    body = body_of(an_event())
    chunks = b"".join(
        b"%x;ext=1\r\n%b\r\n" % (len(body[at : at + 100]), body[at : at + 100]) for at in range(0, len(body), 100)
    )
    start = b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nStripe-Signature: "
    wire_ = start + signature(body).encode() + b"\r\n\r\n" + chunks + b"0\r\nX-Trailer: y\r\n\r\n"
    assert (await send(door.url, wire_, answers=1)).statuses == [200]
    assert (await rows.one())["body"] == body


async def test_chunks_without_end_are_cut_off_at_the_limit(door, rows):
    chunk = b"10000\r\n" + b"x" * 65536 + b"\r\n"
    answer = await send(door.url, post(b"Transfer-Encoding: chunked", body=b""), *([chunk] * 40), answers=1)
    assert answer.statuses == [413]
    assert await rows.count() == (0, 0)


@pytest.mark.parametrize("length", [524_289, 10**9, 10**18])
async def test_what_says_that_it_is_too_large_is_refused_before_a_byte_of_it_comes(door, length):
    answer = await send(door.url, post(b"Content-Length: %d" % length, body=b""), answers=1)
    assert answer.statuses == [413]


@pytest.mark.parametrize("part", ["nothing", "start line", "headers", "body", "chunk"])
async def test_who_dribbles_is_hung_up_on(open_door, rows, monkeypatch, part):
    monkeypatch.setattr(wire, "FIRST_REQUEST_S", 0.5)
    monkeypatch.setattr(limits, "BODY_S", 0.5)
    begun = {
        "nothing": b"",
        "start line": b"POST /webhooks",
        "headers": b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nX-",
        "body": post(b"Content-Length: 1000", body=b"{"),
        "chunk": post(b"Transfer-Encoding: chunked", body=b"3e8\r\n{"),
    }[part]
    async with open_door() as door:
        answer = await send(door.url, begun, *([b"a"] * 60), pause_s=0.02, quiet_s=10)
        assert answer.statuses in ([], [408])
        monkeypatch.undo()
        assert (await door.deliver(an_event()))[0] == 200
    assert await rows.count() == (1, 1)


async def test_two_hundred_who_dribble_at_once_hold_nobody_else_up(door):
    async def dribble() -> Answer:
        return await send(door.url, post(b"Content-Length: 1000", body=b"{"), *([b"a"] * 20), pause_s=0.05)

    dribbling = [asyncio.create_task(dribble()) for _ in range(200)]
    await asyncio.sleep(0.2)
    for _ in range(10):
        assert (await door.deliver(an_event()))[0] == 200
    assert all(answer.is_decent for answer in await asyncio.gather(*dribbling))
