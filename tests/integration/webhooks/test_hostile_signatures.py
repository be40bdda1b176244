"""Signatures in every broken shape, and signed bodies that parsers stumble over."""

import logging
import time

import pytest
from stripe import WebhookSignature

from tests.integration.webhooks.conftest import opened
from tests.stripe_events import SECRET, an_event, body_of, signature

BODY = body_of(an_event())
HEX = "a" * 64


@pytest.fixture(scope="module")
async def long_open_door(database, amqp_url):
    async with opened(database, amqp_url) as door:
        yield door


@pytest.fixture
async def door(long_open_door, owner, caplog):
    await owner.execute("TRUNCATE webhooks.stripe_events, webhooks.stripe_event_ids")
    with caplog.at_level(logging.INFO):
        yield long_open_door
    broken = [
        each
        for each in caplog.get_records("call")
        if each.levelno >= logging.ERROR and each.name.startswith("shared.web")
    ]
    assert broken == []
    assert (await long_open_door.deliver(an_event()))[0] == 200


def genuine() -> tuple[str, str]:
    """Time and signature of BODY, right now."""
    at = str(int(time.time()))
    return at, WebhookSignature.generate_signature_header(BODY.decode(), SECRET, int(at)).rpartition("v1=")[2]


# Made from the genuine time `t` and signature `v`: each is no longer what Stripe sends.
SHAPES = [
    *("{t}", "{v}", "t={t}", "v1={v}", "t={t};v1={v}", "t={t} v1={v}", "t={t},{v}", "t={t},v1:{v}", "t:{t},v1={v}"),
    *("T={t},v1={v}", "t={t},V1={v}", "t={t},v2={v}", "t={t},v0={v}", "t={t},v11={v}", "t={t},v={v}", "t={t},v1 ={v}"),
    *(
        "t={t},v1={v}0",
        "t={t},v1=0{v}",
        "t={t},v1={v!U}",
        "t={t},v1=0x{v}",
        "t={t},v1=",
        "t={t},v1=null",
        't={t},v1="{v}"',
    ),
    *(
        "t={t},t={t},v1={v}",
        "t=0,t={t},v1={v}",
        "t={t},v1={v},t=0",
        "t=,v1={v}",
        "t=-{t},v1={v}",
        "t=+{t},v1={v}",
        "t={t}.0,v1={v}",
    ),
    *(
        "t=00{t},v1={v}",
        "t={t}000,v1={v}",
        "t=1e9,v1={v}",
        "t=0x5f,v1={v}",
        "t=NaN,v1={v}",
        "t=inf,v1={v}",
        "t={t}_0,v1={v}",
    ),
    *(
        "t=1_{t},v1={v}",
        "t=,t={t},v1={v}",
        ",t={t},v1={v}",
        "t={t},,v1={v}",
        "t={t},v1={v},",
        "=,t={t},v1={v}",
        "{{}}",
        "[]",
        "null",
    ),
    *(
        "t={t},v1={h}",
        "t={t},v1={h},v1={h}",
        "t={t}," + ",".join(["v1={h}"] * 20),
        "t={t}," + ",".join(["v1={h}"] * 40),
    ),
    *(
        "t={t},v1={v}," + "x=y," * 40 + "x=y",
        "t={t},v1={v}" + "," * 500,
        "=" * 500,
        "," * 500,
        "t" * 2048,
        "t=" + "9" * 2000,
    ),
    *(
        "t={t},v1={v},x=" + "y" * 3000,
        "t={t},v1={v} é",
        "t={t}\u00a0,v1={v}",
        "t={t},\tv1={v}",
        "t=٣,v1={v}",
        "t={t},v1=％",
    ),
    *(
        "Bearer {v}",
        "t={t},v1={v}; t={t},v1={v}",
        "sha256={v}",
        "' OR 1=1 --",
        "<script>alert(1)</script>",
        "${{jndi:ldap://x}}",
        "../../x",
    ),
]


@pytest.mark.parametrize("shape", SHAPES, ids=range(len(SHAPES)))
async def test_it_is_refused_unless_it_is_stripes_and_never_our_fault(door, rows, shape):
    at, value = genuine()
    header = shape.replace("{v!U}", value.upper()).format(t=at, v=value, h=HEX)
    status, problem = await door.post(BODY, header)
    assert (status, problem["code"].partition("_")[0]) in {(400, "signature"), (400, "timestamp")}, problem
    assert await rows.count() == (0, 0)


