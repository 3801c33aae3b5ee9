"""Refusals over HTTP, as RFC 9457 problem details that say which field is wrong and why."""

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Annotated, Any
from urllib.parse import quote

import structlog
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from pydantic import BaseModel, Field, WithJsonSchema
from starlette.datastructures import Headers
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from service_kit.http.gateway import prefix_of
from service_kit.http.response_headers import referred
from service_kit.runtime.request_id import REQUEST_ID
from service_kit.runtime.tracing import current_trace_id

log = structlog.get_logger()

JSON_MEDIA_TYPE, PROBLEM_MEDIA_TYPE = "application/json", "application/problem+json"

MAX_BODY_BYTES = 256 * 1024
"""A longer request is refused with 413 before it is read."""

PLAIN = frozenset({"", "identity"})
"""The values of `Content-Encoding` of a body that is as it is."""

ERRORS_MAX = 20
FIELD_LENGTH_MAX, DETAIL_LENGTH_MAX = 100, 200
"""What an answer tells of an invalid request, however much is wrong with it."""
INSTANCE_LENGTH_MAX = 500
"""Of a path that is repeated."""

UNION_TAG_ERRORS = frozenset({"union_tag_invalid", "union_tag_not_found"})
"""pydantic's errors of the field that says which of several bodies it is; they are about that."""

FRAMEWORK_CODES = {404: "not-found", 405: "method-not-allowed", 413: "content-too-large"}
"""Codes of the refusals that the framework raises, by status."""


class FieldError(BaseModel):
    """A field and what is wrong with it."""

    field: str = Field(examples=["lines.0.quantity"])
    detail: str = Field(examples=["Input should be greater than or equal to 1"])


UriReference = Annotated[str, WithJsonSchema({"type": "string", "format": "uri-reference"})]


class Problem(BaseModel):
    """RFC 9457 problem details; `code` is for programs, `detail` for people."""

    type: UriReference = Field(
        description="names the page of docs/problems about the code",
        examples=["urn:comanda:problem:unknown-item"],
    )
    title: str = Field(description="of the status", examples=["Unprocessable Content"])
    status: int = Field(examples=[422])
    code: str = Field(
        description="each answer lists its own; one that is not known yet may come with any "
        "release, and is treated by the status",
        examples=["unknown-item"],
    )
    detail: str = Field(description="for people: its words may change")
    errors: list[FieldError] = Field(description="the fields that are wrong, where any are")
    instance: UriReference = Field("", description="the path that was asked for")
    request_id: str = Field("", description="the answer's `Request-Id`, as logs have it")
    trace_id: str = Field(
        "",
        description="the trace that the request belongs to, as logs have it: that of its "
        "`traceparent`, or the service's own",
        examples=["0af7651916cd43dd8448eb211c80319c"],
    )


# decision/0058: a problem's type names its page
class _ProblemTypes:
    """Where the pages about problems are: URNs until an operator says where he publishes them."""

    base = "urn:comanda:problem:"


def name_types_below(url: str) -> None:
    """Have the type of every problem of this process be a page below this URL; not if empty."""
    if url:
        _ProblemTypes.base = f"{url.rstrip('/')}/"


class ProblemError(Exception):
    """A refusal of a request; raise it anywhere below a route."""

    def __init__(
        self,
        status: int,
        code: str,
        detail: str,
        *,
        field: str | None = None,
        errors: Sequence[FieldError] = (),
        headers: Mapping[str, str] | None = None,
        **extensions: Any,
    ) -> None:
        super().__init__(detail)
        self.status = status
        self.code = code
        self.detail = detail
        self.errors = [FieldError(field=field, detail=detail)] if field else list(errors)
        self.headers = headers
        self.extensions = extensions

    def details(self) -> dict[str, Any]:
        """The problem details as JSON values."""
        return {
            "type": f"{_ProblemTypes.base}{self.code}",
            "title": HTTPStatus(self.status).phrase,
            "status": self.status,
            "code": self.code,
            "detail": self.detail,
            "errors": [error.model_dump() for error in self.errors],
            **self.extensions,
        }

    def traced_details(self) -> dict[str, Any]:
        """The details with the id of the current trace, if there is one."""
        trace_id = current_trace_id()
        return self.details() | ({"trace_id": trace_id} if trace_id else {})

    def response(self) -> Response:
        """The HTTP response, with the ids of the request that is being answered and its trace."""
        details = self.traced_details()
        if request_id := REQUEST_ID.get():
            details["request_id"] = request_id
        return ProblemResponse(details, self.status, headers=dict(self.headers or {}))


