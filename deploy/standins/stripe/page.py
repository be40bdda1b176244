"""What people see: payments, events and deliveries, and the page on which a shopper authenticates."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiohttp import web
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deploy.standins.stripe import confirmation
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.delivery import Deliverer
from deploy.standins.stripe.errors import Refusal
from deploy.standins.stripe.tables import Json

SHOWN = 50

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'",
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
}


class Pages:
    def __init__(self, account: Account, deliverer: Deliverer) -> None:
        self._account = account
        self._deliverer = deliverer
        folder = Path(__file__).parent / "templates"
        self._templates = Environment(loader=FileSystemLoader(folder), autoescape=True, undefined=StrictUndefined)
        self._templates.filters["clock"] = _clock

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/", self.overview)
        app.router.add_get("/authenticate/{intent}", self.challenge)
        app.router.add_post("/authenticate/{intent}", self.answer_challenge)

    async def overview(self, _request: web.Request) -> web.Response:
        return self._page(
            "overview.html",
            intents=self._account.payment_intents.newest(SHOWN),
            charges=self._account.charges,
            events=self._account.events.table.newest(SHOWN),
            objects=self._account.events.deliveries,
            deliveries=list(self._deliverer.log)[: -SHOWN - 1 : -1],
            endpoints=self._deliverer.endpoints,
        )

    async def challenge(self, request: web.Request) -> web.Response:
        return self._page("authenticate.html", intent=self._intent(request))

    async def answer_challenge(self, request: web.Request) -> web.Response:
        intent = self._intent(request)
        outcome = (await request.post()).get("outcome")
        action = intent["next_action"] or {}
        try:
            confirmation.authenticate(self._account, intent, succeeds=outcome == "succeed")
        except Refusal:
            return self._page("authenticate.html", intent=intent)
        back = action.get("redirect_to_url", {}).get("return_url")
        if back is None:
            return self._page("authenticate.html", intent=intent)
        return web.Response(status=303, headers={"Location": _way_back(back, intent), **_HEADERS})

    def _intent(self, request: web.Request) -> Json:
        intent = self._account.payment_intents.get(request.match_info["intent"])
        if intent is None:
            raise web.HTTPNotFound(text="No such payment.")
        return intent

    def _page(self, name: str, **values: object) -> web.Response:
        html = self._templates.get_template(name).render(values)
        return web.Response(text=html, content_type="text/html", headers=_HEADERS)


def _way_back(return_url: str, intent: Json) -> str:
    parts = urlsplit(return_url)
    added = [
        ("payment_intent", intent["id"]),
        ("payment_intent_client_secret", intent["client_secret"]),
        (
            "redirect_status",
            "succeeded" if intent["status"] in {"succeeded", "requires_capture"} else "failed",
        ),
    ]
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query, keep_blank_values=True), *added])))


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%S")