@pytest.mark.parametrize("count", [2, 3, 50])
async def test_more_than_one_header_is_refused_even_if_all_are_right(door, rows, count):
    assert (await door.post(BODY, *[signature(BODY)] * count))[0] == 400
    assert await rows.count() == (0, 0)


DEEP, WIDE = 10_000, 100_000
BODIES = {
    **{
        f"deep {opens}": (opens * DEEP + "1" + closes * DEEP)
        for opens, closes in (("[", "]"), ('{"a":', "}"), ('[{"a":', "}]"))
    },
    **{f"unclosed {opens}": opens * DEEP for opens in ("[", "{", '"', '{"a":', "[[[{", "-", "\\")},
    **{
        f"number {n}": f'{{"id":"evt_1","type":"a.b","created":{n}}}'
        for n in ("1" * WIDE, "1e999", "-1e999", "1." + "0" * WIDE)
    },
    **{
        f"constant {n}": f'{{"id":"evt_1","type":"a.b","created":{n}}}'
        for n in ("NaN", "Infinity", "-Infinity", "nan", "0x1", "01")
    },
    **{
        f"id {n}": f'{{"id":{n},"type":"a.b"}}'
        for n in ("null", "1", "[]", "{}", '""', '"\\ud800"', '"\\u0000"', '"' + "e" * 256 + '"')
    },
    **{
        f"type {n}": f'{{"id":"evt_1","type":{n}}}'
        for n in ("null", "1", "[]", '""', '"\\udfff"', '"\\u0000"', '"' + "t" * 256 + '"')
    },
    **{
        f"data {n}": f'{{"id":"evt_1","type":"payment_intent.succeeded","data":{n}}}'
        for n in ("null", "1", "[]", '{"object":[]}')
    },
    "a name twice": '{"id":"evt_1","id":"evt_2","type":"a.b"}',
    "a name 50,000 times": "{" + ",".join(['"id":"evt_1"'] * 20_000) + ',"type":"a.b"}',
    "20,000 names": "{" + ",".join(f'"k{n}":1' for n in range(20_000)) + ',"id":"evt_1","type":"a.b"}',
    "two values": '{"id":"evt_1","type":"a.b"}{"id":"evt_2","type":"a.b"}',
    "a comment": '{"id":"evt_1",/* x */"type":"a.b"}',
    "a comma too many": '{"id":"evt_1","type":"a.b",}',
    "single quotes": "{'id':'evt_1','type':'a.b'}",
    "a byte order mark": '\ufeff{"id":"evt_1","type":"a.b"}',
    "control characters": '{"id":"evt_\x01","type":"a.b"}',
    "a prototype": '{"id":"evt_1","type":"a.b","__proto__":{"x":1},"constructor":{"prototype":{}}}',
}


@pytest.mark.parametrize("case", BODIES)
async def test_a_signed_body_is_stored_or_refused_whatever_it_says(door, rows, case):
    body = BODIES[case].encode()
    status, _ = await door.post(body, signature(body))
    assert status in (200, 400)
    expected = 1 if status == 200 else 0
    assert await rows.count() == (expected, expected)


@pytest.mark.parametrize(
    "body",
    [b"\xff", b"\xc3", b"\xed\xa0\x80", b"\xc0\x80", b"\xf8\x88\x80\x80\x80", b"\x80" * 1000, b"\xff\xfe{\x00}\x00"],
)
async def test_what_is_no_utf8_is_refused_before_its_signature_is_looked_at(door, rows, body):
    status, problem = await door.post(body, f"t={int(time.time())},v1={HEX}")
    assert (status, problem["code"]) == (400, "body_not_utf8")
    assert await rows.count() == (0, 0)


@pytest.mark.parametrize("kept", [0, 1, 2, 100, -100, -2, -1])
async def test_a_body_that_was_cut_off_is_not_the_one_that_was_signed(door, rows, kept):
    assert (await door.post(BODY[:kept], signature(BODY)))[0] == 400
    assert await rows.count() == (0, 0)
