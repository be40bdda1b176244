"""What is not Stripe's gets a problem document, leaves nothing behind, and costs one log line."""

import asyncio
import logging
import time

import pytest

from services.webhooks.handlers import SIGNATURE_FAILURES
from tests.integration.webhooks.conftest import opened
from tests.stripe_events import OTHER_SECRET, SECRET, an_event, body_of, signature

BODY = body_of(an_event())
QUIET = ("services.webhooks", "shared.web", "aiohttp")


@pytest.fixture(scope="module")
async def long_open_door(database, amqp_url):
    """One for all tests here: most of them leave nothing behind."""
    async with opened(database, amqp_url) as door:
        yield door


@pytest.fixture
async def door(long_open_door, owner):
    await owner.execute("TRUNCATE webhooks.stripe_events, webhooks.stripe_event_ids")
    return long_open_door


def changed(body: bytes) -> bytes:
    return body.replace(b"12900", b"12901", 1)


# name -> (body, signatures, status, code)
REFUSED = {
    "one byte changed": (changed(BODY), lambda: [signature(BODY)], 400, "signature_mismatch"),
    "one byte added": (BODY + b" ", lambda: [signature(BODY)], 400, "signature_mismatch"),
    "one byte missing": (BODY[:-1], lambda: [signature(BODY)], 400, "signature_mismatch"),
    "unknown secret": (BODY, lambda: [signature(BODY, "whsec_test_unknown")], 400, "signature_mismatch"),
    "old": (BODY, lambda: [signature(BODY, at=time.time() - 400)], 400, "timestamp_too_old"),
    "future": (BODY, lambda: [signature(BODY, at=time.time() + 400)], 400, "timestamp_in_future"),
    "time of the epoch": (BODY, lambda: [signature(BODY, at=0)], 400, "timestamp_too_old"),
    "no signature": (BODY, list, 400, "signature_missing"),
    "empty signature": (BODY, lambda: [""], 400, "signature_missing"),
    "nonsense signature": (BODY, lambda: ["nonsense"], 400, "signature_malformed"),
    "two signature headers": (BODY, lambda: [signature(BODY)] * 2, 400, "signature_duplicated"),
    "non-ASCII signature": (BODY, lambda: [signature(BODY) + "é"], 400, "signature_malformed"),
    "non-ASCII secret part": (BODY, lambda: [f"t={int(time.time())},v1=ü"], 400, "signature_malformed"),
    "huge signature": (BODY, lambda: [signature(BODY) + ",v1=" + "a" * 5000], 400, "signature_malformed"),
    "old scheme only": (BODY, lambda: [signature(BODY).replace("v1", "v0")], 400, "signature_mismatch"),
    "empty body": (b"", lambda: [f"t={int(time.time())},v1=aa"], 400, "body_empty"),
    "non-UTF-8 body": (b"\xff\xfe" + BODY, lambda: [signature(BODY)], 400, "body_not_utf8"),
    "5 MB": (b"a" * 5_000_000, lambda: [signature(BODY)], 413, "too_large"),
    "just too large": (b"a" * (512 * 1024 + 1), lambda: [signature(BODY)], 413, "too_large"),
    "signed, but no JSON": (b"nonsense", lambda: [signature(b"nonsense")], 400, "event_malformed"),
    "signed, but a list": (b"[]", lambda: [signature(b"[]")], 400, "event_malformed"),
    "signed, but nameless": (b"{}", lambda: [signature(b"{}")], 400, "event_malformed"),
}


@pytest.mark.parametrize("case", REFUSED)
async def test_it_is_refused_without_a_trace_and_with_one_line(door, rows, caplog, case):
    body, signatures, status, code = REFUSED[case]
    with caplog.at_level(logging.INFO):
        caplog.clear()
        answered, problem = await door.post(body, *signatures())
    assert (answered, problem["code"]) == (status, code)
    assert problem.keys() >= {"type", "title", "status", "detail", "request_id"}
    assert await rows.count() == (0, 0)
    # Many such requests in a row are a threat, which a job tells of at any moment.
    lines = [record for record in caplog.records if record.name.startswith(QUIET) and record.msg != "threat"]
    assert [record.getMessage() for record in lines] == ["request"]
    assert lines[0].levelno < logging.ERROR
    assert lines[0].status == status


@pytest.mark.parametrize("secret", [SECRET, OTHER_SECRET])
async def test_the_same_requests_unharmed_are_accepted(door, rows, secret):
    assert (await door.post(BODY, signature(BODY, secret)))[0] == 200
    assert await rows.count() == (1, 1)


def signed(text: str) -> tuple[bytes, str]:
    body = text.encode()
    return body, signature(body)