class ProblemResponse(Response):
    """A problem as a response; as `instance` it has the path of the request that it answers."""

    media_type = PROBLEM_MEDIA_TYPE

    def __init__(self, details: dict[str, Any], status: int, *, headers: dict[str, str]) -> None:
        self._details = details
        super().__init__(_in_ascii(details), status, headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        path = quote(prefix_of(scope) + scope.get("path", ""))
        if 0 < len(path) <= INSTANCE_LENGTH_MAX:
            self.body = _in_ascii(self._details | {"instance": path}).encode()
            self.headers["content-length"] = str(len(self.body))
        await super().__call__(scope, receive, send)


def _in_ascii(details: dict[str, Any]) -> str:
    """As JSON, whatever a client put into a name that it repeats."""
    return json.dumps(details)


def problem_responses(*refused: ProblemError) -> dict[int | str, dict[str, Any]]:
    """The OpenAPI responses of a route that may refuse so, each refusal as an example by its code.

    The schema is a component, which every service's document has.
    """
    responses: dict[int | str, dict[str, Any]] = {}
    for each in refused:
        schema = {"$ref": "#/components/schemas/Problem"}
        content = {PROBLEM_MEDIA_TYPE: {"schema": schema, "examples": {}}}
        phrase = HTTPStatus(each.status).phrase
        response = responses.setdefault(each.status, {"description": phrase, "content": content})
        if each.headers:
            response["headers"] = response.get("headers", {}) | referred(each.headers)
        examples = response["content"][PROBLEM_MEDIA_TYPE]["examples"]
        examples[each.code] = {"value": each.details()}
    return responses


def malformed_json() -> ProblemError:
    """The body can't be read at all."""
    return ProblemError(400, "malformed-json", "The body is not valid JSON.")


def unsupported_media_type() -> ProblemError:
    """The body is not said to be JSON."""
    return ProblemError(
        415,
        "unsupported-media-type",
        f"The body is read as {JSON_MEDIA_TYPE} alone, which Content-Type has to say.",
        field="Content-Type",
        headers={"Accept": JSON_MEDIA_TYPE},
    )


def unsupported_coding() -> ProblemError:
    """The body is compressed, or coded otherwise."""
    return ProblemError(
        415,
        "unsupported-media-type",
        "The body is read as it is: without a Content-Encoding.",
        field="Content-Encoding",
        headers={"Accept-Encoding": "identity"},
    )


def too_large() -> ProblemError:
    """The body is longer than `MAX_BODY_BYTES`."""
    return ProblemError(
        413, "content-too-large", f"The body is longer than {MAX_BODY_BYTES} bytes."
    )


def internal_error() -> ProblemError:
    """Something went wrong that nobody foresaw."""
    return ProblemError(500, "internal-error", "This is our fault; it has been logged.")


class DeclaredBody:
    """ASGI middleware that refuses, unread, a body declared to be longer than `MAX_BODY_BYTES`, or
    to be coded, whatever its bytes are.

    Starlette's own limit is kept behind it for a body whose length is not declared; it answers in
    plain text in that case.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        refusal = _refusal_of_body(Headers(scope=scope)) if scope["type"] == "http" else None
        if refusal:
            await refusal.response()(scope, receive, send)
        else:
            await self.app(scope, receive, send)


def _refusal_of_body(headers: Headers) -> ProblemError | None:
    declared = headers.get("content-length", "")
    length = int(declared) if declared.isdigit() else 0
    if length > MAX_BODY_BYTES:
        return too_large()
    has_body = length > 0 or "transfer-encoding" in headers
    if has_body and any(each.lower() not in PLAIN for each in headers.getlist("content-encoding")):
        return unsupported_coding()
    return None


def answer_with_problems(app: FastAPI) -> None:
    """Have every refusal and failure of the application answered as problem+json."""

    @app.exception_handler(ProblemError)
    async def refused(_: Request, error: ProblemError) -> Response:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def invalid(_: Request, error: RequestValidationError) -> Response:
        problems = error.errors()
        if isinstance(error.body, bytes):  # the framework reads no other type
            return unsupported_media_type().response()
        if any(problem["type"] == "json_invalid" for problem in problems):
            return malformed_json().response()
        return invalid_request(problems, error.body).response()

    @app.exception_handler(HTTPException)
    async def http(_: Request, error: HTTPException) -> Response:
        if error.status_code == malformed_json().status:  # bytes that are no text, or too deep
            return malformed_json().response()
        code = FRAMEWORK_CODES.get(error.status_code, "refused")
        detail = str(error.detail)
        return ProblemError(error.status_code, code, detail, headers=error.headers).response()

    @app.exception_handler(Exception)
    async def failed(request: Request, error: Exception) -> Response:
        log.error("request failed", path=request.url.path, exc_info=error)
        return internal_error().response()


def invalid_request(problems: Sequence[Any], body: Any) -> ProblemError:
    """The refusal of an invalid request, from pydantic's errors.

    The location of each error begins with the part of the request: `body`, `query` or `path`.
    """
    errors = [
        FieldError(
            field=_short(_field(problem, body), FIELD_LENGTH_MAX),
            detail=_short(str(problem["msg"]), DETAIL_LENGTH_MAX),
        )
        for problem in problems[:ERRORS_MAX]
    ]
    detail = "; ".join(f"{each.field}: {each.detail}" for each in errors)
    if (more := len(problems) - len(errors)) > 0:
        detail += f"; and {more} more"
    return ProblemError(422, "invalid-request", detail, errors=errors)


def _short(text: str, length_max: int) -> str:
    return text if len(text) <= length_max else f"{text[: length_max - 1]}…"


def invalid_header(errors: Sequence[FieldError]) -> ProblemError:
    """The refusal of a message for its headers."""
    detail = "; ".join(f"{each.field}: {each.detail}" for each in errors)
    return ProblemError(422, "invalid-request", detail, errors=errors)


def _field(problem: Mapping[str, Any], body: Any) -> str:
    """The field as the client knows it: `("body", "dine_in", "lines", 0)` is `lines.0`.

    A union's tag stands in the location, but not in the body: it is left out. Outside the body a
    field is a parameter, which has no parts: `("query", "status", 0)` is `status`.
    """
    location = problem["loc"]
    if location[0] != "body":
        return str(location[min(1, len(location) - 1)])
    is_missing = problem["type"] == "missing"
    path, inside = [], body
    for part in location[1:]:
        is_tag = isinstance(inside, dict) and part not in inside
        if not is_tag or (is_missing and part == location[-1]):
            path.append(str(part))
            inside = _inside(inside, part)
    if problem["type"] in UNION_TAG_ERRORS:
        path.append(problem["ctx"]["discriminator"].strip("'"))
    return ".".join(path) or str(location[0])


def _inside(container: Any, part: int | str) -> Any:
    if isinstance(container, dict):
        return container.get(part)
    if isinstance(container, list) and isinstance(part, int) and part < len(container):
        return container[part]
    return None
