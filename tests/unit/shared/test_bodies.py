"""JSON in: refused where readers could disagree, and where the model says so. JSON out."""

import json
import uuid
from datetime import UTC, datetime
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from shared.errors import Invalid
from shared.web import MalformedJson, parse_json, reply


class Line(BaseModel):
    model_config = ConfigDict(extra="forbid")

    sku: str
    quantity: int = Field(ge=1, le=99, strict=True)


class Basket(BaseModel):
    model_config = ConfigDict(extra="forbid")

    id: uuid.UUID | None = None
    lines: list[Line] = Field(min_length=1)
    locale: Literal["en", "de"] = "en"
    note: str = ""


GOOD = {"lines": [{"sku": "a", "quantity": 1}]}


def test_a_good_body_becomes_the_model() -> None:
    assert parse_json(json.dumps(GOOD).encode(), Basket).lines[0] == Line(sku="a", quantity=1)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"{}}",
        b"nonsense",
        b'{"lines": [1,]}',
        b"{'lines': []}",
        b"\xef\xbb\xbf{}",
        b'{"note": "\xff"}',
        '{"note": "ä"}'.encode("utf-16"),
        b'{"note": "a\x00b"}',
        b'{"note": "a\nb"}',
        b'{"note": 1, "note": 2}',
        b'{"note": {"a": 1, "a": 1}}',
        b'{"note": NaN}',
        b'{"note": Infinity}',
        b'{"note": -Infinity}',
        b'{"note": 1e999}',
        b'{"note": ' + b"9" * 5000 + b"}",
        b"[]",
        b'"text"',
        b"1",
        b"null",
        b"[" * 60_000,
        b'{"a":' * 10_000,
        b'{"note":' + b"[" * 500 + b"]" * 500 + b"}",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_what_is_no_json_object_for_everybody_is_refused(body: bytes) -> None:
    with pytest.raises(MalformedJson) as refusal:
        parse_json(body, Basket)
    assert (refusal.value.status, refusal.value.code) == (400, "malformed_json")


@pytest.mark.parametrize(
    ("body", "fields"),
    [
        ({}, ["lines"]),
        ({"lines": []}, ["lines"]),
        ({"lines": [{"sku": "a", "quantity": 0}]}, ["lines.0.quantity"]),
        ({"lines": [{"sku": "a", "quantity": -1}]}, ["lines.0.quantity"]),
        ({"lines": [{"sku": "a", "quantity": 10**9}]}, ["lines.0.quantity"]),
        ({"lines": [{"sku": "a", "quantity": 10**30}]}, ["lines.0.quantity"]),
        ({"lines": [{"sku": "a", "quantity": "1"}]}, ["lines.0.quantity"]),
        ({"lines": [{"sku": "a", "quantity": 1.0}]}, ["lines.0.quantity"]),
        ({"lines": [{"sku": None, "quantity": 1}, {"quantity": 1}]}, ["lines.0.sku", "lines.1.sku"]),
        ({**GOOD, "amount": 1}, ["amount"]),
        ({**GOOD, "locale": "fr"}, ["locale"]),
        ({**GOOD, "id": "not-a-uuid"}, ["id"]),
        ({**GOOD, "note": "a\0b"}, ["note"]),
        ({**GOOD, "note": "\ud800"}, ["note"]),
        ({"lines": [{"sku": "a\0", "quantity": 1}]}, ["lines.0.sku"]),
        ({**GOOD, "a\0b": 1}, ["(body)"]),
    ],
)
def test_what_is_not_the_model_is_refused_naming_each_field(body: object, fields: list[str]) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_json(json.dumps(body).encode(), Basket)
    assert [error.field for error in refusal.value.errors] == fields


def test_a_backslash_that_only_looks_like_nul_is_fine() -> None:
    assert parse_json(json.dumps({**GOOD, "note": r"\u0000"}).encode(), Basket).note == r"\u0000"


@pytest.mark.parametrize("field", ["id", "locale", "note", "lines"])
def test_a_refusal_never_repeats_what_was_sent(field: str) -> None:
    with pytest.raises(Invalid) as refusal:
        parse_json(json.dumps({**GOOD, field: {"zzsent": "zzsent"}}).encode(), Basket)
    assert not any("zzsent" in error.detail for error in refusal.value.errors)


def test_an_unknown_fields_name_is_shortened_and_redacted() -> None:
    with pytest.raises(Invalid) as refusal:
        parse_json(json.dumps({**GOOD, "4242424242424242": 1, "x" * 500: 1}).encode(), Basket)
    assert [error.field for error in refusal.value.errors] == ["[card]", "x" * 64]


def test_a_body_with_a_thousand_faults_has_a_short_answer() -> None:
    with pytest.raises(Invalid) as refusal:
        parse_json(json.dumps({"lines": [{}] * 1000}).encode(), Basket)
    assert len(refusal.value.errors) == 20


def test_models_may_stand_anywhere_in_an_answer() -> None:
    line = Line(sku="a", quantity=1)
    moment = datetime(2026, 11, 23, tzinfo=UTC)
    response = reply({"line": line, "more": [line], "id": uuid.UUID(int=1), "at": moment}, status=201)
    assert response.status == 201
    assert response.content_type == "application/json"
    assert json.loads(response.body) == {  # type: ignore[arg-type]
        "line": {"sku": "a", "quantity": 1},
        "more": [{"sku": "a", "quantity": 1}],
        "id": "00000000-0000-0000-0000-000000000001",
        "at": "2026-11-23T00:00:00+00:00",
    }
    assert json.loads(reply(line, headers={"Idempotent-Replayed": "true"}).body) == {"sku": "a", "quantity": 1}  # type: ignore[arg-type]


def test_what_has_no_json_is_a_bug_and_not_an_answer() -> None:
    with pytest.raises(TypeError):
        reply({"x": object()})
