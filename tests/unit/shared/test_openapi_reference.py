"""The page of a document: whole, safe, and with examples that the models take."""

import json
import re
import shlex

import pytest
from aiohttp import web
from pydantic import BaseModel, Field

from shared.openapi import describe
from shared.openapi.document import build, operations_of
from shared.openapi.examples import curl
from shared.openapi.reference import POLICY, render
from shared.permissions import Permission, permit
from shared.web import make_app, parse_json
from tests.apps import apps
from tests.integration.shared.conftest import settings_with

EVERYTHING = frozenset(Permission)


class Odd(BaseModel):
    """Holds `<b>`.

    - `a`: one
    - `b`: two
    """

    text: str = Field(pattern="^[`<'&]$", examples=["'"], description="with `a < b`")


@permit(Permission.PUBLIC)
@describe({200: Odd}, takes=Odd)
async def take(request: web.Request) -> web.Response:
    """Takes <i>this</i>."""
    raise NotImplementedError


@pytest.mark.parametrize("name", apps())
def test_the_page_of_a_service_holds_every_operation_and_every_link_leads_somewhere(name):
    document = build(apps()[name], EVERYTHING)
    page = render(document)
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(ids) == len(set(ids))
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(ids)
    assert {each["operationId"] for methods in document["paths"].values() for each in methods.values()} <= set(ids)
    assert "<script" not in page
    assert "://" not in re.sub(r"<code>.*?</code>", "", page, flags=re.DOTALL)
    assert not re.search(r'(src|style)="', page)


def test_what_is_shown_is_escaped_and_the_style_is_the_one_that_the_policy_names():
    page = render(build(make_app(settings_with(), [web.put("/odd", take)]), EVERYTHING))
    assert "Takes &lt;i&gt;this&lt;/i&gt;" in page
    assert "<p>Holds <code>&lt;b&gt;</code>.</p>" in page
    assert "<li><code>a</code>: one</li>" in page
    assert "with <code>a &lt; b</code>" in page
    assert "<code>^[`&lt;&#39;&amp;]$</code>" in page
    assert page.count("<style>") == 1
    assert "script" not in POLICY


@pytest.mark.parametrize("name", apps())
def test_each_line_for_the_shell_holds_a_body_that_the_model_takes(name):
    app = apps()[name]
    document = build(app, EVERYTHING)
    for each in operations_of(app):
        operation = document["paths"][each.path][each.route.method.lower()]
        words = shlex.split(curl(each.route.method, each.path, operation, document["components"]["schemas"]))
        assert words[0] == "curl"
        assert not any("{" in word for word in words if word.startswith("$BASE"))
        if isinstance(each.said.takes, type):
            parse_json(words[words.index("-d") + 1].encode(), each.said.takes)


def test_a_quote_survives_the_shell():
    document = build(make_app(settings_with(), [web.put("/odd", take)]), EVERYTHING)
    words = shlex.split(curl("PUT", "/odd", document["paths"]["/odd"]["put"], document["components"]["schemas"]))
    assert json.loads(words[-1]) == {"text": "'"}
