"""Lanes ahead of the framework, for requests so frequent that it would be most of their cost."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass

from fastapi.params import Depends as Dependency
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.access.needs import PRINCIPAL
from service_kit.access.principal import Principal
from service_kit.http.problems import MAX_BODY_BYTES, ProblemError

LANE = "comanda.lane"
"""Where the guard leaves in a request's scope which lane it found, or that it found none."""


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
    principal: Principal | None = None
    """Who sends it, as the guard found."""


LaneHandler = Callable[[RawRequest], Awaitable[Response] | None]
"""Answers a request, or returns None if there is anything unusual about it.

It refuses nothing itself: a request that it does not take goes on to the framework, which answers
or says what is wrong.
"""


@dataclass(frozen=True, slots=True)
class Lane:
    """The requests with this method and a path that the pattern matches as a whole.

    The pattern's first group is the restaurant, and `needs` declares the same as the route behind.
    """

    method: str
    path: re.Pattern[str]
    handle: LaneHandler
    needs: Dependency | None = None


def lane_of(scope: Scope, lanes: Sequence[Lane]) -> tuple[Lane, re.Match[str]] | None:
    """The lane of a request, and the match of its pattern with the path."""
    method, path = scope["method"], scope["path"]
    for lane in lanes:
        if method == lane.method and (parts := lane.path.fullmatch(path)):
            return lane, parts
    return None


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
            response = await _answered(answer)
            await response(scope, receive, send)

    async def _lane_answer(
        self, scope: Scope, receive: Receive, read: list[Message]
    ) -> Awaitable[Response] | None:
        """The answer, if a lane takes the request; what is received meanwhile goes to `read`."""
        if scope["type"] != "http":
            return None
        found = scope[LANE] if LANE in scope else lane_of(scope, self._lanes)
        if found is None:
            return None
        lane, parts = found
        headers = {str(name, "latin-1"): str(value, "latin-1") for name, value in scope["headers"]}
        length = headers.get("content-length", "0")
        is_coded = "transfer-encoding" in headers or "content-encoding" in headers
        is_usual = len(headers) == len(scope["headers"]) and not is_coded
        if not is_usual or not length.isdigit():
            return None
        body = b""
        if 0 < int(length) <= MAX_BODY_BYTES:
            body = await _body(receive, read)
        if len(body) != int(length):
            return None
        query = str(scope["query_string"], "latin-1")
        principal = scope.get("state", {}).get(PRINCIPAL)
        return lane.handle(RawRequest(scope["path"], parts, query, headers, body, principal))


async def _body(receive: Receive, read: list[Message]) -> bytes:
    """The body, or the part of it that came before the client disconnected."""
    read.append(await receive())
    while read[-1].get("more_body"):
        read.append(await receive())
    return b"".join(message.get("body", b"") for message in read)


async def _answered(answer: Awaitable[Response]) -> Response:
    try:
        return await answer
    except ProblemError as refused:
        return refused.response()
