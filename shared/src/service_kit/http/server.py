"""The HTTP side of a service: one application, its probes, its problems, its server."""

import contextlib
import gc
import signal
from collections.abc import AsyncIterator, Sequence

import uvicorn
from fastapi import FastAPI
from starlette.middleware.body_limit import RequestBodyLimitMiddleware

from service_kit.http.draining import AtEnd, DrainingServer, Leaving
from service_kit.http.health import health_routes
from service_kit.http.problems import LONGEST_BODY, DeclaredBodyLimit, answer_with_problems
from service_kit.runtime.components import Component, running
from service_kit.runtime.settings import ServiceSettings
from service_kit.runtime.tracing import TraceContext

GRACE = 10
"""Seconds that requests in flight are given to end when the service is told to stop."""

COLLECTIONS = (20_000, 20, 50)
"""Objects, and younger collections, after which garbage that holds itself is looked for."""

CANNOT_START = 3
"""The exit code when the port is taken or the application fails at its start."""


def application(
    title: str,
    description: str,
    components: Sequence[Component],
    *,
    at_end: Sequence[AtEnd] = (),
) -> FastAPI:
    """An application that runs `components` for as long as it is up.

    `at_end` ends the answers that never end by themselves, before those in flight are waited for.
    """
    leaving = Leaving(at_end)

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with running(components):
            yield

    app = FastAPI(
        title=title,
        description=description,
        version="1.0.0",
        lifespan=lifespan,
    )
    app.add_middleware(TraceContext)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=LONGEST_BODY)
    app.add_middleware(DeclaredBodyLimit)
    app.include_router(health_routes(components, leaving))
    app.state.leaving = leaving
    answer_with_problems(app)
    return app


def serve(app: FastAPI, settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT, and leave without a request that fails."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises it again after a clean end
    leaving: Leaving = app.state.leaving
    config = uvicorn.Config(
        leaving.told_to(app),
        host=settings.http_host,
        port=settings.http_port,
        loop="uvloop",
        http="httptools",
        access_log=False,
        log_config=None,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=GRACE,
    )
    _collect_seldom()
    server = DrainingServer(config, leaving, settings.drain_seconds)
    server.run()
    if not server.started:
        raise SystemExit(CANNOT_START)


def _collect_seldom() -> None:
    """Look for garbage seldom, and never among what is there from the start.

    Whoever waits for an answer waits for the collector, too: 50 ms at the 99th percentile of reads
    from MongoDB, with Python's own thresholds.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*COLLECTIONS)
