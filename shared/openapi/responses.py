"""Answers of a route: its own, and its problems by status with the codes that may stand in them."""

from collections.abc import Sequence
from http import HTTPStatus
from typing import Any

from shared.errors import PROBLEM_JSON
from shared.openapi.describing import Answer, Body, Content, Description
from shared.openapi.describing import Problem as ProblemType
from shared.openapi.problems import Problem, by_status
from shared.openapi.schemas import Schemas

JSON = "application/json"
STREAM = "text/event-stream"
ID = {"type": "string", "format": "uuid"}
REQUEST_ID = {"X-Request-Id": {"description": "Our id of the request", "required": True, "schema": ID}}
SECONDS = {"type": "string", "pattern": "^[1-9][0-9]*$"}


def responses_of(said: Description, problems: Sequence[ProblemType], schemas: Schemas) -> dict[str, Any]:
    """By status; a status that a page and a problem share has both contents."""
    found = {status: _answer(status, answer, schemas) for status, answer in said.gives.items()}
    for status, each in by_status(problems).items():
        refusal = _refusal(status, each, schemas)
        if status in found:
            refusal["content"] |= found[status].get("content", {})
        found[status] = refusal
    return {str(status): found[status] for status in sorted(found)}


def content_of(body: Body, schemas: Schemas, *, is_input: bool) -> dict[str, Any]:
    """What a body is, by its media type."""
    if body is None:
        return {}
    if not isinstance(body, Content):
        return {JSON: {"schema": schemas.of(body, is_input=is_input)}}
    if body.media_type == STREAM:
        return {STREAM: {"schema": _message(body, schemas)}}
    if body.of is None:
        return {body.media_type: {"schema": {"type": "string"}}}
    return {body.media_type: {"schema": schemas.of(body.of, is_input=is_input)}}


def _message(body: Content, schemas: Schemas) -> dict[str, Any]:
    """One message of a stream: OpenAPI 3.1 has no word for the whole. Its data is a text that holds JSON."""
    data: dict[str, Any] = {"type": "string", "contentMediaType": JSON}
    if body.of is not None:
        data["contentSchema"] = schemas.of(body.of, is_input=False)
    texts = {name: {"type": "string"} for name in ("id", "event")}
    return {"type": "object", "description": "One message", "properties": texts | {"data": data}}


def _answer(status: int, answer: Answer, schemas: Schemas) -> dict[str, Any]:
    headers = {name: {"description": text, "schema": {"type": "string"}} for name, text in answer.headers.items()}
    found: dict[str, Any] = {"description": HTTPStatus(status).phrase, "headers": REQUEST_ID | headers}
    if content := content_of(answer.body, schemas, is_input=False):
        found["content"] = content
    return found


def _refusal(status: int, problems: Sequence[ProblemType], schemas: Schemas) -> dict[str, Any]:
    codes = {"code": {"enum": [each.code for each in problems]}, "status": {"const": status}}
    schema = {"allOf": [schemas.of(Problem, is_input=False), {"properties": codes}]}
    return {
        "description": "\n".join(f"- `{each.code}`: {each.title}" for each in problems),
        "headers": REQUEST_ID | _refusal_headers(status),
        "content": {PROBLEM_JSON: {"schema": schema}},
    }


def _refusal_headers(status: int) -> dict[str, Any]:
    if status == HTTPStatus.UNAUTHORIZED:
        return {"WWW-Authenticate": {"description": "`Bearer`", "required": True, "schema": {"const": "Bearer"}}}
    if status in (HTTPStatus.CONFLICT, HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE):
        text = "After how many seconds the same request may pass"
        is_always = status == HTTPStatus.TOO_MANY_REQUESTS
        return {"Retry-After": {"description": text, "required": is_always, "schema": SECONDS}}
    return {}
