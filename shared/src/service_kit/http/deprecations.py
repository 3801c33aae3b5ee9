"""What has to go, announced: in the OpenAPI document, and in every answer that it concerns.

`Deprecation` (RFC 9745) says since when, `Sunset` (RFC 8594) from when on it may be gone.
"""

# decision/0063: a client of the last release goes on working

import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any

from starlette._utils import get_route_path
from starlette.routing import compile_path
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.http.open_enumerations import operations
from service_kit.http.response_headers import referred

Json = dict[str, Any]

NOTICE_MIN = timedelta(days=180)
"""How long ahead it is announced, at the least."""
SCHEMA_REFERENCE = re.compile(r'"#/components/schemas/([^"]+)"')


class UnknownToTheDocument(Exception):
    """No operation and no field has the name that is to be deprecated."""


@dataclass(frozen=True, slots=True)
class Deprecation:
    """Since when something is deprecated, and when its time is over. Raises ValueError."""

    since: datetime
    until: datetime

    def __post_init__(self) -> None:
        if self.until - self.since < NOTICE_MIN:
            raise ValueError(f"what has to go is announced {NOTICE_MIN.days} days ahead")

    @property
    def headers(self) -> list[tuple[bytes, bytes]]:
        sunset = format_datetime(self.until.astimezone(UTC), usegmt=True)
        return [
            (b"deprecation", f"@{int(self.since.timestamp())}".encode()),
            (b"sunset", sunset.encode()),
        ]


Deprecations = Mapping[str, Deprecation]
"""By the name of an operation, such as `listOrders`, or of a field, such as `OrderList.next`."""


def deprecated_operations(
    document: Json, deprecations: Deprecations
) -> Iterator[tuple[str, str, Json, Deprecation]]:
    """Path, method and operation of each that is deprecated, or has a field that is.

    Of several deprecations it has the one that is over first. Raises UnknownToTheDocument.
    """
    _require_known(document, deprecations)
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            names = {operation["operationId"], *_fields_of(document, operation)}
            found = [each for name, each in deprecations.items() if name in names]
            if found:
                yield path, method, operation, min(found, key=lambda each: each.until)


def announce(document: Json, deprecations: Deprecations) -> None:
    """Say in the document what is deprecated, and of which answers the headers say so."""
    for _, _, operation, _ in deprecated_operations(document, deprecations):
        if operation["operationId"] in deprecations:
            operation["deprecated"] = True
        for answer in operation["responses"].values():
            answer["headers"] = answer.get("headers", {}) | referred(["Deprecation", "Sunset"])
    for name in deprecations:
        model, _, field = name.partition(".")
        if field:
            document["components"]["schemas"][model]["properties"][field]["deprecated"] = True


class DeprecationHeaders:
    """ASGI middleware that adds the headers to every answer of what is deprecated.

    It goes by method and path, and so it does not matter who answers: the edge, the guard, a lane
    or the framework. Of several paths that fit, as `/orders/live` and `/orders/{order_id}`, the
    first in the document counts, as with the framework.
    """

    def __init__(self, app: ASGIApp, document: Json, deprecations: Deprecations) -> None:
        """Raises UnknownToTheDocument."""
        self.app = app
        going = {
            (path, method): deprecation.headers
            for path, method, _, deprecation in deprecated_operations(document, deprecations)
        }
        self._operations = [
            (method.upper(), compile_path(path)[0], going.get((path, method), ()))
            for path, methods in document["paths"].items()
            for method in methods
        ]

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        headers = self._headers(scope) if scope["type"] == "http" else ()
        if not headers:
            await self.app(scope, receive, send)
            return

        async def send_announced(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", ()), *headers]
            await send(message)

        await self.app(scope, receive, send_announced)

    def _headers(self, scope: Scope) -> Sequence[tuple[bytes, bytes]]:
        asked = "GET" if scope["method"] == "HEAD" else scope["method"]
        path = get_route_path(scope)
        for method, pattern, headers in self._operations:
            if method == asked and pattern.match(path):
                return headers
        return ()


def _require_known(document: Json, deprecations: Deprecations) -> None:
    known = {operation["operationId"] for operation in operations(document)}
    for model, schema in document["components"]["schemas"].items():
        known |= {f"{model}.{field}" for field in schema.get("properties", ())}
    if unknown := deprecations.keys() - known:
        raise UnknownToTheDocument(", ".join(sorted(unknown)))


def _fields_of(document: Json, operation: Json) -> Iterator[str]:
    """All fields of what the operation takes and answers, as `Model.field`."""
    schemas: Json = document["components"]["schemas"]
    seen: set[str] = set()
    found = _models_in(operation)
    while found := (found & schemas.keys()) - seen:
        seen |= found
        found = {name for model in found for name in _models_in(schemas[model])}
    for model in seen:
        yield from (f"{model}.{field}" for field in schemas[model].get("properties", ()))


def _models_in(part: Json) -> set[str]:
    return set(SCHEMA_REFERENCE.findall(json.dumps(part)))
