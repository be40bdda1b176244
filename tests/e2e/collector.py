"""A collector for traces: takes what the processes export over OTLP/HTTP, and keeps it."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from aiohttp import web
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest


@dataclass(frozen=True)
class Seen:
    trace_id: str
    span_id: str
    parent_id: str
    service: str
    name: str


def without_parent(spans: list[Seen]) -> list[str]:
    """The names of the spans whose parent is none of them."""
    ids = {span.span_id for span in spans}
    return [span.name for span in spans if span.parent_id not in ids]


class Collector:
    def __init__(self) -> None:
        self.spans: list[Seen] = []
        self.url = ""

    @asynccontextmanager
    async def running(self) -> AsyncIterator["Collector"]:
        app = web.Application(client_max_size=16 * 1024 * 1024)
        app.router.add_post("/v1/traces", self._take)
        runner = web.AppRunner(app, access_log=None)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0).start()
            self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
            yield self
        finally:
            await runner.cleanup()

    async def until_whole(self, trace_id: str, names: set[str], within_s: float = 60) -> list[Seen]:
        """The spans of a trace, once there is one of each name, and each hangs on another one but for the first.

        Each process sends its spans in batches of its own: a parent may come later than its child.
        """
        deadline = time.monotonic() + within_s
        while True:
            found = [span for span in self.spans if span.trace_id == trace_id]
            missing = names - {span.name for span in found}
            roots = without_parent(found)
            if not missing and len(roots) == 1:
                return found
            if time.monotonic() > deadline:
                raise TimeoutError(f"the trace lacks {missing}, starts with {roots}, has {[s.name for s in found]}")
            await asyncio.sleep(0.1)

    async def _take(self, request: web.Request) -> web.Response:
        sent = ExportTraceServiceRequest()
        sent.ParseFromString(await request.read())
        for resource in sent.resource_spans:
            attributes = {each.key: each.value.string_value for each in resource.resource.attributes}
            for scope in resource.scope_spans:
                self.spans += [
                    Seen(
                        span.trace_id.hex(),
                        span.span_id.hex(),
                        span.parent_span_id.hex(),
                        attributes.get("service.name", ""),
                        span.name,
                    )
                    for span in scope.spans
                ]
        return web.Response(body=b"", content_type="application/x-protobuf")
