"""The port of operators: metrics and the API's documents, which clients' port then lacks."""

import re
import socket
from functools import partial

from starlette.types import ASGIApp, Receive, Scope, Send

from service_kit.http.problems import ProblemError

OF_CLIENTS = re.compile(r"/v1/.*", re.DOTALL)
OF_BOTH = re.compile(r"/health/.*", re.DOTALL)
"""Probes ask the port that they are about."""
DOCUMENTS = re.compile(r"/(|docs|docs/.*|openapi\.json|asyncapi|asyncapi\.json|asyncapi/.*)")
NOT_FOUND = ProblemError(404, "not-found", "Not Found")


class AdminPort:
    """ASGI middleware that answers each path at the port that it is for, and nowhere else.

    Whatever is not for clients is at the admin port alone, so that a page that is added later is.
    """

    def __init__(self, app: ASGIApp, port: int, *, has_public_documents: bool) -> None:
        self.app = app
        self._port = port
        self._has_public_documents = has_public_documents

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        is_here = partial(self._is_here, scope["server"][1])
        if is_here(scope["path"]):
            scope.setdefault("state", {})["is_here"] = is_here  # for the page of links
            await self.app(scope, receive, send)
        else:
            await NOT_FOUND.response()(scope, receive, send)

    def _is_here(self, port: int, path: str) -> bool:
        if OF_BOTH.fullmatch(path):
            return True
        if port == self._port:
            return not OF_CLIENTS.fullmatch(path)
        is_public = self._has_public_documents and DOCUMENTS.fullmatch(path)
        return bool(is_public or OF_CLIENTS.fullmatch(path))


def bound(host: str, *ports: int) -> list[socket.socket]:
    """A socket for each port, on which nobody listens yet. Raises OSError if one is taken."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    sockets = []
    for port in ports:
        each = socket.socket(family)
        each.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        each.bind((host, port))
        sockets.append(each)
    return sockets
