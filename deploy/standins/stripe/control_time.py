"""Control over the stand-in itself: its clock, its limits, locks, what is in it, and its signing secrets."""

from dataclasses import replace
from functools import partial
from typing import Any

from aiohttp import web

from deploy.standins.stripe import customers, payment_intents
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call, Origin
from deploy.standins.stripe.control_io import Body, only, ordered
from deploy.standins.stripe.errors import Refusal
from deploy.standins.stripe.ids import new_id, new_request_id

LIMITS = ("requests_per_s", "requests_per_s_and_endpoint", "requests_at_once", "updates_per_h_and_intent")
MOST_SEEDED = 100_000


class TimeControl:
    def __init__(self, account: Account) -> None:
        self._account = account

    def add_to(self, app: web.Application) -> None:
        app.router.add_get("/_control/clock", ordered(self.clock))
        app.router.add_post("/_control/clock/advance", ordered(self.advance))
        app.router.add_post("/_control/limits", ordered(self.limits))
        app.router.add_post("/_control/search", ordered(self.search))
        app.router.add_post("/_control/locks", ordered(self.hold))
        app.router.add_post("/_control/seed", ordered(self.seed))
        app.router.add_post("/_control/webhook_endpoints/{endpoint}/rotate", ordered(self.rotate))

    async def clock(self, _request: web.Request, _body: Body) -> dict[str, Any]:
        clock = self._account.clock
        return {"now": clock.now(), "ahead_s": round(clock.ahead_s, 3), "steps_waiting": clock.waiting}

    async def advance(self, request: web.Request, body: Body) -> dict[str, Any]:
        """`{"seconds": 604800}`: what falls due on the way happens in order."""
        only(body, "seconds")
        seconds = float(body["seconds"])
        if not 0 <= seconds <= 10 * 366 * 86_400:
            raise ValueError("seconds is not negative and at most ten years")
        taken = self._account.clock.advance(seconds)
        return {**await self.clock(request, body), "steps_taken": taken}

    async def limits(self, _request: web.Request, body: Body) -> dict[str, Any]:
        """Any of LIMITS; null lifts one, what is not named stays."""
        only(body, *LIMITS)
        for name, value in body.items():
            if value is not None and (isinstance(value, bool) or not isinstance(value, int | float) or value <= 0):
                raise ValueError(f"{name} is a positive number or null")
        limits = self._account.limits
        limits.set_to(replace(limits.config, **body))
        return {name: getattr(limits.config, name) for name in LIMITS}

    async def search(self, _request: web.Request, body: Body) -> dict[str, Any]:
        """`{"lag_s": 60}`"""
        only(body, "lag_s")
        self._account.search_lag_s = max(0.0, float(body["lag_s"]))
        return {"lag_s": self._account.search_lag_s}

    async def hold(self, _request: web.Request, body: Body) -> dict[str, Any]:
        """`{"object": "pi_…", "seconds": 2}`: requests that change it wait, or end in a lock timeout."""
        only(body, "object", "seconds", "wait_s")
        locks, name = self._account.locks, str(body["object"])
        if "wait_s" in body:
            locks.wait_s = float(body["wait_s"])
        held = locks.hold(name)
        if held:
            self._account.clock.later(float(body.get("seconds", 1)), partial(locks.let_go, name))
        return {"held": held}

    async def seed(self, _request: web.Request, body: Body) -> dict[str, Any]:
        """`{"payments": 1000, "customers": 0, "method": "pm_card_visa", "amount": 2500, …}`, told to nobody."""
        only(body, "payments", "customers", "method", "amount", "currency", "metadata")
        amounts = {name: int(body.get(name, 0)) for name in ("payments", "customers")}
        if not all(0 <= amount <= MOST_SEEDED for amount in amounts.values()):
            raise ValueError(f"at most {MOST_SEEDED} at a time")
        listener = self._account.events.listener
        self._account.events.listener = lambda _event: None
        try:
            for _ in range(amounts["customers"]):
                customers.create(self._call({}))
            for _ in range(amounts["payments"]):
                self._pay(body)
        finally:
            self._account.events.listener = listener
        return {"payment_intents": len(self._account.payment_intents), "customers": len(self._account.customers)}

    def _pay(self, body: Body) -> None:
        form = {
            "amount": str(body.get("amount", 2500)),
            "currency": str(body.get("currency", "usd")),
            "confirm": "true",
            "payment_method": str(body.get("method", "pm_card_visa")),
            "return_url": "http://127.0.0.1/",
            "metadata": {str(key): str(value) for key, value in dict(body.get("metadata", {})).items()},
        }
        try:
            payment_intents.create(self._call(form))
        except Refusal as refusal:
            if refusal.status != 402:  # a seeded decline is one, too
                raise

    def _call(self, form: Body) -> Call:
        return Call(self._account, Origin(new_request_id(), None), form, {}, "http://127.0.0.1")

    async def rotate(self, request: web.Request, body: Body) -> dict[str, Any]:
        """`{"secret": "whsec_…", "overlap_s": 86400}`: a secret that is made here is told once, in the answer."""
        only(body, "secret", "overlap_s")
        hooks = self._account.hooks
        endpoint = hooks.table.find(request.match_info["endpoint"])["id"]
        secret = str(body.get("secret") or new_id("whsec", 32))
        signing = hooks.roll(endpoint, secret, float(body.get("overlap_s", 86_400)))
        return {"id": endpoint, "secrets": signing, **({} if body.get("secret") else {"secret": secret})}
