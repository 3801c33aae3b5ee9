"""A service's AsyncAPI document, as JSON and as a page that needs nothing from elsewhere."""

import re
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse, JSONResponse
from faststream.specification import AsyncAPI

from service_kit.access.needs import PUBLIC
from service_kit.nats.broker import Broker

ASSETS = files("service_kit.nats") / "assets"
"""AsyncAPI's React component 3.1.5 and its style, Apache License 2.0."""

PART = re.compile(r"\{(\w+)\}")
MAX_AGE_S = 86_400

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><title>{title}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="asyncapi/assets/asyncapi.css">
</head>
<body>
<div id="asyncapi"></div>
<script src="asyncapi/assets/asyncapi.js"></script>
<script>
fetch("asyncapi.json").then((answer) => answer.json()).then((schema) => AsyncApiStandalone.render(
  {{schema, config: {{show: {{errors: false}}}}}}, document.getElementById("asyncapi")));
</script>
</body>
</html>
"""


def document(broker: Broker, *, title: str, description: str, version: str) -> dict[str, Any]:
    """What the service consumes and publishes, as AsyncAPI 3."""
    made = AsyncAPI(broker, title=title, version=version, description=description)
    whole: dict[str, Any] = made.to_specification().to_jsonable()
    for channel in whole["channels"].values():
        if parts := PART.findall(channel["address"]):
            channel["parameters"] = {part: {} for part in parts}
    return whole


def asyncapi_routes(broker: Broker, *, title: str, description: str, version: str) -> APIRouter:
    """`/asyncapi`, a page, and `/asyncapi.json`, the document that it shows."""
    router = APIRouter(include_in_schema=False, dependencies=[PUBLIC])

    @router.get("/asyncapi")
    async def page() -> HTMLResponse:
        return HTMLResponse(PAGE.format(title=title))

    @router.get("/asyncapi.json")
    async def as_json() -> JSONResponse:
        return JSONResponse(document(broker, title=title, description=description, version=version))

    @router.get("/asyncapi/assets/asyncapi.js")
    async def script() -> Response:
        return _asset("asyncapi.js.gz", "text/javascript", {"Content-Encoding": "gzip"})

    @router.get("/asyncapi/assets/asyncapi.css")
    async def style() -> Response:
        return _asset("asyncapi.css", "text/css", {})

    return router


def _asset(name: str, media_type: str, headers: dict[str, str]) -> Response:
    content = (ASSETS / name).read_bytes()
    kept = {"Cache-Control": f"max-age={MAX_AGE_S}"}
    return Response(content, media_type=media_type, headers=kept | headers)
