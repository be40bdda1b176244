"""What is done to a request: to its parts, to its framing, to its bytes."""

import time
from collections.abc import Callable
from random import Random

from tests.fuzz.requests import Request, an_odd_body, an_ordinary_body, signed

JUNK = (
    b"",
    b"\x00",
    b"\xff\xfe",
    b" ",
    b"\t",
    b"\r",
    b"\n",
    b"a" * 300,
    b"a" * 9000,
    b"%00",
    b"../",
    b"\x7f",
    b"\xc3\xa9",
)
METHODS = (b"GET", b"PUT", b"HEAD", b"OPTIONS", b"TRACE", b"CONNECT", b"PRI", b"post", b"P\x00ST", b"X" * 500, b"")
TARGETS = (
    *(b"*", b"/", b"//", b"/webhooks/stripe/", b"/webhooks/stripe?x=1", b"/webhooks/stripe#x", b"/../webhooks/stripe"),
    *(b"http://127.0.0.1/webhooks/stripe", b"https://evil.example/", b"127.0.0.1:1", b"/%00", b"/%zz", b"/\xff"),
    *(
        b"/webhooks%2fstripe",
        b"/" + b"a" * 9000,
        b"/healthz",
        b"/readyz",
        b"/.env",
        b"",
        b"\\",
        b"http://[::1",
        b"//a@b:c/",
    ),
)
VERSIONS = (
    b"HTTP/1.0",
    b"HTTP/0.9",
    b"HTTP/2.0",
    b"HTTP/1.2",
    b"HTTP/1.1 ",
    b"http/1.1",
    b"HTTP/9" * 99,
    b"",
    b"ICY/1.1",
)
LENGTHS = (
    b"0",
    b"-1",
    b"+5",
    b"5, 6",
    b"1e3",
    b"0x10",
    b"99999999999999999999",
    b"524289",
    b"",
    b" 7",
    b"7\x00",
    b"\xd9\xa3",
)
ENCODINGS = (
    b"chunked",
    b"gzip, chunked",
    b"chunked, chunked",
    b"identity",
    b"xchunked",
    b"chunked\x0b",
    b"",
    b"CHUNKED",
)
HEADERS = (
    (b"Expect", b"100-continue"),
    (b"Expect", b"nonsense"),
    (b"Upgrade", b"h2c"),
    (b"Upgrade", b"websocket"),
    (b"Connection", b"Upgrade, HTTP2-Settings"),
    (b"Connection", b"close"),
    (b"Content-Encoding", b"gzip"),
    (b"Content-Encoding", b"br"),
    (b"Host", b"evil.example"),
    (b"Forwarded", b'for="'),
    (b"X-Forwarded-For", b"127.0.0.1, 127.0.0.1"),
    (b"X-Forwarded-For", b"\xff, unknown,,"),
    (b"Cookie", b"a=" + b"b" * 5000),
    (b"Content-Type", b"multipart/form-data; boundary=\x00"),
    (b"traceparent", b"00-" + b"0" * 32 + b"-" + b"0" * 16 + b"-01"),
    (b"Range", b"bytes=0-0,0-0,-1"),
    (b"Trailer", b"Stripe-Signature"),
    (b"", b"nameless"),
    (b"a b", b"c"),
    (b"A" * 9000, b"long"),
    (b"Folded", b"one\r\n two"),
)

Mutation = Callable[[Request, Random], None]


def _method(request: Request, rng: Random) -> None:
    request.method = rng.choice(METHODS)


def _target(request: Request, rng: Random) -> None:
    request.target = rng.choice(TARGETS)


def _version(request: Request, rng: Random) -> None:
    request.version = rng.choice(VERSIONS)


def _line_end(request: Request, rng: Random) -> None:
    request.line_end = rng.choice((b"\n", b"\r", b"\r\r\n", b"\n\r", b"\r\n "))


def _another_header(request: Request, rng: Random) -> None:
    request.headers.insert(rng.randrange(len(request.headers) + 1), rng.choice(HEADERS))


def _many_headers(request: Request, rng: Random) -> None:
    request.headers += [(b"X-%d" % n, b"y" * rng.randrange(200)) for n in range(rng.choice((20, 63, 64, 65, 500)))]


def _header_twice(request: Request, rng: Random) -> None:
    if request.headers:
        request.headers.append(rng.choice(request.headers))


def _header_gone(request: Request, rng: Random) -> None:
    if request.headers:
        request.headers.pop(rng.randrange(len(request.headers)))


def _header_value(request: Request, rng: Random) -> None:
    if request.headers:
        index = rng.randrange(len(request.headers))
        name, value = request.headers[index]
        cut = rng.randrange(len(value) + 1)
        request.headers[index] = (name, value[:cut] + rng.choice(JUNK) + value[cut:])


def _length(request: Request, rng: Random) -> None:
    request.without(b"Content-Length")
    near = b"%d" % max(0, len(request.body) + rng.choice((-1, 1, -len(request.body), 10, 100_000)))
    request.headers.append((b"Content-Length", rng.choice((*LENGTHS, near))))


