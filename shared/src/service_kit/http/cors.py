"""Lets pages of other origins call the service: those that an operator allowed, and no other."""

from collections.abc import Collection

from starlette.datastructures import Headers
from starlette.middleware.cors import CORSMiddleware
from starlette.responses import Response
from starlette.types import ASGIApp

from service_kit.http.problems import ProblemError

ALLOWED_METHODS = ("GET", "HEAD", "OPTIONS", "POST", "PUT", "DELETE")
EXPOSED_HEADERS = (
    "Age",
    "Allow",
    "Comanda-Guest-Token",
    "Deprecation",
    "ETag",
    "Idempotent-Replayed",
    "Link",
    "Location",
    "Request-Id",
    "Retry-After",
    "Sunset",
    "WWW-Authenticate",
)
"""Headers of answers that a page may read, beside those that it always may (`Cache-Control`)."""
PREFLIGHT_MAX_AGE_S = 7200
"""For which a browser does not ask again; more than that Chromium does not heed."""
EVERY_ORIGIN = "*"


class Cors(CORSMiddleware):
    """ASGI middleware that answers preflights, which carry no token, and tells browsers who may.

    No cookie is ever heard, so no credentials are allowed: a page sends its token in a header.
    """

    def __init__(self, app: ASGIApp, allowed_origins: Collection[str]) -> None:
        """Origins are as a browser writes them; `*` stands for any."""
        super().__init__(
            app,
            allow_origins=allowed_origins,
            allow_methods=ALLOWED_METHODS,
            allow_headers=["*"],
            expose_headers=EXPOSED_HEADERS,
            max_age=PREFLIGHT_MAX_AGE_S,
        )

    def preflight_response(self, request_headers: Headers) -> Response:
        """Whether a page may send such a request, or the problem why it may not."""
        response = super().preflight_response(request_headers)
        if response.status_code < 400:  # noqa: PLR2004 - any success
            return response
        refusal = ProblemError(403, "cross-origin", bytes(response.body).decode() + ".")
        problem = refusal.response()
        problem.headers["Vary"] = response.headers["Vary"]
        return problem
