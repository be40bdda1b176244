"""Examples made of a document's schemas: what has to be there, each field as its own example says. And curl lines."""

import json
from collections.abc import Mapping
from typing import Any

Schema = Mapping[str, Any]

PLAIN: Mapping[str, Any] = {"string": "text", "integer": 1, "number": 1, "boolean": True, "null": None}
BY_FORMAT = {"uuid": "019ac4a3-6f3b-7c52-9d0e-3b1f4a5c6d7e", "date-time": "2026-11-27T08:00:00Z"}


def resolve(schema: Schema, components: Mapping[str, Schema]) -> Schema:
    """What a reference means."""
    reference = schema.get("$ref")
    return schema if reference is None else components[reference.rsplit("/", 1)[-1]]


def example(schema: Schema, components: Mapping[str, Schema]) -> Any:
    """A value that fits, with the fields that have to be there."""
    schema = resolve(schema, components)
    for name in ("examples", "enum"):
        if schema.get(name):
            return schema[name][0]
    if "const" in schema or "default" in schema:
        return schema.get("const", schema.get("default"))
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        return example(alternatives[0], components)
    return _by_type(schema, components)


def _by_type(schema: Schema, components: Mapping[str, Schema]) -> Any:
    match schema.get("type"):
        case "object":
            fields, needed = schema.get("properties", {}), schema.get("required", [])
            return {name: example(each, components) for name, each in fields.items() if name in needed}
        case "array":
            return [example(schema.get("items", {}), components)]
        case "integer" | "number":
            return schema.get("minimum", schema.get("exclusiveMinimum", 0) + 1)
        case kind:
            return BY_FORMAT.get(schema.get("format", "")) or PLAIN.get(str(kind))


def curl(method: str, path: str, operation: Mapping[str, Any], components: Mapping[str, Schema]) -> str:
    """The operation as a line for the shell; `$BASE` is the server, `$TOKEN` what opens it."""
    parts, headers = [f"curl -X {method}" if method != "GET" else "curl"], []
    for parameter in operation.get("parameters", ()):
        value = str(example(parameter["schema"], components))
        if parameter["in"] == "path":
            path = path.replace(f"{{{parameter['name']}}}", value)
        elif parameter["in"] == "header" and parameter["required"]:
            headers.append(f"{parameter['name']}: {value}")
    schemes = {name for alternative in operation["security"] for name in alternative}
    headers += ["Authorization: Bearer $TOKEN"] if schemes & {"orderToken", "staffSession"} else []
    headers += ["Stripe-Signature: $SIGNATURE"] if "stripeSignature" in schemes else []
    parts[0] += f' "$BASE{path}"'
    parts += [f'-H "{header}"' for header in headers]
    return " \\\n  ".join([*parts, *_body(operation, components)])


def _body(operation: Mapping[str, Any], components: Mapping[str, Schema]) -> list[str]:
    content = operation.get("requestBody", {}).get("content", {})
    if not content:
        return []
    [(media_type, body)] = content.items()
    value = example(body["schema"], components)
    if media_type == "application/json":
        text = json.dumps(value, ensure_ascii=False, indent=1)
        return [f'-H "Content-Type: {media_type}"', f"-d {_quoted(text)}"]
    return [f"--data-urlencode {_quoted(f'{name}={each}')}" for name, each in value.items()]


def _quoted(text: str) -> str:
    """For a POSIX shell."""
    return "'" + text.replace("'", "'\\''") + "'"
