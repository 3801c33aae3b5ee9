"""Has links of answers lead back below the path at which a gateway has the service.

Such a gateway takes its path off before it sends a request on, and says in `X-Forwarded-Prefix`
what it took off: `/ordering`.
"""

from collections.abc import Collection

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

PREFIX_HEADER = "x-forwarded-prefix"
STATE_KEY = "prefix"


# decision/0064: a prefix is believed by its name
class BelowPrefix:
    """ASGI middleware that puts the gateway's path before a `Location` that is a path.

    A request whose header is none of the known `prefixes`, or is there twice, came by none.
    """

    def __init__(self, app: ASGIApp, prefixes: Collection[str]) -> None:
        self.app = app
        self._prefixes = prefixes

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        prefix = self._named_in(scope)
        if not prefix:
            await self.app(scope, receive, send)
            return
        scope.setdefault("state", {})[STATE_KEY] = prefix

        async def send_below(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                if headers.get("location", "").startswith("/"):
                    headers["location"] = prefix + headers["location"]
            await send(message)

        await self.app(scope, receive, send_below)

    def _named_in(self, scope: Scope) -> str:
        if scope["type"] != "http":
            return ""
        named = Headers(scope=scope).getlist(PREFIX_HEADER)
        return named[0] if len(named) == 1 and named[0] in self._prefixes else ""


def prefix_of(scope: Scope) -> str:
    """The path that a gateway took off the request's; none if it came by none that is known."""
    prefix: str = scope.get("state", {}).get(STATE_KEY, "")
    return prefix
