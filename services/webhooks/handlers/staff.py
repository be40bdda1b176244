"""The staff's view: find an event, look at it, have its object told again."""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, get_args

import orjson
from aiohttp import web

from services.webhooks.actions import looking
from services.webhooks.actions.looking import Page
from services.webhooks.handlers.keys import PAGES, POOL, WEBHOOKS
from services.webhooks.schemas import Blank, Cursor, EventId, EventType, Moment, ObjectId, OrderId, ResyncForm, State
from services.webhooks.store.lookup import Filters
from shared.errors import Invalid, NotFound
from shared.openapi import HTML, Path, Query, Redirect, describe, form_of
from shared.permissions import Permission, permit
from shared.staff import Right
from shared.web import parse_form
from shared.web.staff import STAFF, csrf_token

POLICY = (
    "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)
# Under the house's no-referrer, browsers name `null` as the origin of a form, and its check would refuse our own.
HEADERS = {"Content-Security-Policy": POLICY, "Referrer-Policy": "same-origin"}

TO_ENTER, TO_EVENT = Redirect("/staff/enter"), Redirect("/staff/events/{id}?asked=1")
EVENT_ID = Path("id", EventId, wrong=NotFound)
SEARCH = (
    Query("event", EventId | Blank),
    Query("object", ObjectId | Blank),
    Query("order", OrderId | Blank),
    Query("type", EventType | Blank),
    Query("state", State | Blank),
    Query("since", Moment | Blank),
    Query("until", Moment | Blank),
    Query("before", Cursor),
)

STATES = get_args(State)
# The field of the form -> the filter; an id has no space in it, and is not longer than the columns are.
TEXTS = {"event": "event_id", "object": "object_id", "order": "order_id", "type": "type"}
TIMES = ("since", "until")
_TEXT = re.compile(r"[\x21-\x7e]{1,255}")


@permit(Permission.STAFF, Right.EVENTS_READ)
@describe({200: HTML, 303: TO_ENTER, 422: HTML}, asks=SEARCH)
async def events(request: web.Request) -> web.Response:
    """A page of events, newest first; what can't be searched for is told with 422."""
    given = {name: text for name in (*TEXTS, "state", *TIMES) if (text := request.query.get(name, "").strip())}
    filters, wrong = _filters(given, request.query.get("before"))
    page = None if wrong else await looking.search(request.app[POOL], request[STAFF], filters)
    values = {"given": given, "wrong": wrong, "page": page, "older": _older(given, page), "states": STATES}
    return html(request, "events.html", status=422 if wrong else 200, **values)


@permit(Permission.STAFF, Right.EVENTS_READ)
@describe({200: HTML, 303: TO_ENTER, 404: HTML}, asks=(EVENT_ID,))
async def event(request: web.Request) -> web.Response:
    """An event of Stripe's, and what became of it. Each look is in the audit trail."""
    notice = "It will be fetched and told within seconds." if "asked" in request.query else ""
    return await _event(request, notice=notice)


@permit(Permission.STAFF, Right.EVENTS_RESYNC)
@describe(
    {303: Redirect("/staff/events/{id}?asked=1"), 404: HTML, 409: HTML, 422: HTML},
    takes=form_of(ResyncForm),
    asks=(EVENT_ID,),
)
async def resync(request: web.Request) -> web.Response:
    """Has the event's object fetched from Stripe and told again; then shows the event. 409 without a key for Stripe."""
    if not _can_ask(request):
        return await _event(request, wrong="Not done: this installation has no key to ask Stripe with.", status=409)
    form, event_id = await parse_form(request), request.match_info["id"]
    text = _storable(form.get("reason", ""))
    try:
        done = _TEXT.fullmatch(event_id) is not None and await looking.ask_for_resync(
            request.app[POOL], request[STAFF], event_id, text
        )
    except Invalid as error:
        return await _event(request, wrong=f"Not done: {error.detail}.", status=422)
    if not done:
        return html(request, "not_found.html", status=404)
    raise web.HTTPSeeOther(request.rel_url.parent.with_query(asked="1"))


def html(request: web.Request, template: str, *, status: int = 200, **values: object) -> web.Response:
    """A page as an answer, with who is signed in, if anybody is."""
    staff = request.get(STAFF)
    text = request.app[PAGES].render(template, staff=staff, csrf=csrf_token(request) if staff else "", **values)
    return web.Response(text=text, status=status, content_type="text/html", charset="utf-8", headers=HEADERS)


async def _event(request: web.Request, *, notice: str = "", wrong: str = "", status: int = 200) -> web.Response:
    event_id, staff = request.match_info["id"], request[STAFF]
    journey = None
    if _TEXT.fullmatch(event_id):
        journey = await looking.view(request.app[POOL], staff, event_id)
    if journey is None:
        return html(request, "not_found.html", status=404)
    raw = orjson.dumps(journey.shown, option=orjson.OPT_INDENT_2).decode()
    is_intent = (journey.event.line.object_id or "").startswith("pi_")
    return html(
        request,
        "event.html",
        status=status,
        event=journey.event,
        raw=raw,
        published_as=journey.published_as,
        others=journey.others,
        may_resync=is_intent and staff.may(Right.EVENTS_RESYNC) and _can_ask(request),
        notice=notice,
        wrong=wrong,
    )


def _can_ask(request: web.Request) -> bool:
    """Whether anybody would carry a resync out."""
    return request.app[WEBHOOKS].access() is not None


def _filters(given: Mapping[str, str], before: str | None) -> tuple[Filters, dict[str, str]]:
    """What is looked for, and what of it can't be, by field."""
    wrong = {name: f"“{name}” is no id or name." for name in TEXTS if not _TEXT.fullmatch(given.get(name, "-"))}
    if given.get("state", STATES[0]) not in STATES:
        wrong["state"] = "There is no such state."
    times = {name: _time(given[name]) for name in TIMES if name in given}
    wrong |= {name: f"“{name}” is no time." for name, at in times.items() if at is None}
    cursor = _cursor(before) if before is not None else None
    if before is not None and cursor is None:
        wrong["before"] = "There is no such page."
    if wrong:
        return Filters(), wrong
    texts: dict[str, Any] = {column: given.get(name) for name, column in TEXTS.items()}
    since, until = (times.get(name) for name in TIMES)
    return replace(Filters(**texts), state=given.get("state"), since=since, until=until, before=cursor), wrong


def _time(text: str) -> datetime | None:
    """A moment, in UTC unless it says otherwise."""
    try:
        at = datetime.fromisoformat(text)
        return at.replace(tzinfo=UTC) if at.tzinfo is None else at.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _cursor(text: str) -> tuple[datetime, str] | None:
    moment, _, event_id = text.partition("~")
    at = _time(moment)
    return (at, event_id) if at is not None and _TEXT.fullmatch(event_id) else None


def _older(given: Mapping[str, str], page: Page | None) -> dict[str, str] | None:
    """The query of the next page."""
    if page is None or not page.has_more:
        return None
    last = page.events[-1]
    return {**given, "before": f"{last.received_at.isoformat()}~{last.stripe_event_id}"}


def _storable(text: str) -> str:
    """What PostgreSQL can't hold, a NUL or half a surrogate pair, nobody types."""
    return text.replace("\0", "").encode("utf-8", "replace").decode()
