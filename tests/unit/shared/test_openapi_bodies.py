"""A body that fits the document fits the model that reads it. Schemathesis tries the other way on the services."""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import Phase, given, settings
from schemathesis import GenerationMode

from shared.openapi.document import build, operations_of
from shared.permissions import Permission
from shared.web import parse_json
from tests.apps import apps

CHECKOUT = apps()["checkout"]
MODELS = {
    f"{each.route.method} {each.path}": each.said.takes
    for each in operations_of(CHECKOUT)
    if isinstance(each.said.takes, type)
}
DOCUMENT = schemathesis.openapi.from_dict(build(CHECKOUT, frozenset(Permission)))


def body_of(case: Any) -> bytes:
    return json.dumps(_whole(case.body)).encode()


def _whole(value: Any) -> Any:
    """To JSON Schema 2.0 is an integer; we want 2, and the document says so in words."""
    if isinstance(value, dict):
        return {name: _whole(each) for name, each in value.items()}
    if isinstance(value, list):
        return [_whole(each) for each in value]
    return int(value) if isinstance(value, float) and value.is_integer() else value


@pytest.mark.parametrize("operation", MODELS)
def test_a_body_that_fits_the_document_fits_the_model(operation):
    method, path = operation.split()

    @settings(max_examples=25, database=None, derandomize=True, phases=[Phase.explicit, Phase.generate])
    @given(case=DOCUMENT[path][method].as_strategy(generation_mode=GenerationMode.POSITIVE))
    def taken(case):
        parse_json(body_of(case), MODELS[operation])

    taken()
