"""Lanes ahead of the framework, for requests so frequent that it would be most of their cost."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from starlette.datastructures import Headers
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.http.problems import MAX_BODY_BYTES, ProblemError
from service_kit.runtime.tracing import traced


@dataclass(frozen=True, slots=True)
class RawRequest:
    """A request of which only the method and the path have been looked at."""

    path: str
    parts: re.Match[str]
    """The match of the lane's pattern with the path."""
    query: str
    headers: Mapping[str, str]
    """By their names in lower case."""
    body: bytes


LaneHandler = Callable[[RawRequest], Awaitable[Response] | None]
"""Answers a request, or returns None if there is anything unusual about it.

It refuses nothing itself: a request that it does not take goes on to the framework, which answers
or says what is wrong.
"""


@dataclass(frozen=True, slots=True)
class Lane:
    """The requests with this method and a path that the pattern matches as a whole."""

    method: str
    path: re.Pattern[str]
    handle: LaneHandler


# decision/0024: what is asked most goes by a lane ahead of the framework
class FastLane:
    """ASGI middleware that lets a request's lane answer it; requests without a lane go on."""

    def __init__(self, app: ASGIApp, lanes: Sequence[Lane]) -> None:
        self.app = app
        self._lanes = lanes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        read: list[Message] = []

        async def replay() -> Message:
            return read.pop(0) if read else await receive()

        answer = await self._lane_answer(scope, receive, read)
        if answer is None:
            await self.app(scope, replay, send)
        else:
            response = await _answered(answer, scope)
            await response(scope, receive, send)

    async def _lane_answer(
        self, scope: Scope, receive: Receive, read: list[Message]
    ) -> Awaitable[Response] | None:
        """The answer, if a lane takes the request; what is received meanwhile goes to `read`."""
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
        if 0 < int(length) <= MAX_BODY_BYTES:
            body = await _body(receive, read)
        if len(body) != int(length):
            return None
        query = str(scope["query_string"], "latin-1")
        return lane.handle(RawRequest(scope["path"], parts, query, headers, body))


async def _body(receive: Receive, read: list[Message]) -> bytes:
    """The body, or the part of it that came before the client disconnected."""
    read.append(await receive())
    while read[-1].get("more_body"):
        read.append(await receive())
    return b"".join(message.get("body", b"") for message in read)


async def _answered(answer: Awaitable[Response], scope: Scope) -> Response:
    """The answer or refusal, made within the request's trace."""
    with traced(Headers(scope=scope)):
        try:
            return await answer
        except ProblemError as refused:
            return refused.response()
