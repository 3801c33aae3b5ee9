"""`/`: what the service is, and where its documents, health and metrics are."""

from html import escape

from fastapi import APIRouter, Request, Response

from service_kit.access.needs import PUBLIC
from service_kit.http.gateway import prefix_of
from service_kit.pages import page

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<link rel="icon" href="data:,">
</head>
<body>
<h1>{title}</h1>
<p>{description}</p>
<ul>
{links}
</ul>
</body>
</html>
"""
LINKS = {
    "/docs": "its HTTP interface",
    "/openapi.json": "the same for programs: OpenAPI",
    "/asyncapi": "the messages that it consumes and publishes",
    "/health/ready": "whether it is ready, and each of its parts",
    "/metrics": "metrics for Prometheus",
}
"""Each page, and what is there."""


def home_routes(title: str, description: str) -> APIRouter:
    """`/`, a page of links to what is answered at the port that it is asked at.

    They are relative, for a gateway that says nothing of the path that it took off.
    """
    router = APIRouter(include_in_schema=False, dependencies=[PUBLIC])

    @router.get("/")
    async def home(request: Request) -> Response:
        is_here = getattr(request.state, "is_here", _everywhere)
        prefix = prefix_of(request.scope)
        links = [
            f'<li><a href="{prefix + path if prefix else path[1:]}">{path}</a>: {said}</li>'
            for path, said in LINKS.items()
            if is_here(path)
        ]
        return page(
            PAGE.format(
                title=escape(title), description=escape(description), links="\n".join(links)
            )
        )

    return router


def _everywhere(_: str) -> bool:
    """Of a service with one port."""
    return True
