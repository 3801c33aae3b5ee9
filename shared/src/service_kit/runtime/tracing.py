"""Traces: the W3C context handed on with every event, and spans where OTLP is spoken.

Whether spans are exported, where to, and how many are sampled say OpenTelemetry's own variables
(`OTEL_EXPORTER_OTLP_ENDPOINT`, `OTEL_TRACES_SAMPLER` and so on). Without an endpoint nothing is
recorded and the caller's context is handed on as it is.

Only `traceparent` is handed on: what else clients send (`tracestate`, `baggage`) would be stored
for ever.
"""

import contextlib
import os
from collections.abc import Iterator, Mapping, MutableMapping, Sequence

from opentelemetry import context, trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Link, Span, SpanKind, StatusCode, Tracer
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

PROPAGATOR = TraceContextTextMapPropagator()
TRACEPARENT = "traceparent"
FLAGS_END = 54
"""The place of the last digit of a `traceparent`'s flags."""
SAMPLED = frozenset("13579bdf")
"""What that is of a trace whose spans are recorded: the lowest bit says so, others say more."""
ROOT = Context()
"""What a trace begins in."""
ENDPOINTS = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")
FORMAT = "http/protobuf"
"""The form of OTLP that is spoken, the one that OpenTelemetry wants by default."""


class CannotExport(Exception):
    """The environment asks for an export of spans that we can't make."""


class _Recording:
    """The tracer of this process; None while no spans are recorded."""

    tracer: Tracer | None = None


def export_spans(service: str) -> None:
    """Record spans from now on, and export them, if the environment names an endpoint.

    The SDK is loaded only then. What is not exported yet is when the process ends in order.
    Raises CannotExport.
    """
    if not is_export_wanted(os.environ):
        return
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import SERVICE_NAME, Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    names_itself = bool(os.environ.get("OTEL_SERVICE_NAME"))
    resource = Resource.create({} if names_itself else {SERVICE_NAME: service})
    provider = TracerProvider(resource=resource)
    provider.add_span_processor(BatchSpanProcessor(OTLPSpanExporter()))
    trace.set_tracer_provider(provider)
    _Recording.tracer = provider.get_tracer("comanda")


def is_export_wanted(environment: Mapping[str, str]) -> bool:
    """Whether OpenTelemetry's variables ask for spans. Raises CannotExport."""
    if environment.get("OTEL_SDK_DISABLED", "").lower() == "true":
        return False
    exporter = environment.get("OTEL_TRACES_EXPORTER", "")
    if exporter == "none" or not (exporter or any(environment.get(each) for each in ENDPOINTS)):
        return False
    if exporter not in ("", "otlp"):
        raise CannotExport(f"OTEL_TRACES_EXPORTER: {exporter} is not otlp")
    for name in ("OTEL_EXPORTER_OTLP_PROTOCOL", "OTEL_EXPORTER_OTLP_TRACES_PROTOCOL"):
        if (environment.get(name) or FORMAT) != FORMAT:
            raise CannotExport(f"{name}: {environment[name]} is not {FORMAT}")
    return True


def is_recording() -> bool:
    """Whether this process records spans."""
    return _Recording.tracer is not None


@contextlib.contextmanager
def traced(headers: Mapping[str, str] | None) -> Iterator[None]:
    """Work within the trace context that the headers carry; within none if they carry none."""
    carried = _context_of(headers or {})
    if carried is ROOT and trace.get_current_span() is INVALID_SPAN:
        yield
        return
    token = context.attach(carried)
    try:
        yield
    finally:
        context.detach(token)


@contextlib.contextmanager
def span(
    name: str,
    kind: SpanKind = SpanKind.INTERNAL,
    *,
    parent: Mapping[str, str] | None = None,
    links: Sequence[Link] = (),
    attributes: Mapping[str, str | int] | None = None,
    expected: type[Exception] | tuple[type[Exception], ...] = (),
) -> Iterator[Span]:
    """Work within a span that has failed if it ends with an error, but for one that is `expected`.

    It names the error's type alone: what the error says may be a guest's.

    With a `parent`, headers that may carry a trace, it belongs to that, or else begins one of its
    own; without it belongs to the current trace, if that is recorded. Where nothing is, what is
    given only stands for a span.
    """
    tracer = _Recording.tracer
    began: Span = INVALID_SPAN
    if tracer is not None and _may_be_sampled(parent):
        within = None if parent is None else _context_of(parent)
        began = tracer.start_span(name, within, kind=kind, links=links, attributes=attributes)
    if began.is_recording():
        with trace.use_span(
            began, end_on_exit=True, record_exception=False, set_status_on_exception=False
        ):
            try:
                yield began
            except expected:
                raise
            except Exception as error:
                began.set_status(StatusCode.ERROR, type(error).__name__)
                raise
    elif parent:
        with traced(parent):
            yield began
    else:
        yield began


def _may_be_sampled(parent: Mapping[str, str] | None) -> bool:
    """Whether the trace is recorded that a span would belong to, or none is there yet."""
    if parent is None:
        return trace.get_current_span().get_span_context().trace_flags.sampled
    return TRACEPARENT not in parent or _is_sampled(parent)


def continued(
    name: str,
    kind: SpanKind,
    headers: MutableMapping[str, str],
    *,
    links: Sequence[Link] = (),
    attributes: Mapping[str, str | int] | None = None,
) -> Span | None:
    """Begin a span of the trace that a message's headers carry, and have them carry the span.

    None if nothing is recorded of that trace. Whoever begins it ends it.
    """
    tracer = _Recording.tracer
    if tracer is None or not _is_sampled(headers):
        return None
    began = tracer.start_span(
        name, _context_of(headers), kind=kind, links=links, attributes=attributes
    )
    PROPAGATOR.inject(headers, trace.set_span_in_context(began, Context()))
    headers.pop("tracestate", None)
    return began


def link_to(headers: Mapping[str, str] | None) -> list[Link]:
    """A link to the span in a message's headers, if that is recorded."""
    if not headers or not _is_sampled(headers):
        return []
    return [Link(trace.get_current_span(_context_of(headers)).get_span_context())]


def current_trace() -> dict[str, str]:
    """The headers that carry the current trace context on; empty outside a trace."""
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier)
    carrier.pop("tracestate", None)
    return carrier


def current_trace_id() -> str:
    """The id of the current trace, whether or not it is recorded; empty outside a trace."""
    trace_id = trace.get_current_span().get_span_context().trace_id
    return trace.format_trace_id(trace_id) if trace_id else ""


def _is_sampled(headers: Mapping[str, str]) -> bool:
    return headers.get(TRACEPARENT, "")[FLAGS_END : FLAGS_END + 1] in SAMPLED


def _context_of(headers: Mapping[str, str]) -> Context:
    if TRACEPARENT not in headers:
        return ROOT
    return PROPAGATOR.extract({TRACEPARENT: headers[TRACEPARENT]}, ROOT)