def _chunked(request: Request, rng: Random) -> None:
    """Chunks, most of them good, and sometimes a length beside them, as smuggling has it."""
    if rng.random() < 0.7:
        request.without(b"Content-Length")
    request.headers.append((b"Transfer-Encoding", rng.choice((b"chunked",) * 4 + ENCODINGS)))
    out, rest = bytearray(), request.body
    while rest and len(out) < 200_000:
        size = rng.randrange(1, max(2, len(rest)))
        told = b"%x" % size
        if rng.random() < 0.1:
            told = rng.choice((b"-1", b"FFFFFFFFFFFFFFFFF", b"", b"g", b"0", b"%x" % (size + 1), b"0x1", b"1" * 400))
        ending = rng.choice((b"\r\n",) * 9 + (b"\n", b";x=y\r\n", b";" + b"e" * 9000 + b"\r\n", b" \r\n"))
        out += told + ending + rest[:size] + rng.choice((b"\r\n",) * 19 + (b"",))
        rest = rest[size:]
    trailers = (b"0\r\n\r\n",) * 5 + (
        b"0\r\nStripe-Signature: t=1\r\n\r\n",
        b"0\r\n" + b"X: y\r\n" * 500 + b"\r\n",
        b"",
        b"0",
    )
    request.framed = bytes(out) + rng.choice(trailers)


def _signature(request: Request, rng: Random) -> None:
    request.without(b"Stripe-Signature")
    at = int(time.time()) + rng.choice((0, 0, -301, 301, -(10**9), 10**9))
    shapes = (
        b"t=%d,v1=%b" % (at, b"a" * 64),
        b"t=%d" % at,
        b"v1=" + b"a" * 64,
        b"t=%d,t=%d,v1=%b" % (at, at, b"a" * 64),
        b"t=\xd9\xa3,v1=aa",
        b"t=%d,v1=%b" % (at, b",v1=" * 300),
        b"," * 2000,
        b"=" * 2000,
        b"t=1e9,v1=" + b"A" * 64,
        b"t=%d,v1=\xc3\xbc" % at,
        b"t=" + b"9" * 5000,
    )
    request.headers.append((b"Stripe-Signature", rng.choice(shapes)))


def _body(request: Request, rng: Random) -> None:
    request.body = rng.choice(
        (
            b"",
            request.body[: rng.randrange(len(request.body) + 1)],
            request.body + rng.choice(JUNK),
            b"\xff" + request.body,
            b"[" * 10_000,
            b"\x1f\x8b" + request.body,
            b"x" * rng.choice((1000, 300_000, 524_288, 524_289, 700_000)),
        )
    )


PARTS: tuple[Mutation, ...] = (
    *(_method, _target, _version, _line_end, _another_header, _another_header, _many_headers, _header_twice),
    *(_header_gone, _header_value, _header_value, _length, _chunked, _chunked, _signature, _signature, _body),
)

OTHER_PROTOCOLS = (
    b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\x00\x00\x00\x04\x00\x00\x00\x00\x00",
    b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"r" * 500,
    b"SSH-2.0-OpenSSH_9\r\n",
    b"GET /webhooks/stripe\r\n",
    b"PROXY TCP4 1.2.3.4 5.6.7.8 1 2\r\nGET / HTTP/1.1\r\nHost: x\r\n\r\n",
    b"\x00" * 1000,
    b"\r\n" * 2000,
    b"*3\r\n$3\r\nSET\r\n$1\r\na\r\n$1\r\nb\r\n",
)


def hostile(rng: Random) -> tuple[bytes, bytes]:
    """What is sent, and the body in it that was signed: only that one may be stored, and only as it is."""
    body = an_odd_body(rng) if rng.random() < 0.3 else an_ordinary_body(rng)
    request = signed(body, rng)
    for _ in range(rng.choice((0, 1, 1, 1, 2, 2, 4))):
        rng.choice(PARTS)(request, rng)
    wire = request.wire()
    chance = rng.random()
    if chance < 0.25:
        wire = _noise(wire, rng)
    elif chance < 0.32:
        wire = rng.choice(OTHER_PROTOCOLS)
    elif chance < 0.40:  # pipelined, or smuggled behind a length that lies
        wire += _noise(signed(body, rng).wire(), rng)
    return wire, body


def _noise(wire: bytes, rng: Random) -> bytes:
    """Bytes changed, left out, doubled, put in, or the end cut off."""
    data = bytearray(wire)
    for _ in range(rng.choice((1, 1, 2, 5, 30))):
        at = rng.randrange(len(data) or 1)
        act = rng.randrange(5)
        if act == 0 and data:
            data[at] = rng.randrange(256)
        elif act == 1:
            del data[at : at + rng.randrange(1, 20)]
        elif act == 2:
            data[at:at] = data[at : at + rng.randrange(1, 50)]
        elif act == 3:
            data[at:at] = rng.choice(JUNK)
        elif rng.random() < 0.2:
            del data[at:]
    return bytes(data)
