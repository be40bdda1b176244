"""What is read of an event before it is stored: odd bodies are refused or made harmless, never a crash."""

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from services.webhooks import domain
from tests.stripe_events import an_event, body_of

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def test_the_facts_of_an_event_are_read():
    event = an_event()
    event["data"]["object"]["metadata"]["traceparent"] = TRACEPARENT
    read = domain.read(body_of(event))
    assert (read.id, read.type, read.livemode) == (event["id"], "payment_intent.succeeded", False)
    assert (read.created, read.api_version) == (event["created"], event["api_version"])
    assert (read.object_id, read.traceparent) == (event["data"]["object"]["id"], TRACEPARENT)


@pytest.mark.parametrize(
    "body",
    [
        b"nonsense",
        b"[]",
        b"null",
        b'"text"',
        b"12",
        b"{}",
        b'{"id": "evt_1"}',
        b'{"type": "a.b"}',
        b'{"id": 1, "type": "a.b"}',
        b'{"id": "", "type": "a.b"}',
        b'{"id": "evt\\u0000", "type": "a.b"}',
        b'{"id": "evt_1", "type": "a\\u0000b"}',
        b'{"id": "evt_1", "type": "caf\xc3\xa9"}',
        b'{"id": "evt 1", "type": "a.b"}',
        b'{"id": "' + b"e" * 256 + b'", "type": "a.b"}',
        b'{"id": "evt_1", "type": ["a.b"]}',
        b'{"id": "evt_1", "type": "a.b", "n": 1e999}',
        b'{"id": "evt_1", "type": "a.b", "deep": ' + b"[" * 10_000 + b"]" * 10_000 + b"}",
        b'{"id": "evt_1", "type": "a.b", "deep": ' + b"[" * 500 + b"]" * 500 + b"}",
        b"\xef\xbb\xbf{}",
        b'{"id": "evt_1", "type": "a.b", "half": "\\ud800"}',
    ],
)
def test_a_body_that_is_no_event_is_malformed(body):
    with pytest.raises(domain.EventMalformed):
        domain.read(body)


def test_odd_values_beside_id_and_type_count_as_not_given():
    odd = {"created": "yesterday", "api_version": "\x00", "livemode": "no", "data": {"object": {"id": "x" * 300}}}
    read = domain.read(body_of({"id": "evt_1", "type": "a.b", **odd}))
    assert (read.created, read.api_version, read.livemode, read.object_id) == (None, None, None, None)


@pytest.mark.parametrize("data", [None, [], "text", 5, {"object": None}, {"object": [1]}, {}])
def test_an_event_about_nothing_is_still_an_event(data):
    assert domain.read(body_of({"id": "evt_1", "type": "a.b", "data": data})).object_id is None


@pytest.mark.parametrize(
    "traceparent",
    [
        None,
        7,
        "",
        "00-" + "0" * 32 + "-b7ad6b7169203331-01",
        "00-0af7651916cd43dd8448eb211c80319c-" + "0" * 16 + "-01",
        TRACEPARENT.upper(),
        TRACEPARENT + "-more",
        TRACEPARENT + "\n",
        "ff" + TRACEPARENT[2:],
    ],
)
def test_only_a_valid_traceparent_is_gone_on_with(traceparent):
    event = an_event()
    event["data"]["object"]["metadata"]["traceparent"] = traceparent
    assert domain.read(body_of(event)).traceparent is None


def test_the_digest_is_of_what_is_said_not_of_how():
    event = an_event()
    same = {key: event[key] for key in reversed(event)} | {"pending_webhooks": 0}
    assert domain.read(body_of(event)).digest == domain.read(orjson.dumps(same)).digest


def test_the_digest_differs_when_anything_said_differs():
    event = an_event()
    other = {**event, "data": {"object": {**event["data"]["object"], "amount_received": 1}}}
    assert domain.read(body_of(event)).digest != domain.read(body_of(other)).digest


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False) | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=15,
)


@given(st.fixed_dictionaries({}, optional={key: _JSON for key in an_event()}))
def test_any_json_is_either_refused_or_read_into_clean_texts(event):
    try:
        read = domain.read(orjson.dumps(event))
    except (domain.EventMalformed, TypeError):  # TypeError: not JSON to begin with, so not ours to judge
        return
    for text in (read.id, read.type, read.api_version, read.object_id):
        assert text is None or (text.isascii() and text.isprintable() and len(text) <= 255)
