"""Every answer that the suite sees is one that the service's document names: its status, type, code and body."""

import contextlib
from collections.abc import Iterator
from functools import cache
from typing import Any

import jsonschema_rs
import orjson
from aiohttp import hdrs, web

from shared.openapi.about import ABOUT
from shared.openapi.document import build
from shared.permissions import Permission

# Said once for all operations (`OF_ALL` in `shared/openapi/document.py`).
OF_ANY = {"internal", "bad_request", "expectation_failed"}

_DOCUMENTS: dict[str, dict[str, Any]] = {}


@contextlib.contextmanager
def answers_documented(app: web.Application) -> Iterator[None]:
    """Looks at each answer as it goes out; fails at the end, so that no request is disturbed."""
    found: list[str] = []

    async def look(request: web.Request, response: web.StreamResponse) -> None:
        if request.match_info.http_exception is None and (wrong := _wrong(request, response)):
            found.append(f"{request.method} {request.path} answered {response.status}: {wrong}")

    app.on_response_prepare.append(look)
    yield
    assert not found, "\n".join(found)


def _wrong(request: web.Request, response: web.StreamResponse) -> str | None:
    body = orjson.loads(response.body) if isinstance(response, web.Response) and _is_json(response) else None
    if isinstance(body, dict) and body.get("code") in OF_ANY:
        return None
    resource = request.match_info.route.resource
    assert resource is not None
    method = "get" if request.method == hdrs.METH_HEAD else request.method.lower()
    document = _document(request.app)
    answer = document["paths"][resource.canonical][method]["responses"].get(str(response.status))
    if answer is None:
        return "the status is not documented"
    if 300 <= response.status < 400:
        return None  # who is sent on reads no body, whatever a framework puts there
    return _wrong_body(request.app[ABOUT].name, response, answer.get("content", {}), body)


def _wrong_body(name: str, response: web.StreamResponse, content: dict[str, Any], body: Any) -> str | None:
    if not content:
        return "a body is not documented" if isinstance(response, web.Response) and response.body else None
    if response.content_type not in content:
        return None if "*/*" in content else f"{response.content_type} is not documented"
    if body is None:
        return None
    validator = _validator(name, orjson.dumps(content[response.content_type]["schema"]))
    return next((str(error.message)[:300] for error in validator.iter_errors(body)), None)


def _is_json(response: web.Response) -> bool:
    return response.content_type.endswith("json") and bool(response.body)


def _document(app: web.Application) -> dict[str, Any]:
    name = app[ABOUT].name
    if name not in _DOCUMENTS:
        _DOCUMENTS[name] = build(app, frozenset(Permission))
    return _DOCUMENTS[name]


@cache
def _validator(name: str, schema: bytes) -> Any:
    document = {**orjson.loads(schema), "components": _DOCUMENTS[name]["components"]}
    return jsonschema_rs.Draft202012Validator(document)
