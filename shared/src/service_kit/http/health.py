"""Probes for the orchestrator and metrics for Prometheus."""

from collections.abc import Sequence
from dataclasses import dataclass

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service_kit.access.needs import PUBLIC
from service_kit.http.draining import Draining
from service_kit.runtime.components import Component

ABLE = frozenset({"ready", "degraded"})
"""What a service says of itself that does its own job."""


@dataclass(frozen=True, slots=True)
class Health:
    """What a service says of itself: `ready`, `degraded`, `not ready` or `leaving`, and why."""

    status: str
    components: dict[str, str]

    @classmethod
    def of(cls, components: Sequence[Component], draining: Draining) -> "Health":
        states = {component.name: component.state for component in components}
        return cls(_status(components, draining), states)


def health_routes(components: Sequence[Component], draining: Draining) -> APIRouter:
    """`/health/live`, `/health/ready` and `/metrics`.

    A service is ready when every required component is, and it has not been told to end. While
    another is not, it is degraded: it does its own job, and what is wrong is shown.
    """
    router = APIRouter(include_in_schema=False, dependencies=[PUBLIC])

    @router.get("/health/live")
    async def live() -> JSONResponse:
        return JSONResponse({"status": "alive"})

    @router.get("/health/ready")
    async def ready() -> JSONResponse:
        health = Health.of(components, draining)
        return JSONResponse(
            {"status": health.status, "components": health.components},
            status_code=200 if health.status in ABLE else 503,
        )

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router


def _status(components: Sequence[Component], draining: Draining) -> str:
    if draining.begun:
        return "leaving"
    if not all(component.ready for component in components if component.required):
        return "not ready"
    return "ready" if all(component.ready for component in components) else "degraded"
