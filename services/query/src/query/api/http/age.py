"""Says how old the views are that an answer was made from, if they were not a primary's."""

import math

from service_kit.http.edge import PRIVATE_PREFIX
from service_kit.runtime.clock import utc_now
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from query.views.freshness import begin_noting


# decision/0049: reads go on without a primary
class AgeOfViews:
    """ASGI middleware: the header `Age` (RFC 9111), in seconds, on answers that may be old.

    It goes by who has answered, not by whether there is a primary by now.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or not scope["path"].startswith(PRIVATE_PREFIX):
            await self.app(scope, receive, send)
            return

        used = begin_noting()

        async def send_aged(message: Message) -> None:
            if message["type"] == "http.response.start" and used.as_of:
                age_s = max(0, math.ceil((utc_now() - used.as_of).total_seconds()))
                MutableHeaders(scope=message)["age"] = str(age_s)
            await send(message)

        await self.app(scope, receive, send_aged)
