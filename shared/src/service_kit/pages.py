"""Pages for people, which load nothing but what comes with the service.

The files are vendored, each folder with its VERSION and LICENSE; `make assets` renews them.
"""

from importlib.resources.abc import Traversable

from fastapi import APIRouter, Response
from fastapi.responses import HTMLResponse

SCRIPT, STYLE = "text/javascript", "text/css"
MAX_AGE_S = 86_400
"""For which a browser does not ask for a page's files again."""
GZIPPED = ".gz"
NO_SNIFFING = {"X-Content-Type-Options": "nosniff"}

Directives = dict[str, str]
"""Of a Content-Security-Policy, by name (CSP Level 3)."""

OWN_FILES_ALONE: Directives = {
    "default-src": "'none'",
    "script-src": "'self'",
    "style-src": "'self' 'unsafe-inline'",  # scripts of pages make styles as they go
    "img-src": "'self' data:",
    "font-src": "data:",
    "connect-src": "'self'",
    "base-uri": "'none'",
    "form-action": "'none'",
    "frame-ancestors": "'none'",
}
"""No script that stands in the page itself, and nothing from, or to, another origin."""


def page(html: str, directives: Directives = OWN_FILES_ALONE) -> Response:
    """An answer with a page that may do what the directives say."""
    policy = "; ".join(f"{name} {sources}" for name, sources in directives.items())
    return HTMLResponse(
        html, headers={"Content-Security-Policy": policy, "Referrer-Policy": "no-referrer"}
    )


def add_file(router: APIRouter, path: str, file: Traversable, media_type: str) -> None:
    """Answer at `path` with a page's file, which may be compressed already (`….gz`)."""
    headers = {"Cache-Control": f"max-age={MAX_AGE_S}"} | NO_SNIFFING
    if file.name.endswith(GZIPPED):
        headers["Content-Encoding"] = "gzip"

    @router.get(path)
    async def found() -> Response:
        return Response(file.read_bytes(), media_type=media_type, headers=headers)
