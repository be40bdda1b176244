"""Reading Stripe's bracketed forms and parameters."""

import contextlib
from typing import Any
from urllib.parse import urlencode

import pytest
from hypothesis import given
from hypothesis import strategies as st

from deploy.standins.stripe import forms, params
from deploy.standins.stripe.errors import Refusal
from deploy.standins.stripe.params import Spec


@pytest.mark.parametrize(
    ("body", "form"),
    [
        ("", {}),
        ("amount=100&currency=usd", {"amount": "100", "currency": "usd"}),
        ("metadata[order_id]=7&metadata[a]=", {"metadata": {"order_id": "7", "a": ""}}),
        ("expand[]=a&expand[]=b", {"expand": ["a", "b"]}),
        ("expand[0]=a&expand[1]=b", {"expand": ["a", "b"]}),
        ("expand[1]=b&expand[0]=a", {"expand": ["a", "b"]}),
        ("card[number]=42&card[checks][cvc]=x", {"card": {"number": "42", "checks": {"cvc": "x"}}}),
        ("created%5Bgte%5D=5", {"created": {"gte": "5"}}),
        ("name=Zo%C3%AB+M%C3%BCller", {"name": "Zoë Müller"}),
        ("items[0][price]=a&items[1][price]=b", {"items": [{"price": "a"}, {"price": "b"}]}),
    ],
)
def test_a_form_becomes_nested_values(body: str, form: dict[str, Any]) -> None:
    assert forms.parse(body) == form


@pytest.mark.parametrize(
    "body", ["a[=1", "[a]=1", "a[b]c=1", "a=1&a[b]=2", "a[b]=1&a=2", "a" + "[b]" * 9 + "=1", "a=%ff"]
)
def test_a_form_that_makes_no_sense_is_refused(body: str) -> None:
    with pytest.raises(Refusal) as caught:
        forms.parse(body)
    assert caught.value.status == 400


@given(st.text())
def test_no_body_does_worse_than_be_refused(body: str) -> None:
    with contextlib.suppress(Refusal):
        forms.parse(body)


@given(st.dictionaries(st.from_regex(r"[a-z_]{1,10}", fullmatch=True), st.text(min_size=1)))
def test_metadata_comes_through_unchanged(metadata: dict[str, str]) -> None:
    body = urlencode({f"metadata[{key}]": value for key, value in metadata.items()})
    assert forms.parse(body).get("metadata", {}) == metadata


@pytest.mark.parametrize("value", ["1.5", "ten", "1e3", "٣", "²", " 1", "0x10", "--1", "9" * 40])
def test_only_a_plain_integer_is_an_integer(value: str) -> None:
    with pytest.raises(Refusal) as caught:
        params.read({"amount": value}, Spec({"amount": params.integer()}))
    assert caught.value.error["code"] == "parameter_invalid_integer"


def test_metadata_is_merged_and_emptied() -> None:
    assert params.merge_metadata({"a": "1", "b": "2"}, {"a": "", "c": "3"}) == {"b": "2", "c": "3"}
    assert params.merge_metadata({"a": "1"}, {}) == {}
