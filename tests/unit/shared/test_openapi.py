"""The OpenAPI document: complete, sound, and made of what handlers and models say."""

from typing import Annotated
from uuid import UUID

import pytest
from aiohttp import web
from openapi_spec_validator import OpenAPIV31SpecValidator
from pydantic import BaseModel, Field

from shared.errors import Conflict, problem
from shared.openapi import HTML, Content, Path, Query, describe
from shared.openapi.document import build, undescribed
from shared.openapi.problems import Problem
from shared.permissions import Permission, permit
from shared.staff import Right
from shared.web import MalformedId, make_app
from tests.apps import apps
from tests.integration.shared.conftest import settings_with

EVERYTHING = frozenset(Permission)


class Taken(Conflict):
    code = "taken"
    title = "Somebody was quicker"


class Wish(BaseModel):
    size: int = Field(ge=1, le=7)
    shelves: dict[Annotated[str, Field(pattern="^[0-9]$")], int] = {}


class Thing(BaseModel):
    id: UUID


def an_app(*routes: web.RouteDef) -> web.Application:
    return make_app(settings_with(), routes)


@permit(Permission.STAFF, Right.STOCK_ADJUST)
@describe(
    {201: Thing, 409: HTML},
    takes=Wish,
    asks=(Path("id", UUID, wrong=MalformedId), Query("colour", Annotated[str, Field(max_length=9)], "blue")),
    problems=(Taken,),
)
async def make_thing(request: web.Request) -> web.Response:
    """Makes a thing.

    Once.
    """
    raise NotImplementedError


async def say_nothing(request: web.Request) -> web.Response:
    raise NotImplementedError


@describe({200: None})
async def forget_the_rest(request: web.Request) -> web.Response:
    raise NotImplementedError


@pytest.fixture(scope="module")
def operation() -> dict:
    document = build(an_app(web.put("/v1/things/{id}", make_thing)), EVERYTHING)
    OpenAPIV31SpecValidator(document).validate()
    return document["paths"]["/v1/things/{id}"]["put"] | {"components": document["components"]}


@pytest.mark.parametrize("name", apps())
def test_every_route_of_every_service_is_described_and_the_document_is_sound(name):
    app = apps()[name]
    assert undescribed(app) == []
    for may_see in (EVERYTHING, frozenset({Permission.PUBLIC})):
        OpenAPIV31SpecValidator(build(app, may_see)).validate()


def test_a_route_that_says_too_little_is_found():
    routes = web.get("/a", say_nothing), web.get("/b/{id}", forget_the_rest)
    assert undescribed(an_app(*routes)) == ["GET /a", "GET /b/{id}: docstring", "GET /b/{id}: id"]


def test_limits_come_from_the_models_and_words_from_the_docstring(operation):
    wish = operation["components"]["schemas"]["Wish"]
    assert wish["properties"]["size"] == {"maximum": 7, "minimum": 1, "type": "integer"}
    assert wish["properties"]["shelves"]["additionalProperties"] is False
    assert (operation["summary"], operation["description"]) == ("Makes a thing", "Once.")
    assert [(each["in"], each["name"], each["required"], each["schema"]) for each in operation["parameters"]] == [
        ("path", "id", True, {"format": "uuid", "type": "string"}),
        ("query", "colour", False, {"default": "blue", "maxLength": 9, "type": "string"}),
    ]


def test_problems_come_with_the_permission_the_parameters_and_the_body(operation):
    codes = {
        int(status): answer["content"]["application/problem+json"]["schema"]["allOf"][1]["properties"]["code"]["enum"]
        for status, answer in operation["responses"].items()
        if "application/problem+json" in answer.get("content", {})
    }
    assert codes == {
        400: ["malformed_id", "malformed_json"],
        401: ["staff_only"],
        403: ["not_from_here", "right_missing"],
        408: ["too_slow"],
        409: ["taken"],
        413: ["too_large"],
        415: ["unsupported_media_type"],
        422: ["invalid_request"],
        429: ["too_many_requests"],
        503: ["database_away", "others_in_the_way"],
    }
    assert set(operation["responses"]["409"]["content"]) == {"text/html", "application/problem+json"}
    assert operation["security"] == [{"staffSession": ["stock.adjust"]}, {"staffCookie": ["stock.adjust"]}]


def test_who_may_not_use_an_operation_finds_neither_it_nor_its_models():
    app = an_app(web.put("/v1/things/{id}", make_thing))
    document = build(app, EVERYTHING - {Permission.STAFF})
    assert "/v1/things/{id}" not in document["paths"]
    assert not {"Wish", "Thing"} & set(document["components"]["schemas"])
    assert document["components"]["securitySchemes"] == {}


def test_a_stream_says_what_its_messages_hold():
    @permit(Permission.PUBLIC)
    @describe({200: Content("text/event-stream", of=Thing)})
    async def watch(request: web.Request) -> web.StreamResponse:
        """Watches."""
        raise NotImplementedError

    document = build(an_app(web.get("/live", watch)), EVERYTHING)
    answer = document["paths"]["/live"]["get"]["responses"]["200"]["content"]["text/event-stream"]["schema"]
    assert answer["properties"]["data"]["contentSchema"] == {"$ref": "#/components/schemas/Thing"}
    assert "Thing" in document["components"]["schemas"]


def test_problem_documents_are_as_documented():
    made = problem(Taken("gone", field="size"), "019ac4a3-6f3b-7c52-9d0e-3b1f4a5c6d7e")
    assert set(made) == set(Problem.model_fields)
    Problem.model_validate(made)
