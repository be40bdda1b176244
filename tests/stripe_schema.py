"""JSON Schema of what Stripe's API takes and answers, derived from the official package, which Stripe generates.

Closed lists and unknown fields count as wrong here: that is right for our own stand-in and our own requests only.
"""

import sys
import types
import typing
from collections.abc import Callable
from functools import cache
from typing import Any, Literal, NotRequired, Union, get_args, get_origin

import jsonschema_rs
import stripe
import stripe.params
import stripe.params.radar
import stripe.params.test_helpers
from stripe._object_classes import get_object_class
from stripe._request_options import RequestOptions

Json = dict[str, Any]

# Names that the package gives its own classes where it needs them under another one.
OTHER_NAMES = {"DisputeResource": stripe.Dispute, "CardResource": stripe.Card, "ApplicationFeeRefund": None}
PLAIN = {int: "integer", str: "string", bool: "boolean", float: "number", type(None): "null"}


class Builder:
    """Schemas of types, each class once under `$defs`."""

    def __init__(self) -> None:
        self.definitions: dict[str, Json] = {}

    def of(self, hint: Any, scope: Json) -> Json:
        if isinstance(hint, str):
            return self._named(hint, scope)
        if isinstance(hint, typing.ForwardRef):
            return self._named(hint.__forward_arg__, scope)
        if hint in PLAIN:
            return {"type": PLAIN[hint]}
        origin = get_origin(hint)
        if origin is None:
            return self._class(hint) if isinstance(hint, type) else {}
        return self._generic(origin, get_args(hint), scope)

    def _generic(self, origin: Any, parts: tuple[Any, ...], scope: Json) -> Json:
        makers: dict[Any, Callable[[], Json]] = {
            Union: lambda: self._union(parts, scope),
            types.UnionType: lambda: self._union(parts, scope),
            Literal: lambda: {"enum": list(parts)},
            list: lambda: {"type": "array", "items": self.of(parts[0], scope)},
            dict: lambda: {"type": "object", "additionalProperties": self.of(parts[1], scope)},
            stripe.ListObject: lambda: self._list(parts[0], scope),
            NotRequired: lambda: self.of(parts[0], scope),
        }
        return makers[origin]() if origin in makers else {"type": "object"}

    def _union(self, parts: tuple[Any, ...], scope: Json) -> Json:
        """A list of choices with `str` beside it is open for Stripe; the stand-in invents no choice of its own."""
        if any(get_origin(part) is Literal for part in parts):
            parts = tuple(part for part in parts if part is not str)
        return {"anyOf": [self.of(part, scope) for part in parts]}

    def _named(self, name: str, scope: Json) -> Json:
        if name in OTHER_NAMES:
            kind = OTHER_NAMES[name]
            return self._class(kind) if kind is not None else {}
        if name.isidentifier():
            kind = scope.get(name) or getattr(stripe, name, None)
            return self.of(kind, scope) if kind is not None else {"type": "object"}
        return self.of(eval(name, {**vars(typing), **vars(stripe), **scope}), scope)  # the package's own annotations

    def _list(self, item: Any, scope: Json) -> Json:
        fields = {
            "object": {"const": "list"},
            "data": {"type": "array", "items": self.of(item, scope)},
            "has_more": {"type": "boolean"},
            "url": {"type": "string"},
        }
        return {"type": "object", "properties": fields, "required": list(fields), "additionalProperties": False}

    def _class(self, kind: type) -> Json:
        if kind.__name__ == "UntypedStripeObject":
            return {"type": "object"}
        name = f"{kind.__module__}.{kind.__qualname__}"
        if name not in self.definitions:
            self.definitions[name] = {}
            self.definitions[name] = self._fields(kind)
        return {"$ref": f"#/$defs/{name}"}

    def _fields(self, kind: type) -> Json:
        is_request = not issubclass(kind, stripe.StripeObject)
        scope = vars(sys.modules[kind.__module__])
        hints = {name: hint for name, hint in _annotations(kind).items() if "ClassVar" not in str(hint)}
        if not hints and not is_request:
            return {"type": "object"}
        optional = _is_not_required if is_request else _may_be_null
        return {
            "type": "object",
            "properties": {name: self.of(hint, scope) for name, hint in hints.items()},
            "required": [name for name, hint in hints.items() if not optional(hint)],
            "additionalProperties": False,
        }


