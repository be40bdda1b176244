"""JSON Schemas of all models and parameters of a document, made by pydantic."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal

from pydantic import BaseModel, TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaValue
from pydantic_core import core_schema

from shared.openapi.describing import Body, Content, Description
from shared.openapi.parameters import Parameter
from shared.openapi.problems import Problem

REF = "#/components/schemas/{model}"

Mode = Literal["validation", "serialization"]
Key = tuple[type[BaseModel], Mode]


class Exactly(GenerateJsonSchema):
    """Pydantic's schemas, without titles that only repeat the name of a field."""

    def field_title_should_be_set(self, schema: Any) -> bool:
        return False

    def dict_schema(self, schema: core_schema.DictSchema) -> JsonSchemaValue:
        """Keys that fit no pattern are refused; pydantic forgets to say so."""
        found = super().dict_schema(schema)
        return {**found, "additionalProperties": False} if "patternProperties" in found else found


class Schemas:
    """The components, and where each model stands among them."""

    def __init__(self, said: Sequence[Description]) -> None:
        keys: list[Key] = list(dict.fromkeys([(Problem, "serialization"), *_models(said)]))
        inputs = [(model, mode, TypeAdapter(model)) for model, mode in keys]
        found, definitions = TypeAdapter.json_schemas(inputs, ref_template=REF, schema_generator=Exactly)
        self._found = found
        self.components: dict[str, Any] = dict(sorted(definitions.get("$defs", {}).items()))

    def of(self, model: type[BaseModel], *, is_input: bool) -> dict[str, Any]:
        """A reference to the model, as it comes in or goes out."""
        return dict(self._found[model, "validation" if is_input else "serialization"])

    def of_parameter(self, parameter: Parameter) -> dict[str, Any]:
        """The schema of a parameter, which may name its default."""
        schema = parameter.adapter.json_schema(schema_generator=Exactly)
        return schema if parameter.default is None else {**schema, "default": parameter.default}


def _models(said: Iterable[Description]) -> Iterable[Key]:
    for each in said:
        if model := _model(each.takes):
            yield model, "validation"
        for answer in each.gives.values():
            if model := _model(answer.body):
                yield model, "serialization"


def _model(body: Body) -> type[BaseModel] | None:
    return body.of if isinstance(body, Content) else body
