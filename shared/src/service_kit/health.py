"""Probes for the orchestrator and metrics for Prometheus."""

from collections.abc import Sequence

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest

from service_kit.components import Component


def health_routes(components: Sequence[Component]) -> APIRouter:
    """`/health/live`, `/health/ready` (503 while a required component is not) and `/metrics`."""
    router = APIRouter(include_in_schema=False)

    @router.get("/health/live")
    async def live() -> JSONResponse:
        return JSONResponse({"status": "alive"})

    @router.get("/health/ready")
    async def ready() -> JSONResponse:
        is_ready = all(component.ready for component in components if component.required)
        return JSONResponse(
            {
                "status": "ready" if is_ready else "not ready",
                "components": {component.name: component.state for component in components},
            },
            status_code=200 if is_ready else 503,
        )

    @router.get("/metrics")
    async def metrics() -> Response:
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    return router