ODD = [
    '{"id":"evt_1","type":"a.b","created":1e400}',
    '{"id":"evt_1","type":"a.b","created":99999999999999999999999999}',
    '{"id":"evt_1","type":"a.b","created":-9223372036854775808}',
    '{"id":"evt_1","type":"a.b","data":{"object":{"id":"\\u0000"}}}',
    '{"id":"evt_\\u0000","type":"a.b"}',
    '{"id":"evt_1","type":"a\\u0000b"}',
    '{"id":"evt_1","type":"a.b","api_version":"\\u0000"}',
    '{"id":"evt_1","type":"a.b","data":{"object":{"metadata":{"traceparent":"\\u0000"}}}}',
    '{"id":"evt_1","type":"a.b","id":"evt_2"}',
    '{"id":"' + "e" * 300 + '","type":"a.b"}',
    '{"id":"evt_1","type":"' + "t" * 300 + '"}',
    '{"id":"evt_1","type":"a.b","livemode":"yes"}',
    '{"id":"evt_1","type":"a.b","livemode":null,"data":null}',
    '{"id":"evt_1","type":"payment_intent.succeeded"}',
    '{"id":"evt_1","type":"payment_intent.succeeded","data":{"object":{"metadata":{"order_id":"x"}}}}',
    '{"id":"evt_1","type":"a.b","deep":' + "[" * 300 + "]" * 300 + "}",
    '{"id":"evt_1","type":"a.b","deep":' + "[" * 10_000 + "]" * 10_000 + "}",
    '{"id":"evt_1","type":"a.b","text":"\\ud800"}',
    '{"id":"evt_1","type":"a.b","text":"' + "x" * 500_000 + '"}',
    "NaN",
    "",
]


@pytest.mark.parametrize("text", ODD, ids=range(len(ODD)))
async def test_what_is_signed_and_odd_is_refused_or_stored_but_never_our_fault(door, rows, text):
    status, _ = await door.post(*signed(text))
    assert status in (200, 400)
    expected = 1 if status == 200 else 0
    assert await rows.count() == (expected, expected)
    assert (await door.deliver(an_event()))[0] == 200  # and the next one is served


@pytest.mark.parametrize("agent", ["x" * 5000, "caf\u00e9", "\u2603 \u0085"])
async def test_odd_headers_are_kept_in_a_harmless_form(door, rows, agent):
    assert (await door.post(BODY, signature(BODY), **{"User-Agent": agent}))[0] == 200
    assert len((await rows.one())["headers"]) < 1000


async def raw(door, request: bytes) -> bytes:
    host, port = door.url.removeprefix("http://").split(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    try:
        writer.write(request)
        await writer.drain()
        async with asyncio.timeout(30):
            return await reader.read(4096)
    finally:
        writer.transport.abort()


@pytest.mark.parametrize(
    "header",
    [
        b"Stripe-Signature: " + b"a" * 100_000,
        b"Stripe-Signature: t=1\x00,v1=aa",
        b"Stripe-Signature: t=1,v1=\xff\xfe",
        b"Stripe-Signature : t=1,v1=aa",
        b"Content-Length: -1",
        b"Transfer-Encoding: nonsense",
        b"Content-Encoding: gzip",
        b"no colon at all",
    ],
)
async def test_what_is_hardly_http_is_refused_on_the_wire(door, rows, header):
    answer = await raw(door, b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\n" + header + b"\r\n\r\n")
    assert answer.split(b" ")[1][:1] == b"4"
    assert b"application/problem+json" in answer
    assert await rows.count() == (0, 0)


async def test_a_body_that_is_not_announced_is_counted_while_it_comes(door, rows):
    async def endless():
        for _ in range(200):
            yield b"x" * 10_000

    async with door.session.post(
        f"{door.url}/webhooks/stripe", data=endless(), headers={"Stripe-Signature": signature(BODY)}
    ) as response:
        assert response.status == 413
    assert await rows.count() == (0, 0)


@pytest.mark.parametrize("method", ["GET", "PUT", "DELETE", "PATCH"])
async def test_other_methods_are_refused(door, method):
    async with door.session.request(method, f"{door.url}/webhooks/stripe") as response:
        assert response.status == 405


async def test_refusals_are_counted_by_reason(door):
    def count() -> float:
        return SIGNATURE_FAILURES.labels(reason="signature_mismatch")._value.get()

    before = count()
    await door.post(changed(BODY), signature(BODY))
    assert count() == before + 1


async def test_nobody_who_is_refused_can_use_up_stripes_turn(open_door, rows):
    async with open_door(request_limit_per_minute=3) as door:
        for _ in range(10):
            assert (await door.post(changed(BODY), signature(BODY)))[0] == 400
        for _ in range(10):
            assert (await door.deliver(an_event()))[0] == 200
    assert await rows.count() == (10, 10)
