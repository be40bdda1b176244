"""What is seen of a request: metrics, one access line, a span."""

import logging
from collections.abc import AsyncIterator
from typing import Any

import pytest
from aiohttp import ClientSession, web
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared import errors, metrics, tracing
from shared.logs import JsonLines
from shared.permissions import Permission, permit
from shared.web import make_app, reply
from tests.integration.shared.conftest import Serve, settings_with

TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
PARENT = f"00-{TRACE_ID}-b7ad6b7169203331-01"


@permit(Permission.PUBLIC)
async def show(request: web.Request) -> web.Response:
    return reply({"trace_id": tracing.current_trace_id()})


@permit(Permission.PUBLIC)
async def be_away(request: web.Request) -> web.Response:
    raise errors.Unavailable


@permit(Permission.PUBLIC)
async def stream(request: web.Request) -> web.StreamResponse:
    response = web.StreamResponse()
    await response.prepare(request)
    await response.write_eof(b"x")
    return response


ROUTES = [web.get("/orders/{id}", show), web.get("/away", be_away), web.get("/stream", stream)]


@pytest.fixture
async def spans() -> AsyncIterator[InMemorySpanExporter]:
    exporter = InMemorySpanExporter()
    tracing.configure("checkout", "box:1", exporter=exporter)
    yield exporter
    tracing.shutdown()


def finished(exporter: InMemorySpanExporter) -> dict[str, ReadableSpan]:
    tracing.shutdown()
    return {span.name: span for span in exporter.get_finished_spans()}


def count(name: str, route: str, status_class: str) -> float:
    labels = {"route": route, "method": "GET", "status_class": status_class}
    return metrics.REGISTRY.get_sample_value(name, labels) or 0.0


async def ask(client: ClientSession, path: str, **sent: Any) -> Any:
    async with client.get(path, **sent) as response:
        return await response.json(content_type=None) if response.content_type != "application/octet-stream" else None


async def test_requests_are_counted_by_template_and_class(serve: Serve) -> None:
    client = await serve(make_app(settings_with(), ROUTES))
    names = ("http_requests_total", "http_request_duration_seconds_count")
    before = [count(name, "/orders/{id}", "2xx") for name in names]
    for number in range(3):
        await ask(client, f"/orders/{number}")
    assert [count(name, "/orders/{id}", "2xx") for name in names] == [value + 3 for value in before]


async def test_unknown_paths_make_no_new_series(serve: Serve) -> None:
    client = await serve(make_app(settings_with(), ROUTES))
    before = count("http_requests_total", "(none)", "4xx")
    await ask(client, "/a")
    await ask(client, "/b")
    assert count("http_requests_total", "(none)", "4xx") == before + 2


async def test_a_card_number_in_a_path_is_not_logged(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "shared.web.access")
    client = await serve(make_app(settings_with(), ROUTES))
    await ask(client, "/orders/4242%204242%204242%204242")
    (line,) = [record for record in caplog.records if record.name == "shared.web.access"]
    assert "/orders/[card]" in JsonLines("shop", "1").format(line)


async def test_a_stream_is_counted_but_not_timed(serve: Serve) -> None:
    client = await serve(make_app(settings_with(), ROUTES))
    await ask(client, "/stream")
    assert count("http_requests_total", "/stream", "2xx") >= 1
    assert count("http_request_duration_seconds_count", "/stream", "2xx") == 0


async def test_a_request_is_one_access_line_without_its_query(serve: Serve, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "shared.web.access")
    client = await serve(make_app(settings_with(), ROUTES))
    await ask(client, "/orders/7?token=secret")
    await ask(client, "/healthz")
    (line,) = [record.__dict__ for record in caplog.records if record.name == "shared.web.access"]
    assert (line["method"], line["route"], line["path"], line["status"]) == ("GET", "/orders/{id}", "/orders/7", 200)
    assert line["client_address"] == "127.0.0.1"
    assert line["ms"] >= 0
    assert "secret" not in str(line)


async def test_a_request_from_our_network_goes_on_with_its_trace(serve: Serve, spans: InMemorySpanExporter) -> None:
    client = await serve(make_app(settings_with(), ROUTES))
    assert (await ask(client, "/orders/7", headers={"traceparent": PARENT}))["trace_id"] == TRACE_ID
    span = finished(spans)["GET /orders/{id}"]
    assert span.kind is tracing.SpanKind.SERVER
    assert span.attributes == {
        "http.request.method": "GET",
        "url.scheme": "http",
        "http.route": "/orders/{id}",
        "http.response.status_code": 200,
    }


async def test_a_strangers_trace_is_not_believed(serve: Serve, spans: InMemorySpanExporter) -> None:
    client = await serve(make_app(settings_with(trusted_hops=1), ROUTES))
    headers = {"traceparent": PARENT, "X-Forwarded-For": "203.0.113.7"}
    assert (await ask(client, "/orders/7", headers=headers))["trace_id"] not in {None, TRACE_ID}


async def test_a_failure_of_ours_marks_the_span(serve: Serve, spans: InMemorySpanExporter) -> None:
    client = await serve(make_app(settings_with(), ROUTES))
    await ask(client, "/away")
    await ask(client, "/healthz")
    found = finished(spans)
    assert list(found) == ["GET /away"], "asking for health leaves no span"
    assert found["GET /away"].attributes["error.type"] == "503"  # type: ignore[index]
