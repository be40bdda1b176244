"""The control API under `/_control/`: what a test or the demo does to the stand-in. No part of Stripe."""

from dataclasses import fields
from typing import Any, TypeVar

from aiohttp import web
from pydantic import TypeAdapter

from deploy.standins.stripe import confirmation
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.assumptions import ASSUMPTIONS
from deploy.standins.stripe.config import Endpoint
from deploy.standins.stripe.control_io import body_of, only, reply
from deploy.standins.stripe.control_money import MoneyControl
from deploy.standins.stripe.control_time import TimeControl
from deploy.standins.stripe.delivery import Deliverer
from deploy.standins.stripe.errors import Refusal
from deploy.standins.stripe.faults import Fault
from deploy.standins.stripe.rules import Rules

Made = TypeVar("Made", Fault, Rules)


class Control:
    def __init__(self, account: Account, deliverer: Deliverer) -> None:
        self._account = account
        self._deliverer = deliverer

    def add_to(self, app: web.Application) -> None:
        add = app.router.add_route
        add("GET", "/_control/state", self.state)
        add("POST", "/_control/reset", self.reset)
        add("GET", "/_control/faults", self.show_faults)
        add("POST", "/_control/faults", self.add_fault)
        add("DELETE", "/_control/faults", self.clear_faults)
        add("DELETE", "/_control/faults/{fault}", self.remove_fault)
        add("GET", "/_control/deliveries", self.show_deliveries)
        add("GET", "/_control/deliveries/rules", self.show_rules)
        add("POST", "/_control/deliveries/rules", self.set_rules)
        add("DELETE", "/_control/deliveries/rules", self.clear_rules)
        add("GET", "/_control/webhook_endpoints", self.show_endpoints)
        add("POST", "/_control/webhook_endpoints", self.set_endpoints)
        add("POST", "/_control/events/{event}/resend", self.resend)
        add("GET", "/_control/payment_intents", self.show_intents)
        add("POST", "/_control/payment_intents/{intent}/authenticate", self.authenticate)
        add("GET", "/_control/assumptions", self.show_assumptions)
        MoneyControl(self._account).add_to(app)
        TimeControl(self._account).add_to(app)

    async def state(self, _request: web.Request) -> web.Response:
        account = self._account
        statuses: dict[str, int] = {}
        for intent in account.payment_intents:
            statuses[intent["status"]] = statuses.get(intent["status"], 0) + 1
        undelivered = sum(not delivery.is_success for delivery in account.events.deliveries.values())
        return reply(
            {
                "stand_in": True,
                "customers": len(account.customers),
                "payment_methods": len(account.payment_methods),
                "payment_intents": len(account.payment_intents),
                "payment_intents_by_status": statuses,
                "setup_intents": len(account.setup_intents),
                "charges": len(account.charges),
                "refunds": len(account.refunds),
                "disputes": len(account.disputes),
                "reviews": len(account.reviews),
                "payouts": len(account.payouts),
                "events": len(account.events.table),
                "events_undelivered": undelivered,
                "deliveries_waiting": self._deliverer.waiting,
                "delivery_attempts": len(self._deliverer.log),
                "idempotency_keys": len(account.keys),
                "answers_by_status": account.counts,
            }
        )

    async def reset(self, request: web.Request) -> web.Response:
        """Everything but the webhook endpoints; `{"seed": 7}` for other dice."""
        try:
            body = await body_of(request)
            only(body, "seed")
            seed = int(body["seed"]) if "seed" in body else None
        except (TypeError, ValueError) as error:
            return reply({"error": str(error)}, 400)
        self._account.reset(seed)
        self._deliverer.reset()
        return reply({"reset": True})

    async def show_faults(self, _request: web.Request) -> web.Response:
        return reply({"faults": self._account.faults.describe()})

    async def add_fault(self, request: web.Request) -> web.Response:
        try:
            fault = _read(Fault, await body_of(request))
        except (TypeError, ValueError) as error:
            return reply({"error": str(error)}, 400)
        return reply({"id": self._account.faults.add(fault)}, 201)

    async def clear_faults(self, _request: web.Request) -> web.Response:
        self._account.faults.clear()
        return reply({"faults": []})

    async def remove_fault(self, request: web.Request) -> web.Response:
        removed = self._account.faults.remove(request.match_info["fault"])
        return reply({"removed": removed}, 200 if removed else 404)

    async def show_deliveries(self, request: web.Request) -> web.Response:
        """The newest last; `?event=` for one event's, `?limit=` for the newest so many."""
        event = request.query.get("event")
        entries = [entry for entry in self._deliverer.log if event in {None, entry["event"]}]
        try:
            limit = int(request.query.get("limit", "1000"))
        except ValueError:
            return reply({"error": "limit is a number"}, 400)
        return reply({"deliveries": entries[-limit:] if limit > 0 else []})

    async def show_rules(self, _request: web.Request) -> web.Response:
        return reply(_rules(self._deliverer.weather.rules))

    async def set_rules(self, request: web.Request) -> web.Response:
        """Replaces all rules; what is not named is off."""
        try:
            self._deliverer.change_weather(_read(Rules, await body_of(request)))
        except (TypeError, ValueError) as error:
            return reply({"error": str(error)}, 400)
        return reply(_rules(self._deliverer.weather.rules))

    async def clear_rules(self, _request: web.Request) -> web.Response:
        self._deliverer.change_weather(Rules())
        return reply(_rules(self._deliverer.weather.rules))

    async def show_endpoints(self, _request: web.Request) -> web.Response:
        """Never the secrets themselves."""
        shown = [
            {"id": point.id, "url": point.url, "events": point.events, "secrets": len(point.secrets)}
            for point in self._deliverer.endpoints
        ]
        return reply({"webhook_endpoints": shown})

    async def set_endpoints(self, request: web.Request) -> web.Response:
        """One endpoint `{url, secrets, events?}` or several `{endpoints: [...]}`; replaces what was there."""
        try:
            body = await body_of(request)
            given = body.get("endpoints", [body])
            self._account.hooks.replace(tuple(_endpoint(one) for one in given))
        except (KeyError, TypeError, ValueError) as error:
            return reply({"error": f"an endpoint is {{url, secrets, events?}}: {error}"}, 400)
        return await self.show_endpoints(request)

    async def resend(self, request: web.Request) -> web.Response:
        event = self._account.events.table.get(request.match_info["event"])
        if event is None:
            return reply({"error": "no such event"}, 404)
        try:
            copies = int((await body_of(request)).get("copies", 1))
        except (TypeError, ValueError) as error:
            return reply({"error": str(error)}, 400)
        return reply({"sent": self._deliverer.resend(event, copies)})

    async def show_intents(self, _request: web.Request) -> web.Response:
        """For reconciliation: all of them, oldest first, with their charges; no client secrets."""
        return reply({"payment_intents": [self._summary(intent) for intent in self._account.payment_intents]})

    def _summary(self, intent: dict[str, Any]) -> dict[str, Any]:
        shown = ("id", "amount", "amount_received", "currency", "status", "created", "customer", "metadata")
        charges = self._account.charges.among("payment_intent", intent["id"])
        return {
            **{name: intent[name] for name in shown},
            "charges": [
                {name: charge[name] for name in ("id", "status", "amount_captured", "amount_refunded")}
                for charge in charges
            ],
        }

    async def authenticate(self, request: web.Request) -> web.Response:
        intent = self._account.payment_intents.get(request.match_info["intent"])
        if intent is None:
            return reply({"error": "no such payment intent"}, 404)
        try:
            outcome = (await body_of(request)).get("outcome")
            if outcome not in {"succeed", "fail"}:
                return reply({"error": "outcome is succeed or fail"}, 400)
            confirmation.authenticate(self._account, intent, succeeds=outcome == "succeed")
        except ValueError as error:
            return reply({"error": str(error)}, 400)
        except Refusal as refusal:
            return reply({"error": str(refusal)}, 409)
        return reply(self._summary(intent))

    async def show_assumptions(self, _request: web.Request) -> web.Response:
        return reply(ASSUMPTIONS)


def _read(kind: type[Made], body: dict[str, Any]) -> Made:
    unknown = body.keys() - {field.name for field in fields(kind)}
    if unknown:
        raise ValueError(f"unknown: {', '.join(sorted(unknown))}")
    return TypeAdapter(kind).validate_python(body)


def _endpoint(given: dict[str, Any]) -> Endpoint:
    secrets = given["secrets"]
    if isinstance(secrets, str) or not secrets:
        raise ValueError("secrets is a list with at least one")
    return Endpoint(str(given["url"]), tuple(secrets), tuple(given.get("events", ("*",))))


def _rules(rules: Rules) -> dict[str, Any]:
    return {name: getattr(rules, name) for name in Rules.__dataclass_fields__}
