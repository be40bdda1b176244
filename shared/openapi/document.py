"""The OpenAPI 3.1 document of an app, from its routes and what their handlers declare. Nothing is copied by hand."""

import inspect
import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

from aiohttp import hdrs, web

from shared.openapi.about import ABOUT, About
from shared.openapi.describing import Description, Problem, description_of, refusals_of
from shared.openapi.parameters import Place
from shared.openapi.problems import problems_of
from shared.openapi.responses import content_of, responses_of
from shared.openapi.schemas import Schemas
from shared.openapi.security import SCHEMES, TAGS, requirement
from shared.permissions import Permission, permission_of

VERSION = "1.0.0"
OF_ALL = """
Amounts are in minor units of their currency (cents, or yen), times in UTC. Whole numbers are written without a point,
and a field that isn't known is refused.

Errors are problem documents (RFC 9457) with a stable `code`. Beside those listed, any request may get 404 `not_found`
for an unknown path, 405 `method_not_allowed`, 400 `bad_request` for what isn't HTTP, 417 `expectation_failed`, or 500
`internal`. Where there is a `Retry-After`, the same request may pass after so many seconds. Every GET answers HEAD too.
"""


@dataclass(frozen=True, slots=True)
class Operation:
    """A route with what it says of itself."""

    route: web.AbstractRoute
    said: Description
    permission: Permission = field(default=Permission.PUBLIC)

    @property
    def path(self) -> str:
        return _path(self.route)


def build(app: web.Application, may_see: frozenset[Permission]) -> dict[str, Any]:
    """The document with the operations of these permissions."""
    operations = [each for each in operations_of(app) if each.permission in may_see]
    about, schemas = app.get(ABOUT, About("a service", "")), Schemas([each.said for each in operations])
    refusals = [refusal for guard in app.middlewares for refusal in refusals_of(guard)]
    paths: dict[str, dict[str, Any]] = {}
    ids: set[str] = set()
    for each in operations:
        paths.setdefault(each.path, {})[each.route.method.lower()] = _operation(each, refusals, schemas, ids)
    used = [each for each in Permission if any(operation.permission is each for operation in operations)]
    return {
        "openapi": "3.1.0",
        "info": {
            "title": f"KCT Payments: {about.name}",
            "version": VERSION,
            "summary": about.summary,
            "description": OF_ALL.strip(),
        },
        "servers": [{"url": "/"}],
        "tags": [{"name": TAGS[each][0], "description": TAGS[each][1]} for each in used],
        "paths": paths,
        "components": {
            "schemas": schemas.components,
            "securitySchemes": {name: SCHEMES[name] for each in used for name in requirement_names(each)},
        },
    }


def operations_of(app: web.Application) -> list[Operation]:
    """The routes that say what they do, in the order in which they were added. Who says nothing isn't in it."""
    return [
        Operation(route, said, permission)
        for route in _routes(app)
        if (said := description_of(route.handler)) and (permission := permission_of(route.handler))
    ]


def undescribed(app: web.Application) -> list[str]:
    """What is missing: routes without a declaration or a docstring, and parts of paths that nobody declares."""
    found = []
    for route in _routes(app):
        name, said = f"{route.method} {_path(route)}", description_of(route.handler)
        if said is None:
            found.append(name)
            continue
        if not inspect.getdoc(route.handler):
            found.append(f"{name}: docstring")
        declared = {each.name for each in said.asks if each.place is Place.PATH}
        found += [f"{name}: {part}" for part in set(re.findall(r"{(\w+)}", _path(route))) ^ declared]
    return found


def requirement_names(permission: Permission) -> Iterable[str]:
    """The security schemes that a permission speaks of."""
    return (name for alternative in requirement(permission, None) for name in alternative)


def _routes(app: web.Application) -> list[web.AbstractRoute]:
    """aiohttp adds a HEAD to every GET, with the same handler."""
    return [route for route in app.router.routes() if route.method != hdrs.METH_HEAD]


def _path(route: web.AbstractRoute) -> str:
    return route.resource.canonical if route.resource is not None else "*"


def _operation(operation: Operation, refusals: Sequence[Problem], schemas: Schemas, ids: set[str]) -> dict[str, Any]:
    handler, said = operation.route.handler, operation.said
    summary, _, description = (inspect.getdoc(handler) or handler.__name__).partition("\n")
    described: dict[str, Any] = {
        "operationId": _id(operation, ids),
        "summary": summary.rstrip("."),
        "description": description.strip(),
        "tags": [TAGS[operation.permission][0]],
        "parameters": [_parameter(each, schemas) for each in said.asks],
        "responses": responses_of(said, [*problems_of(operation.route, said), *refusals], schemas),
        "security": requirement(operation.permission, handler),
        "x-permission": operation.permission.value,
    }
    if said.takes is not None:
        described["requestBody"] = {"required": True, "content": content_of(said.takes, schemas, is_input=True)}
    return {name: value for name, value in described.items() if value or name == "security"}


def _id(operation: Operation, ids: set[str]) -> str:
    """The handler's name; with its path, if another route goes by the name already."""
    name = operation.route.handler.__name__
    if name in ids:
        name = f"{name}_{re.sub(r'[^a-z0-9]+', '_', operation.path.lower()).strip('_')}"
    ids.add(name)
    return name


def _parameter(parameter: Any, schemas: Schemas) -> dict[str, Any]:
    schema = schemas.of_parameter(parameter)
    found = {"name": parameter.name, "in": parameter.place.value, "required": parameter.is_required, "schema": schema}
    if description := schema.pop("description", ""):
        found["description"] = description
    return found
