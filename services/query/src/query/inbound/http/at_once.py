"""Boards that are kept, sent before anything else looks at the request."""

import re

from starlette.types import ASGIApp, Receive, Scope, Send

from query.inbound.http.answers import Body, tagged
from query.inbound.http.parameters import PREFIX
from query.inbound.http.rendered import Renderings

BOARD = re.compile(PREFIX.format(restaurant="([a-z0-9-]+)") + "/board")


class AtOnce:
    """ASGI middleware that answers plain questions for a board which is kept; the rest goes on.

    Routing and the checks of parameters cost a multiple of such an answer. There is nothing to
    check in a question without parameters, and anybody may read what is on the wall.
    """

    def __init__(self, app: ASGIApp, boards: Renderings) -> None:
        self.app = app
        self._boards = boards

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        board = self._kept(scope)
        if board is None:
            await self.app(scope, receive, send)
        else:
            await tagged(board, _if_none_match(scope))(scope, receive, send)

    def _kept(self, scope: Scope) -> Body | None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope["query_string"]:
            return None
        match = BOARD.fullmatch(scope["path"])
        return self._boards.at_once(match[1]) if match else None


def _if_none_match(scope: Scope) -> str | None:
    for name, value in scope["headers"]:
        if name == b"if-none-match":
            return str(value, "latin-1")
    return None
