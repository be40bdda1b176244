"""Watches a stand-in while it is tested: each form it takes and each object it gives is held against the schema."""

import orjson
from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from deploy.standins.stripe import forms
from deploy.standins.stripe.app import ACCOUNT
from tests.stripe_schema import params_class, wrong_error, wrong_form, wrong_object


class SchemaWatch:
    def __init__(self) -> None:
        self.problems: list[str] = []
        self._seen: list[tuple[str, str, int, bytes]] = []

    def middleware(self) -> Middleware:
        @web.middleware
        async def watching(request: web.Request, handler: Handler) -> web.StreamResponse:
            form = await request.read()
            response = await handler(request)
            resource = request.match_info.route.resource
            key = request.headers.get("Authorization", "")
            is_ours = resource is not None and resource.canonical.startswith("/v1/") and "pk_" not in key
            if is_ours and isinstance(response, web.Response) and isinstance(response.body, bytes) and resource:
                text = form.decode() if request.method == "POST" else request.rel_url.raw_query_string
                self._seen.append((f"{request.method} {resource.canonical}", text, response.status, response.body))
            return response

        return watching

    def _look(self, route: str, text: str, status: int, body: bytes) -> None:
        answer = orjson.loads(body)
        if "error" in answer:
            self.problems += [f"{route}: {problem}" for problem in wrong_error(answer["error"])]
            return
        found = wrong_object(answer)
        kind = params_class(*route.split(" "))
        if kind is not None and status == 200:
            found += wrong_form(kind, forms.parse(text))
        self.problems += [f"{route}: {problem}" for problem in found]

    def look(self, app: web.Application) -> None:
        """Afterwards, because building a schema takes long enough to disturb a test's timing."""
        for answer in self._seen:
            self._look(*answer)
        for event in app[ACCOUNT].events.table:
            self.problems += [f"event: {problem}" for problem in wrong_object(orjson.loads(orjson.dumps(event)))]
