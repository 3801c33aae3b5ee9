"""`python -m tests.benchmarks.telemetry`: what telemetry costs of the CPU, by request.

For a quiet machine; two minutes or so.

Ordering runs in this process, on a real PostgreSQL and NATS, and its lane places orders; besides an
application of one lane that only says who may ask. Each way of telling takes its turn, again and
again, so that all have the same machine; counted is the time of the process's CPU, all threads and
what is done for the order behind the answer included, but that of no other process.
"""

import asyncio
import contextlib
import gc
import json
import os
import re
import statistics
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Iterator, Sequence
from enum import StrEnum
from pathlib import Path
from typing import Any

from comanda_contracts.streams import TICKETS
from comanda_local.access import ISSUER
from comanda_local.servers import Nats, Postgres
from fastapi import Response
from opentelemetry.exporter.otlp.proto.common.trace_encoder import encode_spans
from opentelemetry.sdk.trace import ReadableSpan, TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor, SpanExporter, SpanExportResult
from opentelemetry.sdk.trace.sampling import ParentBasedTraceIdRatio
from ordering.bootstrap import bootstrap, set_up_messaging
from ordering.outbound.database.migration import migrate
from ordering.settings import Settings
from prometheus_client import Counter, Gauge, Histogram
from pydantic import SecretStr
from service_kit.access.needs import needs
from service_kit.access.roles import Role
from service_kit.http.fast_lane import FastLane, Lane, RawRequest
from service_kit.http.request_observer import FACTS, RequestFacts, RequestObserver
from service_kit.http.server import application
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import set_up_stream
from service_kit.runtime import request_log, tracing

from tests.conftest import new_database
from tests.support.admission import own_admission
from tests.support.tokens import bearer, own_issuer

ROUNDS = 24
ORDERS, QUESTIONS = 25, 400
"""Requests of one way in a round."""
HERE = "/v1/restaurants/la-piazza"
AN_ORDER = {
    "channel": "takeaway",
    "customer": "Ada",
    "lines": [{"sku": "tea", "quantity": 1}],
}


class Way(StrEnum):
    """What is told; from metrics on each with what the one before tells."""

    ABSENT = "none: the code is taken out"
    ABSENT_AGAIN = "none, once more: the noise"
    OFF = "off: the code is there"
    METRICS = "metrics"
    TRACES = "and spans, 1 % sampled"
    LOG = "and a line a request"


class Encoded(SpanExporter):
    """Does all that an exporter does but for sending."""

    def export(self, spans: Sequence[ReadableSpan]) -> SpanExportResult:
        encode_spans(spans).SerializeToString()
        return SpanExportResult.SUCCESS


PROVIDER = TracerProvider(sampler=ParentBasedTraceIdRatio(0.01))
PROVIDER.add_span_processor(BatchSpanProcessor(Encoded()))
TRACER = PROVIDER.get_tracer("comanda")
COUNTING: list[tuple[Any, str]] = [
    (Counter, "inc"),
    (Gauge, "inc"),
    (Gauge, "dec"),
    (Gauge, "set"),
    (Histogram, "observe"),
]


async def _unobserved(self: RequestObserver, scope: Any, receive: Any, send: Any) -> None:
    if scope["type"] == "http":
        scope[FACTS] = RequestFacts()
    await self.app(scope, receive, send)


@contextlib.contextmanager
def telling(way: Way) -> Iterator[None]:
    """Tell so much for as long as the context lasts."""
    is_absent = way in (Way.ABSENT, Way.ABSENT_AGAIN)
    replaced = [(owner, name, getattr(owner, name)) for owner, name in COUNTING]
    replaced.append((RequestObserver, "__call__", RequestObserver.__call__))
    if is_absent or way is Way.OFF:
        for owner, name in COUNTING:
            setattr(owner, name, lambda *_, **__: None)
    if is_absent:
        RequestObserver.__call__ = _unobserved  # type: ignore[method-assign]
    if way is Way.LOG:
        request_log.start("ordering")
    tracing._Recording.tracer = TRACER if way in (Way.TRACES, Way.LOG) else None
    try:
        yield
    finally:
        request_log.stop()
        tracing._Recording.tracer = None
        for owner, name, own in replaced:
            setattr(owner, name, own)


async def ask(app: Any, method: str, path: str, body: bytes = b"") -> int:
    """Have the application answer a request; returns the status."""
    status = 0
    headers = [(b"content-type", b"application/json"), (b"host", b"localhost")]
    headers += [(b"content-length", str(len(body)).encode())] if body else []
    headers += [(name.lower().encode(), text.encode()) for name, text in bearer().items()]

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    async def send(message: Any) -> None:
        nonlocal status
        status = message.get("status", status)

    scope = {
        "type": "http",
        "http_version": "1.1",
        "method": method,
        "scheme": "http",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "root_path": "",
        "headers": headers,
        "server": ("localhost", 8000),
        "client": ("localhost", 1),
    }
    await app(scope, receive, send)
    return status


