"""A receiver of spans that services export by OTLP over HTTP, and the trees that they form."""

import contextlib
import gzip
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)


@dataclass(frozen=True, slots=True)
class ReceivedSpan:
    """A span of a service."""

    service: str
    name: str
    trace_id: str
    span_id: str
    parent_id: str
    links: tuple[str, ...]
    """The spans that it has links to, by their ids."""
    attributes: dict[str, str]
    failed: bool


@dataclass(slots=True)
class Receiver:
    """The spans that have come, in the order in which they came."""

    url: str
    spans: list[ReceivedSpan] = field(default_factory=list)
    bodies: list[bytes] = field(default_factory=list)
    """What came, as it came."""

    def tree(self, trace_id: str) -> list[str]:
        """The trace, a line a span, each below its parent; those side by side by their names."""
        spans = [span for span in self.spans if span.trace_id == trace_id]
        known = {span.span_id for span in spans}

        def below(parent: str | None, depth: int) -> Iterator[str]:
            children = [
                span
                for span in spans
                if (span.parent_id == parent if parent else span.parent_id not in known)
            ]
            for span in sorted(children, key=lambda span: (span.service, span.name)):
                yield f"{'  ' * depth}{span.service}: {span.name}"
                yield from below(span.span_id, depth + 1)

        return list(below(None, 0))


@contextlib.contextmanager
def receiving() -> Iterator[Receiver]:
    """Receive on a free port of loopback."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            if self.headers.get("Content-Encoding") == "gzip":
                body = gzip.decompress(body)
            receiver.bodies.append(body)
            receiver.spans += _spans(ExportTraceServiceRequest.FromString(body))
            answer = ExportTraceServiceResponse().SerializeToString()
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        receiver = Receiver(f"http://127.0.0.1:{server.server_port}")
        thread = Thread(target=server.serve_forever)
        thread.start()
        try:
            yield receiver
        finally:
            server.shutdown()
            thread.join()


def _spans(request: ExportTraceServiceRequest) -> Iterator[ReceivedSpan]:
    for of_service in request.resource_spans:
        named = {each.key: each.value.string_value for each in of_service.resource.attributes}
        for scoped in of_service.scope_spans:
            for span in scoped.spans:
                yield ReceivedSpan(
                    service=named["service.name"],
                    name=span.name,
                    trace_id=span.trace_id.hex(),
                    span_id=span.span_id.hex(),
                    parent_id=span.parent_span_id.hex(),
                    links=tuple(link.span_id.hex() for link in span.links),
                    attributes={each.key: each.value.string_value for each in span.attributes},
                    failed=span.status.code == span.status.STATUS_CODE_ERROR,
                )
