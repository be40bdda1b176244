"""Traces: one tracer per process, W3C trace context and nothing else.

There is no baggage, and attributes carry no personal data: ids, routes, outcomes. Without a collector's
address spans are made all the same, so that trace ids run through logs, outbox and messages; they go nowhere.
"""

import logging
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.id_generator import RandomIdGenerator
from opentelemetry.sdk.trace.sampling import ALWAYS_ON, ParentBased
from opentelemetry.trace import Link, Span, SpanContext, SpanKind, Status, StatusCode, TraceFlags
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from opentelemetry.util.types import AttributeValue

__all__ = [
    "Span",
    "SpanKind",
    "StatusCode",
    "configure",
    "current_trace_id",
    "current_traceparent",
    "shutdown",
    "span",
]

log = logging.getLogger(__name__)

EXPORT_TIMEOUT_S = 3.0  # a batch that a collector nearby can't take in this time is dropped
QUIET_S = 60.0  # while the collector is away: one line per this long
FLUSH_S = 3.0  # what a stopping process gives its last spans

_PROPAGATOR: Final = TraceContextTextMapPropagator()
_SCOPE: Final = "kct"


class QuietExporter(SpanExporter):
    """Sends batches to the collector; when it is away, says so in one line now and then, and drops them."""

    def __init__(self, otlp_url: str) -> None:
        # Imported here, since it brings protobuf and requests along: a process without a collector starts sooner.
        from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter

        # The library logs every failed try with its cause; what matters of it is in our one line.
        logging.getLogger("opentelemetry.exporter").setLevel(logging.CRITICAL)
        endpoint = f"{otlp_url.rstrip('/')}/v1/traces"
        self._exporter = OTLPSpanExporter(endpoint=endpoint, timeout=EXPORT_TIMEOUT_S)
        self._quiet_until = 0.0

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        result = self._exporter.export(spans)
        if result is not SpanExportResult.SUCCESS and time.monotonic() >= self._quiet_until:
            self._quiet_until = time.monotonic() + QUIET_S
            log.warning("spans not exported", extra={"spans": len(spans)})
        return result

    def shutdown(self) -> None:
        self._exporter.shutdown()  # type: ignore[no-untyped-call]  # the library left it without annotations


class _IdsOnly(trace.NoOpTracer):
    """Without a collector: spans that have ids, and record nothing that nobody would ever see."""

    _ids: Final = RandomIdGenerator()

    def start_span(self, name: str, context: Context | None = None, *_: object, **__: object) -> Span:
        above = trace.get_current_span(context).get_span_context()
        return trace.NonRecordingSpan(
            SpanContext(
                trace_id=above.trace_id if above.is_valid else self._ids.generate_trace_id(),
                span_id=self._ids.generate_span_id(),
                is_remote=False,
                trace_flags=above.trace_flags if above.is_valid else TraceFlags(TraceFlags.SAMPLED),
            )
        )


class _Process:
    """What `configure` set up; before it ran, spans are nothing and traceparents None."""

    provider: TracerProvider | None = None
    tracer: trace.Tracer = trace.NoOpTracer()


def configure(
    service: str, instance: str, otlp_url: str | None = None, *, exporter: SpanExporter | None = None
) -> None:
    """Start tracing. Called once, in `__main__`; a test gives its own exporter."""
    shutdown()
    resource = Resource.create({"service.namespace": "kct", "service.name": service, "service.instance.id": instance})
    if exporter is None and otlp_url is not None:
        exporter = QuietExporter(otlp_url)
    if exporter is None:
        _Process.tracer = _IdsOnly()
        return
    provider = TracerProvider(sampler=ParentBased(ALWAYS_ON), resource=resource, shutdown_on_exit=False)
    # The library logs each span that a full queue drops: a flood exactly when the collector is away.
    logging.getLogger("opentelemetry.sdk._shared_internal").setLevel(logging.ERROR)
    provider.add_span_processor(BatchSpanProcessor(exporter))
    _Process.provider = provider
    _Process.tracer = provider.get_tracer(_SCOPE)


def shutdown(timeout_s: float = FLUSH_S) -> None:
    """Send what is left, for at most so long: a collector that hangs doesn't hold up the process's end."""
    provider, _Process.provider, _Process.tracer = _Process.provider, None, trace.NoOpTracer()
    if provider is None:
        return
    flushing = threading.Thread(target=provider.shutdown, name="last spans", daemon=True)
    flushing.start()
    flushing.join(timeout_s)
    if flushing.is_alive():
        log.warning("spans lost at the end", extra={"waited_s": timeout_s})


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind | str = SpanKind.INTERNAL,
    parent: str | None = None,
    link: str | None = None,
    **attributes: AttributeValue,
) -> Iterator[Span]:
    """A span around the block.

    `parent` is a traceparent from outside (a header, a stored row); without one the span goes below the
    current one. `link` names another trace that led here. Something malformed counts as nothing given.
    An exception marks the span by its class only: its text may hold what a trace must not.
    """
    linked = _span_context(link) if _Process.provider is not None else None
    started = _Process.tracer.start_span(
        name,
        context=_context(parent),
        kind=kind if isinstance(kind, SpanKind) else SpanKind[kind.upper()],
        attributes=attributes,
        links=[Link(linked)] if linked else [],
    )
    # What the library's `use_span` does, less its second generator around each request.
    token = context.attach(trace.set_span_in_context(started))
    try:
        yield started
    except Exception as error:
        started.set_attribute("error.type", type(error).__qualname__)
        started.set_status(Status(StatusCode.ERROR))
        raise
    finally:
        context.detach(token)
        started.end()


def current_traceparent() -> str | None:
    """What to store or send along, so that whoever handles it later goes on with this trace."""
    current = trace.get_current_span().get_span_context()
    if not current.is_valid:
        return None
    return f"00-{current.trace_id:032x}-{current.span_id:016x}-{current.trace_flags:02x}"


def current_trace_id() -> str | None:
    current = trace.get_current_span().get_span_context()
    return trace.format_trace_id(current.trace_id) if current.is_valid else None


def _context(parent: str | None) -> Context | None:
    """None stands for the current context."""
    found = _span_context(parent)
    return None if found is None else trace.set_span_in_context(trace.NonRecordingSpan(found), Context())


def _span_context(traceparent: str | None) -> SpanContext | None:
    if not traceparent:
        return None
    extracted = _PROPAGATOR.extract({"traceparent": traceparent}, context=Context())
    found = trace.get_current_span(extracted).get_span_context()
    return found if found.is_valid else None