def _annotations(kind: type) -> Json:
    own: Json = dict(vars(kind).get("__annotations__", {}))
    options = getattr(RequestOptions, "__annotations__", {})
    return {name: hint for name, hint in own.items() if name not in options or "Params" not in kind.__name__}


def _is_not_required(hint: Any) -> bool:
    return "NotRequired" in str(hint)


def _may_be_null(hint: Any) -> bool:
    return type(None) in get_args(hint)


@cache
def _validator(kind: Any) -> Any:
    builder = Builder()
    schema = builder.of(kind, vars(stripe))
    return jsonschema_rs.validator_for({**schema, "$defs": builder.definitions})


def definitions_of(kind: Any) -> dict[str, Json]:
    builder = Builder()
    builder.of(kind, vars(stripe))
    return builder.definitions


def _problems(kind: Any, value: Any, name: str) -> list[str]:
    found = _validator(kind).iter_errors(value)
    return [f"{name}{list(error.instance_path)}: {error.message[:300]}" for error in found]


def wrong_object(thing: Json) -> list[str]:
    """An object of the API by its own `object`, with what is in its lists and events."""
    noun = thing["object"]
    if noun in {"list", "search_result"}:
        shape = {"object", "data", "has_more", "url"} | ({"next_page"} if noun == "search_result" else set())
        strange = [f"a {noun} with {sorted(thing)}"] if set(thing) != shape else []
        return strange + [problem for row in thing["data"] for problem in wrong_object(row)]
    if thing.get("deleted"):
        return [] if set(thing) == {"id", "object", "deleted"} else [f"a deleted {noun} with {sorted(thing)}"]
    problems = _problems(get_object_class("V1", noun), thing, noun)
    if noun == "event":
        problems += [f"{thing['type']}: {problem}" for problem in wrong_object(thing["data"]["object"])]
    return problems


def wrong_error(error: Json) -> list[str]:
    return _problems(stripe.ErrorObject, error, "error")


def params_class(method: str, path: str) -> Any:
    """What the package says the endpoint takes; None for what only browsers call."""
    steps = path.split("/")[2:]
    if path == "/v1/confirmation_tokens":
        return None
    corner: Any = stripe.params
    if steps[0] in {"radar", "test_helpers"}:
        corner = getattr(stripe.params, steps.pop(0))
    nouns = "".join(_camel(step.removesuffix("s")) for step in steps if step.endswith("s") or step == "balance")
    return getattr(corner, f"{nouns}{_verb(method, steps)}Params")


def _verb(method: str, steps: list[str]) -> str:
    last = steps[-1]
    if last.startswith("{"):
        return {"GET": "Retrieve", "POST": "Update", "DELETE": "Delete"}[method]
    if last.endswith("s") and last != "balance":
        return {"GET": "List", "POST": "Create"}[method]
    return "Retrieve" if last == "balance" else _camel(last)


def _camel(name: str) -> str:
    return "".join(word.capitalize() for word in name.split("_"))


def wrong_form(kind: Any, form: Json) -> list[str]:
    """A form's values are all text: they are read by the schema first."""
    definitions = definitions_of(kind)
    name = f"{kind.__module__}.{kind.__qualname__}"
    return _problems(kind, _read(form, definitions[name], definitions), kind.__name__)


def _read(value: Any, schema: Json, definitions: dict[str, Json]) -> Any:
    if "$ref" in schema:
        return _read(value, definitions[schema["$ref"].removeprefix("#/$defs/")], definitions)
    for choice in schema.get("anyOf", ()):
        read = _read(value, choice, definitions)
        if read is not value or value in choice.get("enum", ()):
            return read
    return _read_plain(value, schema) if isinstance(value, str) else _read_parts(value, schema, definitions)


def _read_parts(value: Any, schema: Json, definitions: dict[str, Json]) -> Any:
    if isinstance(value, list):
        return [_read(part, schema.get("items", {}), definitions) for part in value]
    properties = schema.get("properties", {})
    return {name: _read(part, properties.get(name, {}), definitions) for name, part in value.items()}


def _read_plain(value: str, schema: Json) -> Any:
    if schema.get("type") == "integer" and value.lstrip("-").isdecimal():
        return int(value)
    if schema.get("type") == "boolean" and value in {"true", "false"}:
        return value == "true"
    return value