@contextlib.asynccontextmanager
async def ordering(folder: Path) -> AsyncIterator[Any]:
    """The service with a restaurant and an item, ready."""
    postgres, nats = Postgres(folder / "postgres"), Nats(folder / "nats")
    postgres.start()
    nats.start()
    try:
        async with new_database(postgres) as name:
            await asyncio.to_thread(postgres.make_roles, name)
            await asyncio.to_thread(migrate, postgres.url_of(name, "ordering_migrator"))
            url = SecretStr(postgres.url_of(name, "ordering"))
            settings = Settings(database_url=url, nats_url=SecretStr(nats.url))
            async with connected([nats.url], "test") as client:
                await set_up_stream(client.jetstream(), TICKETS, replicas=1)
            await set_up_messaging(settings)
            app = bootstrap(settings)
            async with app.router.lifespan_context(app):
                while await ask(app, "GET", "/health/ready") != 200:
                    await asyncio.sleep(0.2)
                venue = {"name": "La Piazza", "currency": "EUR", "time_zone": "Europe/Rome"}
                await ask(app, "PUT", HERE, json.dumps(venue).encode())
                tea = {"name": "Tea", "category": "Drinks", "price": 300}
                await ask(app, "PUT", f"{HERE}/menu/tea", json.dumps(tea).encode())
                yield app
    finally:
        nats.stop()
        postgres.stop()


def lane_alone() -> Any:
    """An application whose lane answers at once: of a request nothing else costs anything."""
    app = application("service", "", [], admission=own_admission())

    def handle(_: RawRequest) -> Any:
        async def answer() -> Response:
            return Response(b"{}")

        return answer()

    path = re.compile(f"{HERE.replace('la-piazza', '([a-z-]+)')}/queue")

    @app.get("/v1/restaurants/{restaurant}/queue", dependencies=[needs(Role.TILL)])
    async def queue(restaurant: str) -> Response:
        return Response(restaurant)

    app.add_middleware(FastLane, lanes=[Lane("GET", path, handle, needs(Role.TILL))])
    return app


async def measured(app: Any, method: str, path: str, body: bytes, requests: int) -> None:
    """Print what a request costs in each way: the median and the least of the rounds.

    Beside it stands the median of the ratios to none in the same round, and their quartiles.
    """
    costs_us: dict[Way, list[float]] = {way: [] for way in Way}
    ways = [*Way]
    for number in range(ROUNDS + 2):
        for way in ways[number % len(ways) :] + ways[: number % len(ways)]:
            gc.collect()
            with telling(way):
                began = time.process_time()
                for _ in range(requests):
                    status = await ask(app, method, path, body)
                    assert status in (200, 201), status
                await asyncio.sleep(0.05)  # for what goes on behind the answers
                took = time.process_time() - began
            if number >= 2:
                costs_us[way].append(1e6 * took / requests)
    first = costs_us[Way.ABSENT]
    for way, costs in costs_us.items():
        ratios = [cost / bare for cost, bare in zip(costs, first, strict=True)]
        low, middle, high = statistics.quantiles(ratios, n=4)
        print(
            f"{way:<28} {statistics.median(costs):8.1f} µs, at least {min(costs):8.1f}"
            f"   {100 * middle - 100:+5.1f} %"
            f"  ({100 * low - 100:+.1f} to {100 * high - 100:+.1f})",
            file=sys.stderr,
        )


async def main() -> None:
    """Measure both; the lines of the log go where standard output goes."""
    os.environ |= {
        f"COMANDA_{name}": text
        for name, text in {
            "JWKS": str(own_issuer().jwks),
            "ISSUER": ISSUER,
            "RATE_PER_SUBJECT": "1000000/second",
            "RATE_PER_RESTAURANT": "1000000/second",
        }.items()
    }
    lane = lane_alone()
    print("a lane that answers at once", file=sys.stderr)
    async with lane.router.lifespan_context(lane):
        while await ask(lane, "GET", f"{HERE}/queue") != 200:
            await asyncio.sleep(0.2)
        await measured(lane, "GET", f"{HERE}/queue", b"", QUESTIONS)
    print("an order placed", file=sys.stderr)
    with tempfile.TemporaryDirectory() as folder:
        async with ordering(Path(folder)) as app:
            await measured(app, "POST", f"{HERE}/orders", json.dumps(AN_ORDER).encode(), ORDERS)


if __name__ == "__main__":
    asyncio.run(main())
