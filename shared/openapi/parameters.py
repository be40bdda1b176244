"""Parameters of path, query and headers: what is documented is what reads them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from functools import cached_property
from typing import Any

from aiohttp import web
from pydantic import TypeAdapter, ValidationError

from shared.errors import AppError, Invalid


class Place(StrEnum):
    """Where it stands."""

    PATH = "path"
    QUERY = "query"
    HEADER = "header"


@dataclass(frozen=True)
class Parameter:
    """A parameter and its type; `wrong` is raised when it is missing, stands twice or isn't of the type."""

    place: Place
    name: str
    type: Any
    default: Any = None
    is_required: bool = True
    wrong: type[AppError] = field(default=Invalid)

    @cached_property
    def adapter(self) -> TypeAdapter[Any]:
        return TypeAdapter(self.type)

    def of(self, request: web.Request) -> Any:
        """The request's value, else the default."""
        given = self._given(request)
        if not given and not self.is_required:
            return self.default
        if len(given) != 1:
            raise self.wrong(f"{self.name} has to be there, once", field=self.name)
        try:
            return self.adapter.validate_python(given[0])
        except ValidationError as error:
            [first, *_] = error.errors(include_url=False, include_context=False, include_input=False)
        raise self.wrong(first["msg"], field=self.name)

    def _given(self, request: web.Request) -> Sequence[str]:
        if self.place is Place.PATH:
            return [request.match_info[self.name]]
        return (request.query if self.place is Place.QUERY else request.headers).getall(self.name, [])


def Path(name: str, type_: Any, wrong: type[AppError] = Invalid) -> Parameter:
    """A part of the path."""
    return Parameter(Place.PATH, name, type_, wrong=wrong)


def Query(name: str, type_: Any, default: Any = None) -> Parameter:
    """A parameter of the query; it may be left away."""
    return Parameter(Place.QUERY, name, type_, default, is_required=False)


def Header(name: str, type_: Any, *, is_required: bool = True, wrong: type[AppError] = Invalid) -> Parameter:
    """A header."""
    return Parameter(Place.HEADER, name, type_, is_required=is_required, wrong=wrong)
