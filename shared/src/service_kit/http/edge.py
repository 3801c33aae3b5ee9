"""The edge of a service over HTTP: what is refused of any request, and said of any answer.

It is ahead of the lanes and the framework, so that it holds for what either of them answers.
"""

import asyncio
import re
from collections.abc import Collection, Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.responses import Response
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service_kit.http.allowed_methods import AllowedMethods
from service_kit.http.cors import EVERY_ORIGIN
from service_kit.http.problems import ProblemError
from service_kit.runtime.cancellation import cancel_until_ended

PRIVATE_PREFIX = "/v1/"
"""Answers below it may have guests' data: no cache keeps one that does not say otherwise."""
UNHOSTED = re.compile(r"/health/.*|/metrics")
"""Paths that are answered whatever name is asked for: probes name a pod's address."""
HIDDEN_SEPARATOR = re.compile(rb"%2f|%5c|%00", re.IGNORECASE)
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
OWN_SITES = frozenset({"same-origin", "none"})
"""Of `Sec-Fetch-Site`: a page of this host sends the request, or somebody by hand."""
LOOPBACK = re.compile(r"localhost|[\w.-]+\.localhost|127(\.\d{1,3}){3}|\[::1\]")
METHOD_NOT_ALLOWED, INTERNAL_ERROR = 405, 500

MALFORMED_PATH = ProblemError(
    400, "malformed-path", "The path has an escaped separator, which no name here has."
)
CROSS_ORIGIN = ProblemError(
    403,
    "cross-origin",
    "A page of another origin may change nothing here (COMANDA_ALLOWED_ORIGINS).",
)
MISDIRECTED = ProblemError(
    421,
    "misdirected-request",
    "This service is not known by the name that was asked for (COMANDA_HOSTS).",
)
EDGE_REFUSALS = (MALFORMED_PATH, CROSS_ORIGIN, MISDIRECTED)
"""What any request may be refused with."""


class Edge:
    """ASGI middleware that refuses what no client of ours sends, and completes the answers.

    A separator that is hidden in a path is refused, since a gateway may read that path otherwise;
    so is a change that a browser sends from an origin that is not allowed. HEAD is answered as GET,
    without a body, and OPTIONS with the methods that the path takes.
    """

    def __init__(
        self, app: ASGIApp, methods: AllowedMethods, allowed_origins: Collection[str] = ()
    ) -> None:
        self.app = app
        self._methods = methods
        self._allowed_origins = allowed_origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        send = _completing(scope, send, self._methods)
        if refusal := _refusal(scope, self._allowed_origins):
            await refusal.response()(scope, receive, send)
        elif scope["method"] == "HEAD":
            await self._head(scope, receive, send)
        elif scope["method"] == "OPTIONS" and (allowed := self._methods.of(scope)):
            await Response(status_code=204, headers={"Allow": allowed})(scope, receive, send)
        else:
            await self.app(scope, receive, send)

    async def _head(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer as GET would, up to the body; a feed that would go on is ended there."""
        is_answered = asyncio.Event()

        async def send_head(message: Message) -> None:
            if is_answered.is_set():
                return
            if message["type"] == "http.response.start":
                await send(message)
            else:
                is_answered.set()
                await send({"type": "http.response.body", "body": b""})

        answering = asyncio.ensure_future(self.app({**scope, "method": "GET"}, receive, send_head))
        ending = asyncio.ensure_future(is_answered.wait())
        try:
            await asyncio.wait([answering, ending], return_when=asyncio.FIRST_COMPLETED)
        finally:
            await cancel_until_ended([ending, answering])
        if not answering.cancelled():
            answering.result()


class KnownHosts:
    """ASGI middleware that answers only for names that the service is known by.

    A page may have its own name resolve to a machine inside (DNS rebinding): the browser then takes
    the service for the page's own. `hosts` are names without ports; `*.name` stands for all below
    it and `*` for any. Names of this machine itself are always known.
    """

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        self.app = app
        self._names = frozenset(each.lower() for each in hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or UNHOSTED.fullmatch(scope["path"]):
            await self.app(scope, receive, send)
            return
        hosts = Headers(scope=scope).getlist("host")
        if len(hosts) == 1 and self._knows(hosts[0]):
            await self.app(scope, receive, send)
            return
        await MISDIRECTED.response()(scope, receive, send)

    def _knows(self, host: str) -> bool:
        name = _name_of(host)
        return (
            "*" in self._names
            or name in self._names
            or LOOPBACK.fullmatch(name) is not None
            or any(each.startswith("*.") and name.endswith(each[1:]) for each in self._names)
        )


def _name_of(host: str) -> str:
    """The host without its port, in lower case."""
    return re.sub(r":\d*$", "", host.strip()).rstrip(".").lower()


def _refusal(scope: Scope, allowed_origins: Collection[str]) -> ProblemError | None:
    if HIDDEN_SEPARATOR.search(scope.get("raw_path") or b""):
        return MALFORMED_PATH
    if scope["method"] in SAFE_METHODS:
        return None
    headers = Headers(scope=scope)
    if _is_cross_origin(headers) and not _is_allowed(headers.get("origin"), allowed_origins):
        return CROSS_ORIGIN
    return None


def _is_allowed(origin: str | None, allowed_origins: Collection[str]) -> bool:
    return origin is not None and (origin in allowed_origins or EVERY_ORIGIN in allowed_origins)


def _is_cross_origin(headers: Headers) -> bool:
    """By what browsers say, as Go's net/http takes it; whatever is no browser says neither."""
    if site := headers.get("sec-fetch-site"):
        return site not in OWN_SITES
    origin = headers.get("origin")
    return origin is not None and urlsplit(origin).netloc.lower() != headers.get("host", "").lower()


def _completing(scope: Scope, send: Send, methods: AllowedMethods) -> Send:
    """Send answers with the headers that any has: who may keep them, and how they end."""
    is_private = scope["path"].startswith(PRIVATE_PREFIX)

    async def send_complete(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = MutableHeaders(scope=message)
            if is_private and "cache-control" not in headers:
                headers["cache-control"] = "no-store"
            if message["status"] == METHOD_NOT_ALLOWED and (allowed := methods.of(scope)):
                headers["allow"] = allowed  # the framework names those of one route
            if message["status"] == INTERNAL_ERROR:  # the server closes the connection behind it
                headers["connection"] = "close"
        await send(message)

    return send_complete
