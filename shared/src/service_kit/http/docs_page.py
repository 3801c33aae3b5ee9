"""`/docs`: a service's OpenAPI document as a page, by Swagger UI."""

from html import escape
from importlib.resources import files

from fastapi import APIRouter, Response

from service_kit.access.needs import PUBLIC
from service_kit.pages import SCRIPT, STYLE, add_file, page

ASSETS = files("service_kit.http") / "assets"

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"><meta name="viewport" content="width=device-width"><title>{title}</title>
<link rel="icon" href="data:,"><link rel="stylesheet" href="docs/assets/swagger-ui.css">
</head>
<body>
<div id="docs"></div>
<script src="docs/assets/swagger-ui.js"></script>
<script src="docs/assets/show.js"></script>
</body>
</html>
"""


def docs_routes(title: str) -> APIRouter:
    """`/docs`, and the files that it loads."""
    router = APIRouter(include_in_schema=False, dependencies=[PUBLIC])

    @router.get("/docs")
    async def docs() -> Response:
        return page(PAGE.format(title=escape(title)))

    add_file(router, "/docs/assets/swagger-ui.js", ASSETS / "swagger-ui.js.gz", SCRIPT)
    add_file(router, "/docs/assets/swagger-ui.css", ASSETS / "swagger-ui.css.gz", STYLE)
    add_file(router, "/docs/assets/show.js", ASSETS / "show.js", SCRIPT)
    return router
