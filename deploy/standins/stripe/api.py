"""The way of a request: key, limits, faults, idempotency, endpoint, answer."""

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import AbstractAsyncContextManager

import orjson
from aiohttp import web

from deploy.standins.stripe import auth, errors, expand, forms
from deploy.standins.stripe.account import Account
from deploy.standins.stripe.call import Call, Origin
from deploy.standins.stripe.config import API_MAJOR, API_VERSION
from deploy.standins.stripe.errors import Refusal
from deploy.standins.stripe.faults import Fault
from deploy.standins.stripe.idempotency import Answer, fingerprint
from deploy.standins.stripe.ids import new_request_id
from deploy.standins.stripe.routes import ROUTES, Route
from deploy.standins.stripe.tables import Json
from deploy.standins.stripe.wire import cut, drop, send

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Api:
    def __init__(self, account: Account) -> None:
        self._account = account

    def add_to(self, app: web.Application) -> None:
        for route in ROUTES:
            app.router.add_route(route.method, route.path, self._handler(route))
        app.router.add_route("*", "/v1/{rest:.*}", self._unknown)

    def _handler(self, route: Route) -> Handler:
        async def handler(request: web.Request) -> web.StreamResponse:
            request_id = new_request_id()
            fault = None
            try:
                is_publishable = self._admit(request, route) == "pk"
                delay_s, fault = self._account.faults.strike(request.method, request.path)
                if fault is not None and fault.kind in _BEFORE:
                    return await _BEFORE[fault.kind](request, fault)
                call = self._call(request, await _form(request), request_id, is_publishable)
                expand.check(route.noun, route.is_list, call.form.get("expand", []))
                with self._account.limits.one_more():
                    answer = await self._answer(request, route, (delay_s, fault), call)
            except Refusal as refusal:
                answer = _refused(refusal, request_id)
            self._count(answer)
            if fault is not None and fault.kind in _AFTER:
                return await _AFTER[fault.kind](request, answer)
            return send(request, answer)

        return handler

    def _admit(self, request: web.Request, route: Route) -> str:
        """What is decided before the idempotency layer, remembering nothing; the kind of key that came."""
        kind = auth.key_kind(request.headers.get("Authorization"), request.query.get("key"))
        if kind == "pk" and not route.is_public:
            raise auth.secret_key_required()
        version = request.headers.get("Stripe-Version", API_VERSION)
        if not version.endswith(f".{API_MAJOR}"):
            raise errors.invalid(f"This stand-in speaks {API_VERSION} and its major's others only, not {version}.")
        self._account.limits.check(f"{route.method} {route.path}")
        return kind

    async def _answer(
        self, request: web.Request, route: Route, trouble: tuple[float, Fault | None], call: Call
    ) -> Answer:
        delay_s = trouble[0] + self._account.random.uniform(*self._account.config.latency_s)
        key = call.origin.idempotency_key
        if key is None:
            async with self._holding(route, call):
                await asyncio.sleep(delay_s)
                return self._run(route, call, trouble[1])[0]
        keys = self._account.keys
        repeated = keys.claim(key, fingerprint(request.method, request.path, call.form))
        if repeated is not None:
            return repeated
        kept = False
        try:
            async with self._holding(route, call):
                await asyncio.sleep(delay_s)
                answer, to_keep = self._run(route, call, trouble[1])
            if to_keep is not None:
                keys.keep(key, to_keep)
                kept = True
        finally:
            if not kept:
                keys.release(key)
        return answer

    def _holding(self, route: Route, call: Call) -> AbstractAsyncContextManager[None]:
        return self._account.locks.holding(next(iter(call.path.values())) if route.is_locking else None)

    def _call(self, request: web.Request, form: Json, request_id: str, is_publishable: bool) -> Call:
        key = (request.headers.get("Idempotency-Key") or None) if request.method == "POST" else None
        base_url = f"{request.scheme}://{request.host}"
        origin = Origin(request_id, key)
        return Call(self._account, origin, form, dict(request.match_info), base_url, is_publishable)

    def _run(self, route: Route, call: Call, fault: Fault | None) -> tuple[Answer, Answer | None]:
        """The answer, and what the idempotency key shall remember."""
        request_id = call.origin.request_id
        try:
            thing = route.answer(call)
            thing = expand.expand(call.account, thing, call.form.get("expand", []))
            answer = Answer(200, orjson.dumps(thing), request_id=request_id)
            kept: Answer | None = answer
        except Refusal as refusal:
            answer = _refused(refusal, request_id)
            kept = answer if refusal.is_stored else None
        if kept is not None and fault is not None and fault.kind == "error_after":
            error = _refused(errors.server_error(), request_id)
            return error, kept if fault.stored == "result" else error
        return answer, kept

    def _count(self, answer: Answer) -> None:
        status = str(answer.status)
        self._account.counts[status] = self._account.counts.get(status, 0) + 1

    async def _unknown(self, request: web.Request) -> web.StreamResponse:
        message = f"Unrecognized request URL ({request.method}: {request.path}), or not in this stand-in."
        return send(request, _refused(errors.invalid(message, status=404), new_request_id()))


async def _form(request: web.Request) -> Json:
    if request.method != "POST":
        form = forms.parse(request.rel_url.raw_query_string)
    else:
        if request.can_read_body and request.content_type != "application/x-www-form-urlencoded":
            raise errors.invalid("The content type of a POST must be application/x-www-form-urlencoded.")
        try:
            form = forms.parse((await request.read()).decode())
        except UnicodeDecodeError as error:
            raise errors.invalid("The body is not UTF-8.") from error
    form.pop("key", None)  # a browser's publishable key; it is no parameter of the endpoint
    return form


def _refused(refusal: Refusal, request_id: str) -> Answer:
    return Answer(refusal.status, orjson.dumps({"error": refusal.error}), refusal.headers, request_id)


async def _refuse_before(request: web.Request, fault: Fault) -> web.StreamResponse:
    made = {
        "error_before": errors.server_error,
        "rate_limit": lambda: errors.too_many_requests(fault.reason),
        "lock_timeout": errors.lock_timeout,
    }
    return send(request, _refused(made[fault.kind](), new_request_id()))


async def _cut_before(request: web.Request, _fault: Fault) -> web.StreamResponse:
    return await cut(request, Answer(200, orjson.dumps({"object": "payment_intent", "id": "pi_never_made"})))


async def _drop_before(request: web.Request, _fault: Fault) -> web.StreamResponse:
    return drop(request)


async def _drop_after(request: web.Request, _answer: Answer) -> web.StreamResponse:
    return drop(request)


#
_BEFORE: dict[str, Callable[[web.Request, Fault], Awaitable[web.StreamResponse]]] = {
    "error_before": _refuse_before,
    "rate_limit": _refuse_before,
    "lock_timeout": _refuse_before,
    "cut_before": _cut_before,
    "drop_before": _drop_before,
}
_AFTER: dict[str, Callable[[web.Request, Answer], Awaitable[web.StreamResponse]]] = {
    "cut_after": cut,
    "drop_after": _drop_after,
}
