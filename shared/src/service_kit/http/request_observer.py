"""What is said of every request over HTTP: a metric, a line in the log and a span.

It is ahead of all that refuses requests, so that it sees what the edge, the guard and the lanes
answer, too. A route is named by its template, never by the path, so that no label is without a
bound.
"""

import re
import time
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache

from opentelemetry import trace
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, StatusCode
from prometheus_client import Histogram
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.runtime import request_log
from service_kit.runtime.request_id import REQUEST_ID
from service_kit.runtime.tracing import TRACEPARENT, is_recording, span, traced

HTTP_REQUEST_SECONDS = Histogram(
    "comanda_http_request_seconds",
    "From a request's head until that of its answer",
    ["method", "route", "status"],
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
OTHER_METHOD = "other"
"""Stands for methods that nothing here knows: a client may send any word."""
UNMATCHED = "unmatched"
"""Stands for the route of a request that matches none."""
UNLOGGED = re.compile(r"/health/.*|/metrics")
FACTS = "comanda.facts"
"""Where a request's scope has what is known of it."""
SERVER_ERROR = 500
BROKEN_OFF = 499
"""Stands for the status of a request that was not answered, as nginx has it."""


@dataclass(slots=True)
class RequestFacts:
    """What the guard finds out of a request, and how it was answered."""

    route: str = UNMATCHED
    restaurant: str = ""
    subject: str = ""
    status: int = BROKEN_OFF


class RequestObserver:
    """ASGI middleware that measures, logs and traces requests.

    The caller's trace context is the current one for whatever is done for the request; where spans
    are recorded the request's span is, whose parent is the caller's.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        facts = scope[FACTS] = RequestFacts()
        began = time.perf_counter()

        async def send_noting(message: Message) -> None:
            if message["type"] == "http.response.start":
                facts.status = message["status"]
                _note(scope, facts, time.perf_counter() - began)
            await send(message)

        async def answer() -> None:
            try:
                await self.app(scope, receive, send_noting)
            finally:
                if facts.status == BROKEN_OFF:
                    _note(scope, facts, time.perf_counter() - began)

        parent = _parent(scope)
        if is_recording() and not UNLOGGED.fullmatch(scope["path"]):
            with span(scope["method"], SpanKind.SERVER, parent=parent) as current:
                try:
                    await answer()
                finally:
                    _describe(current, scope["method"], facts)
        elif parent or trace.get_current_span() is not INVALID_SPAN:
            with traced(parent):  # a pipelined request begins in the context of the one before
                await answer()
        else:
            await answer()


def _describe(current: Span, method: str, facts: RequestFacts) -> None:
    """Say of the span what is known in the end, in OpenTelemetry's words."""
    current.update_name(f"{method} {facts.route}")
    current.set_attribute("http.request.method", method)
    current.set_attribute("http.route", facts.route)
    current.set_attribute("http.response.status_code", facts.status)
    current.set_attribute("comanda.restaurant", facts.restaurant)
    if facts.status >= SERVER_ERROR:
        current.set_status(StatusCode.ERROR)


def _note(scope: Scope, facts: RequestFacts, seconds: float) -> None:
    method = scope["method"] if scope["method"] in METHODS else OTHER_METHOD
    _histogram(method, facts.route, facts.status).observe(seconds)
    if request_log.is_on() and not UNLOGGED.fullmatch(scope["path"]):
        request_log.write(
            method=method,
            route=facts.route,
            status=facts.status,
            ms=round(seconds * 1000, 2),
            restaurant=facts.restaurant,
            subject=facts.subject,
            request_id=REQUEST_ID.get(),
        )


@cache
def _histogram(method: str, route: str, status: int) -> Histogram:
    """Kept, since to find it by its labels takes twice as long as to count."""
    return HTTP_REQUEST_SECONDS.labels(method, route, status)


def _parent(scope: Scope) -> Mapping[str, str]:
    """The header that has the caller's trace context, if there is one, once."""
    found = [value for name, value in scope["headers"] if name == b"traceparent"]
    return {TRACEPARENT: str(found[0], "latin-1")} if len(found) == 1 else {}
