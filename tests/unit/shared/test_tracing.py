"""Spans and what runs through them from process to process."""

import logging
import socket
import threading
import time
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest
from opentelemetry.sdk.trace import ReadableSpan
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
from opentelemetry.trace import StatusCode

from shared import tracing
from shared.tracing import SpanKind

PARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"


class Recorded:
    def __init__(self, exporter: InMemorySpanExporter) -> None:
        self._exporter = exporter

    def spans(self) -> dict[str, ReadableSpan]:
        tracing.shutdown()
        return {span.name: span for span in self._exporter.get_finished_spans()}


@pytest.fixture
def recorded() -> Iterator[Recorded]:
    exporter = InMemorySpanExporter()
    tracing.configure("checkout", "box:1", exporter=exporter)
    yield Recorded(exporter)
    tracing.shutdown()


def test_a_span_says_which_process_it_is_from(recorded: Recorded) -> None:
    with tracing.span("work", kind="server", **{"http.route": "/v1/orders"}):
        pass
    span = recorded.spans()["work"]
    assert span.kind is SpanKind.SERVER
    assert span.attributes == {"http.route": "/v1/orders"}
    assert span.resource.attributes["service.name"] == "checkout"
    assert span.resource.attributes["service.instance.id"] == "box:1"


def test_a_traceparent_from_elsewhere_is_gone_on_with(recorded: Recorded) -> None:
    with tracing.span("work", parent=PARENT):
        onward = tracing.current_traceparent()
        assert tracing.current_trace_id() == TRACE_ID
    span = recorded.spans()["work"]
    assert span.parent is not None
    assert f"{span.parent.span_id:016x}" == "b7ad6b7169203331"
    assert onward is not None
    assert onward.startswith(f"00-{TRACE_ID}-")
    assert onward != PARENT


def test_a_span_inside_another_is_below_it(recorded: Recorded) -> None:
    with tracing.span("outer"), tracing.span("inner"):
        pass
    spans = recorded.spans()
    assert spans["inner"].parent == spans["outer"].context


def test_a_given_parent_wins_over_the_current_span(recorded: Recorded) -> None:
    with tracing.span("outer"), tracing.span("inner", parent=PARENT):
        assert tracing.current_trace_id() == TRACE_ID


@pytest.mark.parametrize("parent", [None, "", "nonsense", PARENT[:-3], f"00-{'0' * 32}-{'0' * 16}-01"])
def test_something_malformed_counts_as_nothing(recorded: Recorded, parent: str | None) -> None:
    with tracing.span("work", parent=parent, link=parent):
        assert tracing.current_trace_id() not in {None, TRACE_ID}
    span = recorded.spans()["work"]
    assert (span.parent, list(span.links)) == (None, [])


def test_a_link_names_the_trace_that_led_here(recorded: Recorded) -> None:
    with tracing.span("work", link=PARENT):
        assert tracing.current_trace_id() != TRACE_ID
    (link,) = recorded.spans()["work"].links
    assert f"{link.context.trace_id:032x}" == TRACE_ID


def test_an_exception_marks_the_span_by_its_class_and_nothing_else(recorded: Recorded) -> None:
    with pytest.raises(ValueError, match="secret"), tracing.span("work"):
        raise ValueError("a secret")
    span = recorded.spans()["work"]
    assert span.attributes == {"error.type": "ValueError"}
    assert (span.status.status_code, span.status.description) == (StatusCode.ERROR, None)
    assert list(span.events) == []


def test_an_untraced_decision_of_the_caller_is_kept(recorded: Recorded) -> None:
    with tracing.span("work", parent=PARENT[:-2] + "00"):
        assert (tracing.current_traceparent() or "").endswith("00")
    assert recorded.spans() == {}


def test_before_it_is_configured_there_is_no_trace_and_no_harm() -> None:
    tracing.shutdown()
    with tracing.span("work", kind=SpanKind.CLIENT) as span:
        span.set_attribute("a", 1)
        assert tracing.current_traceparent() is None
        assert tracing.current_trace_id() is None


def test_without_a_collector_traces_still_have_ids() -> None:
    tracing.configure("checkout", "box:1", None)
    with tracing.span("work"):
        assert tracing.current_traceparent()
    tracing.shutdown()


def test_a_collector_that_is_away_costs_one_line_and_little_time(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "shared")
    tracing.configure("checkout", "box:1", "http://127.0.0.1:9")
    for _ in range(3):
        with tracing.span("work"):
            pass
    started = time.perf_counter()
    tracing.shutdown(timeout_s=60)
    assert time.perf_counter() - started < 30
    assert [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING] == [
        "spans not exported"
    ]
    assert all(record.exc_info is None for record in caplog.records)


def test_a_collector_that_hangs_does_not_hold_up_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "EXPORT_TIMEOUT_S", 5.0)
    with socket.create_server(("127.0.0.1", 0)) as hanging:
        tracing.configure("checkout", "box:1", f"http://127.0.0.1:{hanging.getsockname()[1]}")
        with tracing.span("work"):
            pass
        started = time.perf_counter()
        tracing.shutdown(timeout_s=0.3)
        assert time.perf_counter() - started < 4  # the library would wait for as long as an export may take
    # What was left behind goes on trying for a moment; the next tests must not meet it.
    for thread in threading.enumerate():
        if thread is not threading.main_thread() and "Otel" in thread.name:
            thread.join(15)


def test_spans_reach_a_collector_as_otlp() -> None:
    received: list[tuple[str, bytes]] = []

    class Collector(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            received.append((self.path, self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: object) -> None:
            """Nothing: the test's own output is enough."""

    with HTTPServer(("127.0.0.1", 0), Collector) as server:
        serving = threading.Thread(target=server.serve_forever)
        serving.start()
        tracing.configure("checkout", "box:1", f"http://127.0.0.1:{server.server_port}/")
        with tracing.span("work", parent=PARENT):
            pass
        tracing.shutdown(timeout_s=10)
        server.shutdown()
        serving.join()
    ((path, body),) = received
    assert path == "/v1/traces"
    (resource,) = ExportTraceServiceRequest.FromString(body).resource_spans
    (span,) = resource.scope_spans[0].spans
    assert (span.name, span.trace_id.hex()) == ("work", TRACE_ID)
    assert "checkout" in str(resource.resource)
