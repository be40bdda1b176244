"""`GET /reference`: the document as a page for people. No script, and nothing from elsewhere, also no style sheet."""

import base64
import hashlib
import json
import re
from collections.abc import Iterable, Mapping
from functools import cache
from pathlib import Path
from typing import Any

import jinja2
from markupsafe import Markup, escape

from shared.openapi.examples import Schema, curl, example, resolve

TEMPLATES = Path(__file__).parent / "templates"
STYLE = (TEMPLATES / "reference.css").read_text(encoding="utf-8")
_DIGEST = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
# The style is in the page, and by its digest no other can be; the icon is none, so that nobody asks for one.
POLICY = (
    f"default-src 'none'; style-src 'sha256-{_DIGEST}'; img-src data:; "
    "frame-ancestors 'none'; base-uri 'none'; form-action 'none'"
)

LIMITS = {
    "minLength": "length at least {}",
    "maxLength": "length at most {}",
    "minimum": "at least {}",
    "exclusiveMinimum": "more than {}",
    "maximum": "at most {}",
    "exclusiveMaximum": "less than {}",
    "minItems": "at least {} of them",
    "maxItems": "at most {} of them",
    "minProperties": "at least {} of them",
}


def render(document: Mapping[str, Any]) -> str:
    """The page of a document."""
    components = document["components"]["schemas"]
    return _template().render(
        document=document,
        style=Markup(STYLE),  # noqa: S704 (our own file)
        groups=[(tag, _operations(document, tag["name"])) for tag in document["tags"]],
        models=components,
        example=lambda schema: json.dumps(example(schema, components), ensure_ascii=False, indent=2),
        curl=lambda each: curl(each["method"], each["path"], each, components),
        codes=codes_of,
        kind=kind_of,
        limits=limits_of,
        resolve=lambda schema: resolve(schema, components),
    )


def codes_of(response: Mapping[str, Any]) -> list[str]:
    """The problems' codes that a response may have."""
    problem = response.get("content", {}).get("application/problem+json")
    found: list[str] = problem["schema"]["allOf"][1]["properties"]["code"]["enum"] if problem else []
    return found


def kind_of(schema: Schema) -> Markup:
    """What a value is, in a few words, with a link to its model."""
    if reference := schema.get("$ref"):
        name = reference.rsplit("/", 1)[-1]
        return Markup('<a href="#model-{0}">{0}</a>').format(name)
    if alternatives := schema.get("anyOf") or schema.get("oneOf"):
        return Markup(" or ").join(kind_of(each) for each in alternatives)
    if "const" in schema or "enum" in schema:
        values = schema.get("enum", [schema.get("const")])
        return Markup(", ").join(Markup("<code>{}</code>").format(json.dumps(value)) for value in values)
    if schema.get("type") == "array":
        return Markup("list of {}").format(kind_of(schema.get("items", {})))
    if keys := schema.get("patternProperties"):
        each = (Markup("<code>{}</code>: {}").format(key, kind_of(value)) for key, value in keys.items())
        return Markup("object of {}").format(Markup(", ").join(each))
    return escape(schema.get("format") or schema.get("type") or "anything")


def limits_of(schema: Schema) -> Iterable[Markup]:
    """The limits of a value, those of its alternatives included, as a model checks them."""
    for each in (schema, *schema.get("anyOf", ())):
        yield from (escape(words.format(f"{each[name]:,}")) for name, words in LIMITS.items() if name in each)
        if "pattern" in each:
            yield Markup("<code>{}</code>").format(each["pattern"])
        if each.get("default") is not None:
            yield Markup("<code>{}</code> unless given").format(json.dumps(each["default"]))


def _operations(document: Mapping[str, Any], tag: str) -> list[Mapping[str, Any]]:
    return [
        {**operation, "method": method.upper(), "path": path}
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if tag in operation["tags"]
    ]


def _words(text: str) -> Markup:
    """Paragraphs, lines that begin with `- `, and `code`: all that our docstrings use."""
    blocks = []
    for block in re.split(r"\n\s*\n", text.strip()):
        if block.startswith("- "):
            items = Markup("").join(Markup("<li>{}</li>").format(_code(line[2:])) for line in block.splitlines())
            blocks.append(Markup("<ul>{}</ul>").format(items))
        else:
            blocks.append(Markup("<p>{}</p>").format(_code(block)))
    return Markup("\n").join(blocks)


def _code(text: str) -> Markup:
    parts = enumerate(text.split("`"))
    return Markup("").join(Markup("<code>{}</code>").format(part) if at % 2 else escape(part) for at, part in parts)


@cache
def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        auto_reload=False,  # a deployment that replaces files under us must not mix two releases
    )
    environment.filters.update(words=_words, code=_code)
    return environment.get_template("reference.html")
