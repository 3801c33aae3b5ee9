"""W3C trace context: taken from a request or message, handed on with every event it causes.

Only `traceparent` is: what else clients send (`tracestate`, `baggage`) would be stored for ever.
"""

import contextlib
from collections.abc import Iterator, Mapping

from opentelemetry import context
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

PROPAGATOR = TraceContextTextMapPropagator()


class TraceContext:
    """ASGI middleware that makes the caller's trace context the current one."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        with traced(Headers(scope=scope) if scope["type"] == "http" else {}):
            await self.app(scope, receive, send)


@contextlib.contextmanager
def traced(headers: Mapping[str, str] | None) -> Iterator[None]:
    """Work within the trace context that the headers carry, if they carry one."""
    if not headers or "traceparent" not in headers:
        yield
        return
    carrier = {"traceparent": headers["traceparent"]}
    token = context.attach(PROPAGATOR.extract(carrier))
    try:
        yield
    finally:
        context.detach(token)


def current_trace() -> dict[str, str]:
    """The headers that carry the current trace context on; empty outside a trace."""
    carrier: dict[str, str] = {}
    PROPAGATOR.inject(carrier)
    carrier.pop("tracestate", None)
    return carrier
