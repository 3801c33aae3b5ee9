"""The HTTP side of a service: one application, its probes, its problems, its server."""

import contextlib
import gc
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Collection, Sequence
from contextlib import AbstractAsyncContextManager
from functools import partial
from importlib.metadata import version

import uvicorn
from fastapi import FastAPI
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.body_limit import RequestBodyLimitMiddleware
from starlette.types import ASGIApp

from service_kit.access.admission import Admission
from service_kit.http.admin_port import AdminPort, bound
from service_kit.http.allowed_methods import AllowedMethods
from service_kit.http.cors import Cors
from service_kit.http.deprecations import DeprecationHeaders
from service_kit.http.docs_page import docs_routes
from service_kit.http.draining import Draining, DrainingServer, ShutdownHook
from service_kit.http.edge import EDGE_REFUSALS, Edge, KnownHosts
from service_kit.http.gateway import BelowPrefix
from service_kit.http.guard import Guard, answer_forbidden, answer_too_many_feeds, refusals
from service_kit.http.gzip import Gzip
from service_kit.http.health import Health, health_routes
from service_kit.http.home_page import home_routes
from service_kit.http.openapi import SERVERS, ApiDescription, Json, completed, operation_id
from service_kit.http.problems import (
    MAX_BODY_BYTES,
    DeclaredBody,
    answer_with_problems,
    internal_error,
    name_types_below,
    too_large,
)
from service_kit.http.protocol import BoundedHttpProtocol
from service_kit.http.request_ids import RequestIds
from service_kit.http.request_observer import RequestObserver
from service_kit.runtime.components import Component, running
from service_kit.runtime.settings import ServiceSettings

SHUTDOWN_GRACE_S = 10
"""Seconds that requests in flight have to end when the service stops."""

GC_THRESHOLDS = (20_000, 20, 50)
"""Thresholds of the garbage collector's three generations; Python's own are 700, 10 and 10."""

# decision/0057: a request is observed ahead of the framework
NO_TELEMETRY = TelemetryConfig(auto_configure=False, tracing=False, metrics=False, logs=False)
"""The framework's own telemetry, which knows no lanes, and exports queries with names in them."""

EXIT_CANNOT_START = 3
"""The exit code when the port is taken or the application fails at its start."""


class Application(FastAPI):
    """A FastAPI application behind the edge that every service has."""

    admission: Admission | None = None
    allowed_origins: Collection[str] = ()
    gates: Sequence[Callable[[ASGIApp], ASGIApp]] = ()
    """What a request goes through ahead of the edge, the innermost first."""
    described = ApiDescription()
    health: Callable[[], Health]
    """What the health page says now."""

    def build_middleware_stack(self) -> ASGIApp:
        """The edge is ahead of whatever is added; behind it the guard. Raises Undeclared."""
        inner = super().build_middleware_stack()
        guarded = Guard(inner, self, self.admission) if self.admission else inner
        app: ASGIApp = Edge(Gzip(guarded), AllowedMethods(self), self.allowed_origins)
        for gate in self.gates:
            app = gate(app)
        if going := self.described.deprecations:
            app = DeprecationHeaders(app, self.openapi(), going)
        if self.allowed_origins:
            app = Cors(app, self.allowed_origins)
        return RequestIds(RequestObserver(app))

    def openapi(self) -> Json:
        """The OpenAPI document, made when it is first asked for."""
        if self.openapi_schema is None:
            of_guarded = refusals() if self.admission else []
            self.openapi_schema = completed(
                super().openapi(),
                self.described,
                of_any=[*EDGE_REFUSALS, too_large(), internal_error()],
                of_guarded=of_guarded,
            )
        return self.openapi_schema


def application(
    title: str,
    description: str,
    components: Sequence[Component],
    *,
    on_shutdown: Sequence[ShutdownHook] = (),
    messaging: Callable[[], AbstractAsyncContextManager[None]] = contextlib.nullcontext,
    admission: Admission | None = None,
) -> Application:
    """An application that runs `components`, and `messaging` around them, as long as it is up.

    With an `admission`, routes and lanes are for those whom it lets in. `on_shutdown` ends the
    responses that never end by themselves; then those in flight are awaited.
    """
    draining = Draining(on_shutdown)
    running_parts = [*components, admission.keys] if admission else components

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        async with messaging(), running(running_parts):
            yield

    app = Application(
        title=title,
        description=description,
        version=version("comanda-service-kit"),
        lifespan=lifespan,
        servers=SERVERS,
        generate_unique_id_function=lambda route: operation_id(route.name),
        docs_url=None,  # the framework's page is of files of other hosts
        redoc_url=None,
        redirect_slashes=False,  # to whatever host and scheme the request names
        telemetry=NO_TELEMETRY,
    )
    app.admission = admission
    app.health = partial(Health.of, running_parts, draining)
    app.add_middleware(RequestBodyLimitMiddleware, max_body_size=MAX_BODY_BYTES)
    app.add_middleware(DeclaredBody)
    app.include_router(health_routes(running_parts, draining))
    app.include_router(home_routes(title, description))
    app.include_router(docs_routes(title))
    app.state.draining = draining
    answer_with_problems(app)
    answer_forbidden(app)
    answer_too_many_feeds(app)
    return app


def serve(app: Application, settings: ServiceSettings) -> None:
    """Serve until SIGTERM or SIGINT, then shut down without failing a request."""
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda *_: None)  # uvicorn raises it again after a clean end
    draining: Draining = app.state.draining
    name_types_below(settings.problems_url)
    app.allowed_origins = settings.origins
    app.gates = gates_of(settings)
    app.middleware_stack = app.build_middleware_stack()  # before anything can be asked
    config = uvicorn.Config(
        draining.closing_connections(app),
        host=settings.http_host,
        port=settings.http_port,
        loop="uvloop",
        http=BoundedHttpProtocol,
        access_log=False,
        log_config=None,
        timeout_keep_alive=60,
        timeout_graceful_shutdown=SHUTDOWN_GRACE_S,
    )
    _collect_seldom()
    server = DrainingServer(config, draining, settings.drain_seconds)
    server.run(_sockets(settings))
    if not server.started:
        raise SystemExit(EXIT_CANNOT_START)


def gates_of(settings: ServiceSettings) -> list[Callable[[ASGIApp], ASGIApp]]:
    """What a request goes through ahead of the edge, as the settings have it."""
    gates: list[Callable[[ASGIApp], ASGIApp]] = [partial(KnownHosts, hosts=settings.known_hosts)]
    if settings.admin_port:
        has_documents = settings.public_documents
        port = partial(AdminPort, port=settings.admin_port, has_public_documents=has_documents)
        gates.insert(0, port)
    if settings.prefixes:
        gates.append(partial(BelowPrefix, prefixes=settings.prefixes))
    return gates


def _sockets(settings: ServiceSettings) -> list[socket.socket] | None:
    """Those of both ports; None if there is one, which the server then opens by itself."""
    if not settings.admin_port:
        return None
    try:
        return bound(settings.http_host, settings.http_port, settings.admin_port)
    except OSError as error:
        print(f"{settings.http_host}: {error}", file=sys.stderr)
        raise SystemExit(EXIT_CANNOT_START) from error


def _collect_seldom() -> None:
    """Run the garbage collector seldom, and never over the objects that exist at the start.

    Requests wait for the collector: with Python's own thresholds it took 50 ms at the 99th
    percentile of reads from MongoDB.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(*GC_THRESHOLDS)
