"""Bodies in and out: JSON in, checked twice (as JSON, then as the model it should be); JSON out."""

import json
import math
import re
import uuid
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NoReturn, TypeVar
from urllib.parse import parse_qsl

import orjson
from aiohttp import web
from pydantic import BaseModel, ValidationError

from shared.errors import BadRequest, FieldError, Invalid, UnsupportedMediaType
from shared.redaction import redact

M = TypeVar("M", bound=BaseModel)

_UUID = re.compile(r"[0-9a-fA-F]{8}(?:-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12}")
FORM = "application/x-www-form-urlencoded"
MOST_FIELDS = 50
_MOST_ERRORS = 20
_LONGEST_NAME = 64
# pydantic's messages for these quote what was sent.
_OWN_WORDS = {"uuid_parsing": "has to be a UUID", "url_parsing": "has to be a URL"}


class MalformedJson(BadRequest):
    code = "malformed_json"
    title = "The body is not a JSON object"


class MalformedForm(BadRequest):
    code = "malformed_form"
    title = "The body is not a form"


class MalformedId(BadRequest):
    code = "malformed_id"
    title = "The id in the path is not a UUID"


async def parse(request: web.Request, model: type[M]) -> M:
    """The body as the model, or a problem that names each field in which it isn't."""
    if request.content_type != "application/json" or (request.charset or "utf-8").lower() not in {
        "utf-8",
        "utf8",
    }:
        raise UnsupportedMediaType("send the body as application/json, in UTF-8")
    return parse_json(await request.read(), model)


def parse_json(body: bytes, model: type[M]) -> M:
    """The same for bytes at hand."""
    _refuse_unsound(body)
    try:
        return model.model_validate_json(body)
    except ValidationError as error:
        details = error.errors(include_url=False, include_context=False, include_input=False)
    if details[0]["type"] == "json_invalid":  # sound for Python, but not for pydantic: nested too deeply
        raise MalformedJson("the body is nested too deeply")
    raise Invalid(
        "see `errors` for the fields",
        errors=[
            FieldError(_path(item["loc"]), _OWN_WORDS.get(item["type"], item["msg"])) for item in details[:_MOST_ERRORS]
        ],
    )


async def parse_form(request: web.Request) -> dict[str, str]:
    """The fields of a form as browsers send one; no body is a form without fields.

    Not aiohttp's `post()`, which raises ValueError, so a 500, for what it can't read, and also takes files.
    """
    body = await request.read()
    if not body:
        return {}
    if request.content_type != FORM:
        raise UnsupportedMediaType(f"send the form as {FORM}")
    try:
        pairs = parse_qsl(body.decode("utf-8"), keep_blank_values=True, errors="strict", max_num_fields=MOST_FIELDS)
    except ValueError:  # UnicodeDecodeError is one
        raise MalformedForm("the form can't be read as UTF-8, or has too many fields") from None
    if len(fields := dict(pairs)) != len(pairs):
        raise MalformedForm("a name stands twice in the form")
    return fields


def path_uuid(request: web.Request, name: str) -> uuid.UUID:
    """A path parameter as a UUID, written the usual way with dashes."""
    text = request.match_info[name]
    if not _UUID.fullmatch(text):
        raise MalformedId("has to be a UUID", field=name)
    return uuid.UUID(text)


def reply(
    content: BaseModel | Mapping[str, Any] | Sequence[Any],
    status: int = 200,
    headers: Mapping[str, str] | None = None,
) -> web.Response:
    """JSON. Models may stand anywhere inside."""
    body = orjson.dumps(content, default=_plain, option=orjson.OPT_NON_STR_KEYS)
    return web.Response(status=status, body=body, content_type="application/json", headers=headers)


def _plain(value: object) -> object:
    if isinstance(value, BaseModel):
        return value.model_dump(mode="json")
    if isinstance(value, set | frozenset):
        return list(value)
    raise TypeError(f"{type(value).__name__} can't be part of an answer")


def _refuse_unsound(body: bytes) -> None:
    """What JSON parsers disagree about is refused: two readers of one body must not see two orders."""
    try:
        value = json.loads(
            body.decode("utf-8"),
            object_pairs_hook=_without_duplicates,
            parse_constant=_refuse_constant,
            parse_float=_finite,
        )
    except RecursionError:
        raise MalformedJson("the body is nested too deeply") from None
    except UnicodeDecodeError:
        raise MalformedJson("the body is not UTF-8") from None
    except ValueError:
        raise MalformedJson("the body can't be read as JSON") from None
    if not isinstance(value, dict):
        raise MalformedJson("the body has to be a JSON object")
    if b"\\u" in body and (unfit := [_path(where) for where, text in _texts(value) if not _is_storable(text)]):
        reason = "holds a character that is none"
        raise Invalid(reason, errors=[FieldError(field, reason) for field in unfit[:_MOST_ERRORS]])


def _without_duplicates(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise MalformedJson("a name stands twice in one object")
    return found


def _refuse_constant(_: str) -> NoReturn:
    raise MalformedJson("NaN and Infinity are not JSON")


def _finite(text: str) -> float:
    number = float(text)
    if not math.isfinite(number):
        raise MalformedJson("a number is too large")
    return number


def _texts(value: Any, where: tuple[int | str, ...] = ()) -> Iterator[tuple[tuple[int | str, ...], str]]:
    """Every text in it with its place, names of fields included."""
    if isinstance(value, str):
        yield where, value
    elif isinstance(value, list):
        for index, each in enumerate(value):
            yield from _texts(each, (*where, index))
    elif isinstance(value, dict):
        for name, each in value.items():
            yield where, name
            yield from _texts(each, (*where, name))


def _is_storable(text: str) -> bool:
    """PostgreSQL takes no NUL, and half a surrogate pair can't be written as UTF-8 at all."""
    return not any(char == "\0" or "\ud800" <= char <= "\udfff" for char in text)


def _path(location: Sequence[int | str]) -> str:
    """`lines.0.quantity`. A name that we don't know is the client's own text, so it is cut and redacted."""
    parts = (redact(str(part))[:_LONGEST_NAME] for part in location)
    return ".".join(part if _is_storable(part) else "?" for part in parts) or "(body)"
