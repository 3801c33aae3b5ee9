"""A service's AsyncAPI document, as JSON and as a page that needs nothing from elsewhere."""

import re
from html import escape
from importlib.resources import files
from typing import Any

from fastapi import APIRouter, Response
from fastapi.responses import JSONResponse
from faststream.specification import AsyncAPI

from service_kit.access.needs import PUBLIC
from service_kit.nats.broker import Broker
from service_kit.pages import OWN_FILES_ALONE, SCRIPT, STYLE, add_file, page

ASSETS = files("service_kit.nats") / "assets"
"""AsyncAPI's React component and its style."""

OWN_FILES_THAT_COMPILE = OWN_FILES_ALONE | {"script-src": "'self' 'unsafe-eval'"}
"""AsyncAPI's parser compiles its JSON Schemas to functions, from texts of its own."""

PART = re.compile(r"\{(\w+)\}")

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><title>{title}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="asyncapi/assets/asyncapi.css">
</head>
<body>
<div id="asyncapi"></div>
<script src="asyncapi/assets/asyncapi.js"></script>
<script src="asyncapi/assets/show.js"></script>
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
    async def asyncapi() -> Response:
        return page(PAGE.format(title=escape(title)), OWN_FILES_THAT_COMPILE)

    @router.get("/asyncapi.json")
    async def as_json() -> JSONResponse:
        return JSONResponse(document(broker, title=title, description=description, version=version))

    add_file(router, "/asyncapi/assets/asyncapi.js", ASSETS / "asyncapi.js.gz", SCRIPT)
    add_file(router, "/asyncapi/assets/asyncapi.css", ASSETS / "asyncapi.css", STYLE)
    add_file(router, "/asyncapi/assets/show.js", ASSETS / "show.js", SCRIPT)
    return router
