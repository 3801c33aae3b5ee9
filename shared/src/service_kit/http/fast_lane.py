"""A lane ahead of the framework, for requests that come so often that it is most of their cost."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.http.problems import LONGEST_BODY, ProblemError
from service_kit.runtime.tracing import traced


@dataclass(frozen=True, slots=True)
class Plain:
    """A request of which nothing but its method and path was looked at."""

    path: str
    parts: re.Match[str]
    """What the lane's pattern found in the path."""
    query: str
    headers: Mapping[str, str]
    """By their names in small letters."""
    body: bytes


Take = Callable[[Plain], Awaitable[Response] | None]
"""The answer to a request, or None if there is anything unusual about it.

It has no refusals of its own: what it does not take the framework answers, and says what is wrong.
"""


@dataclass(frozen=True, slots=True)
class Lane:
    """Requests of one kind: with this method, and a path that the pattern matches as a whole."""

    method: str
    path: re.Pattern[str]
    take: Take


class FastLane:
    """ASGI middleware that has a request answered by the lane it is for; all others go on."""

    def __init__(self, app: ASGIApp, lanes: Sequence[Lane]) -> None:
        self.app = app
        self._lanes = lanes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read: list[Message] = []

        async def again() -> Message:
            return read.pop(0) if read else await receive()

        answer = await self._taken(scope, receive, read)
        if answer is None:
            await self.app(scope, again, send)
        else:
            response = await _answered(answer, scope)
            await response(scope, receive, send)

    async def _taken(
        self, scope: Scope, receive: Receive, read: list[Message]
    ) -> Awaitable[Response] | None:
        """The answer, if a lane takes the request; `read` gets what was read to find that out."""
        if scope["type"] != "http":
            return None
        for lane in self._lanes:
            if scope["method"] == lane.method and (parts := lane.path.fullmatch(scope["path"])):
                break
        else:
            return None
        headers = {str(name, "latin-1"): str(value, "latin-1") for name, value in scope["headers"]}
        length = headers.get("content-length", "0")
        is_usual = len(headers) == len(scope["headers"]) and "transfer-encoding" not in headers
        if not is_usual or not length.isdigit():
            return None
        body = b""
        if 0 < int(length) <= LONGEST_BODY:
            body = await _body(receive, read)
        if len(body) != int(length):
            return None
        query = str(scope["query_string"], "latin-1")
        return lane.take(Plain(scope["path"], parts, query, headers, body))


async def _body(receive: Receive, read: list[Message]) -> bytes:
    """All that comes of the body, which is as long as was declared unless the client left."""
    read.append(await receive())
    while read[-1].get("more_body"):
        read.append(await receive())
    return b"".join(message.get("body", b"") for message in read)


async def _answered(answer: Awaitable[Response], scope: Scope) -> Response:
    """The answer or refusal, within the trace that the request belongs to."""
    with traced(Headers(scope=scope)):
        try:
            return await answer
        except ProblemError as refused:
            return refused.response()
