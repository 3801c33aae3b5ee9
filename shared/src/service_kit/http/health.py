"""Probes for the orchestrator and metrics for Prometheus."""

from collections.abc import Sequence

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service_kit.http.draining import Draining
from service_kit.runtime.components import Component


def health_routes(components: Sequence[Component], draining: Draining) -> APIRouter:
    """`/health/live`, `/health/ready` and `/metrics`.

    A service is ready when every required component is, and it has not been told to end.
    """
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    async def live() -> JSONResponse:
        return JSONResponse({"status": "alive"})

    @router.get("/health/ready")
    async def ready() -> JSONResponse:
        has_all = all(component.ready for component in components if component.required)
        is_ready = has_all and not draining.begun
        return JSONResponse(
            {
                "status": "ready" if is_ready else "leaving" if draining.begun else "not ready",
                "components": {component.name: component.state for component in components},
            },
            status_code=200 if is_ready else 503,
        )

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
