"""What people see: payments, events and deliveries, and the page on which a shopper authenticates."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from aiohttp import web
from babel.numbers import format_currency
from jinja2 import Environment, FileSystemLoader, StrictUndefined

from deploy.standins.stripe import confirmation, setup_confirmation
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.delivery import Deliverer
from deploy.standins.stripe.disputes import ENDED
from deploy.standins.stripe.errors import Refusal
from deploy.standins.stripe.page_acts import Acts
from deploy.standins.stripe.tables import Json
from shared.money import Money

SHOWN = 50

_HEADERS = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:; frame-ancestors 'none'",
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
        self._templates.filters["money"] = _money

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/", self.overview)
        app.router.add_get("/payments/{intent}", self.payment)
        app.router.add_post("/payments/{intent}", self.act)
        app.router.add_post("/events/{event}/resend", self.resend)
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

    async def payment(self, request: web.Request) -> web.Response:
        return self._payment(self._payment_intent(request))

    async def act(self, request: web.Request) -> web.Response:
        intent = self._payment_intent(request)
        form = {name: value for name, value in (await request.post()).items() if isinstance(value, str)}
        try:
            Acts(self._account, intent, form).do()
        except Refusal as refusal:
            return self._payment(intent, str(refusal))
        return web.Response(status=303, headers={"Location": f"/payments/{intent['id']}", **_HEADERS})

    def _payment(self, intent: Json, problem: str = "") -> web.Response:
        account, intent_id = self._account, intent["id"]
        charges = account.charges.among("payment_intent", intent_id)
        return self._page(
            "payment.html",
            intent=intent,
            problem=problem,
            charges=charges,
            refunds=account.refunds.among("payment_intent", intent_id),
            disputes=account.disputes.among("payment_intent", intent_id),
            reviews=[review for charge in charges for review in account.reviews.among("charge", charge["id"])],
            ended=ENDED,
        )

    async def resend(self, request: web.Request) -> web.Response:
        event = self._account.events.table.get(request.match_info["event"])
        if event is None:
            raise web.HTTPNotFound(text="No such event.")
        self._deliverer.resend(event)
        return web.Response(status=303, headers={"Location": "/", **_HEADERS})

    async def challenge(self, request: web.Request) -> web.Response:
        return self._page("authenticate.html", intent=self._intent(request))

    async def answer_challenge(self, request: web.Request) -> web.Response:
        intent = self._intent(request)
        outcome = (await request.post()).get("outcome")
        action = intent["next_action"] or {}
        try:
            authenticate = confirmation if intent["object"] == "payment_intent" else setup_confirmation
            authenticate.authenticate(self._account, intent, succeeds=outcome == "succeed")
        except Refusal:
            return self._page("authenticate.html", intent=intent)
        back = action.get("redirect_to_url", {}).get("return_url")
        if back is None:
            return self._page("authenticate.html", intent=intent)
        return web.Response(status=303, headers={"Location": _way_back(back, intent), **_HEADERS})

    def _payment_intent(self, request: web.Request) -> Json:
        intent = self._intent(request)
        if intent["object"] != "payment_intent":
            raise web.HTTPNotFound(text="No such payment.")
        return intent

    def _intent(self, request: web.Request) -> Json:
        intent_id, account = request.match_info["intent"], self._account
        intent = account.payment_intents.get(intent_id) or account.setup_intents.get(intent_id)
        if intent is None:
            raise web.HTTPNotFound(text="No such payment.")
        return intent

    def _page(self, name: str, **values: object) -> web.Response:
        html = self._templates.get_template(name).render(values)
        return web.Response(text=html, content_type="text/html", headers=_HEADERS)


def _way_back(return_url: str, intent: Json) -> str:
    parts = urlsplit(return_url)
    added = [
        (intent["object"], intent["id"]),
        (f"{intent['object']}_client_secret", intent["client_secret"]),
        (
            "redirect_status",
            "succeeded" if intent["status"] in {"succeeded", "requires_capture"} else "failed",
        ),
    ]
    return urlunsplit(parts._replace(query=urlencode([*parse_qsl(parts.query, keep_blank_values=True), *added])))


def _money(amount: int, currency: str) -> str:
    return format_currency(Money(amount, currency).major(), currency.upper(), locale="en_US")


def _clock(moment: float) -> str:
    return datetime.fromtimestamp(moment, UTC).strftime("%H:%M:%S")
