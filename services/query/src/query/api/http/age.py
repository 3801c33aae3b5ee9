"""Says how old the views are that answers are made from while MongoDB has no primary."""

import math
from collections.abc import Callable
from datetime import datetime

from service_kit.http.edge import PRIVATE_PREFIX
from service_kit.runtime.clock import utc_now
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send


# decision/0049: reads go on without a primary
class AgeOfViews:
    """ASGI middleware: the header `Age` (RFC 9111), in seconds, on answers that may be old."""

    def __init__(self, app: ASGIApp, as_of: Callable[[], datetime | None]) -> None:
        """`as_of` is None while answers are as new as they can be."""
        self.app = app
        self._as_of = as_of

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PRIVATE_PREFIX):
            await self.app(scope, receive, send)
            return

        async def send_aged(message: Message) -> None:
            if message["type"] == "http.response.start" and (as_of := self._as_of()):
                age_s = max(0, math.ceil((utc_now() - as_of).total_seconds()))
                MutableHeaders(scope=message)["age"] = str(age_s)
            await send(message)

        await self.app(scope, receive, send_aged)
