"""Calls to others: what is counted, what is sent along, what is refused."""

import asyncio
from collections.abc import AsyncIterator

import aiohttp
import pytest
from aiohttp import web
from aiohttp.test_utils import TestServer
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from shared import http_client, metrics, tracing


async def answer(request: web.Request) -> web.Response:
    if request.path == "/slow":
        await asyncio.sleep(30)
    if request.path == "/moved":
        raise web.HTTPFound("/elsewhere")
    if request.path == "/broken":
        return web.Response(status=500)
    if request.path == "/locked":
        return web.Response(status=401)
    return web.json_response({"traceparent": request.headers.get("traceparent")}, headers={"Set-Cookie": "a=b"})


@pytest.fixture
async def peer() -> AsyncIterator[TestServer]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    server = TestServer(app, host="127.0.0.1")
    await server.start_server(shutdown_timeout=0.1)
    yield server
    await server.close()


@pytest.fixture
def spans() -> InMemorySpanExporter:
    exporter = InMemorySpanExporter()
    tracing.configure("checkout", "box:1", exporter=exporter)
    return exporter


def count(outcome: str) -> float:
    labels = {"peer": "somebody", "method": "GET", "outcome": outcome}
    return metrics.REGISTRY.get_sample_value("http_client_requests_total", labels) or 0.0


@pytest.mark.parametrize(
    ("path", "outcome", "error"),
    [
        ("/", "2xx", None),
        ("/broken", "5xx", None),
        ("/locked", "denied", None),
        ("/slow", "timeout", TimeoutError),
        ("/moved", "redirect", http_client.RedirectRefused),
    ],
)
async def test_each_call_is_counted_by_how_it_ended(
    peer: TestServer, path: str, outcome: str, error: type[Exception] | None
) -> None:
    before = count(outcome)
    async with http_client.session(0.5 if path == "/slow" else 30, peer="somebody") as session:
        if error is None:
            async with session.get(peer.make_url(path)):
                pass
        else:
            with pytest.raises(error):
                await session.get(peer.make_url(path))
    assert count(outcome) == before + 1


async def test_a_peer_that_is_away_is_told_apart_from_one_that_broke_off(unused_tcp_port: int) -> None:
    before = count("not_connected")
    async with http_client.session(30, peer="somebody") as session:
        with pytest.raises(aiohttp.ClientConnectorError):
            await session.get(f"http://127.0.0.1:{unused_tcp_port}/")
    assert count("not_connected") == before + 1


async def test_a_call_that_is_given_up_is_counted_and_leaves_no_span_open(
    peer: TestServer, spans: InMemorySpanExporter
) -> None:
    before = count("stopped")
    async with http_client.session(30, peer="somebody") as session:
        call = asyncio.create_task(session.get(peer.make_url("/slow")))
        await asyncio.sleep(0.1)
        call.cancel()
        await asyncio.wait({call})
    tracing.shutdown()
    assert count("stopped") == before + 1
    assert [span.name for span in spans.get_finished_spans()] == ["GET somebody"]


@pytest.mark.parametrize("is_ours", [True, False])
async def test_trace_context_goes_only_to_our_own(peer: TestServer, spans: InMemorySpanExporter, is_ours: bool) -> None:
    async with http_client.session(30, peer="somebody", is_ours=is_ours) as session:
        with tracing.span("work"):
            async with session.get(peer.make_url("/?token=secret")) as response:
                sent = (await response.json())["traceparent"]
            work = tracing.current_trace_id()
    tracing.shutdown()
    span = next(span for span in spans.get_finished_spans() if span.name == "GET somebody")
    assert (sent is not None and work is not None and work in sent) is is_ours
    assert span.kind is tracing.SpanKind.CLIENT
    assert "secret" not in str(span.attributes)
    assert span.attributes is not None
    assert span.attributes["http.response.status_code"] == 200


async def test_cookies_are_not_kept(peer: TestServer) -> None:
    async with http_client.session(30, peer="somebody") as session:
        async with session.get(peer.make_url("/")):
            pass
        assert len(session.cookie_jar) == 0
