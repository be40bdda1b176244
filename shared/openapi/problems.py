"""Which problems a route may answer with: its handler's own, and those that come with how it is declared."""

from collections.abc import Iterable, Mapping
from itertools import groupby
from uuid import UUID

from aiohttp import web
from pydantic import BaseModel, ConfigDict, Field

from shared.errors import Invalid, TooLarge, TooManyRequests, UnsupportedMediaType
from shared.openapi.describing import FORM, Content, Description
from shared.openapi.describing import Problem as ProblemType
from shared.permissions import Permission, permission_of, right_of
from shared.web.bodies import MalformedForm, MalformedJson
from shared.web.errors import DatabaseAway, InTheWay
from shared.web.gate import InternalOnly
from shared.web.limits import TooSlow, is_unlimited
from shared.web.staff import NotFromHere, RightMissing, StaffOnly


class FieldProblem(BaseModel):
    """What is wrong with one field."""

    field: str = Field(description="A dotted path, such as `lines.0.quantity`")
    detail: str


class Problem(BaseModel):
    """An error, as RFC 9457 describes it. `code` is stable; titles and details are for people and may change."""

    model_config = ConfigDict(extra="allow")

    type: str = Field(pattern="^urn:kct:problem:[a-z0-9_]+$")
    title: str
    status: int
    detail: str
    code: str = Field(pattern="^[a-z0-9_]+$")
    request_id: UUID = Field(description="Our own id of the request; the same as in `X-Request-Id`")
    errors: list[FieldProblem]


def problems_of(route: web.AbstractRoute, said: Description) -> list[ProblemType]:
    """All problems of a route, in no order."""
    handler = route.handler
    found: list[ProblemType] = [DatabaseAway, InTheWay, *said.problems, *_of_permission(handler), *_of_body(said)]
    found += [each.wrong for each in said.asks]
    if not is_unlimited(handler):
        found.append(TooManyRequests)
    return found


def by_status(problems: Iterable[ProblemType]) -> Mapping[int, list[ProblemType]]:
    """Problems by their status, each code once."""
    found = sorted({each.code: each for each in problems}.values(), key=lambda each: (each.status, each.code))
    return {status: list(each) for status, each in groupby(found, key=lambda problem: problem.status)}


def _of_permission(handler: object) -> list[ProblemType]:
    match permission_of(handler):
        case Permission.STAFF:
            return [StaffOnly, NotFromHere, *([RightMissing] if right_of(handler) else [])]
        case Permission.INTERNAL:
            return [InternalOnly]
        case _:
            return []


def _of_body(said: Description) -> list[ProblemType]:
    if said.takes is None:
        return []
    if isinstance(said.takes, Content):
        malformed = [MalformedForm] if said.takes.media_type == FORM else []
        return [*malformed, TooLarge, TooSlow, UnsupportedMediaType]
    return [MalformedJson, Invalid, TooLarge, TooSlow, UnsupportedMediaType]
