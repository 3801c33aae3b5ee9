"""How a service leaves: it says so, serves on until nobody comes any more, and only then ends."""

import asyncio
import signal
import socket
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType

import uvicorn
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

AtEnd = Callable[[], None]
"""Ends what never ends by itself, such as a live feed; called in the event loop."""


class Leaving:
    """Whether the service is about to leave; wraps its application.

    An answer that is given meanwhile is the last one on its connection: whoever comes again
    connects anew, to a replica that stays.
    """

    def __init__(self, at_end: Sequence[AtEnd]) -> None:
        self.begun = False
        self.at_end = at_end

    def told_to(self, app: ASGIApp) -> ASGIApp:
        """The application, which sends its callers elsewhere once this has begun."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_on(message: Message) -> None:
                if self.begun and message["type"] == "http.response.start":
                    MutableHeaders(scope=message)["connection"] = "close"
                await send(message)

            await app(scope, receive, send_on)

        return answer


class DrainingServer(uvicorn.Server):
    """On SIGTERM it serves on for `drain` seconds, then ends; on SIGINT it ends at once.

    It takes a while until nobody sends to a replica that is not ready any more. What is sent
    meanwhile is answered as ever, and requests in flight are, too, at the end.
    """

    def __init__(self, config: uvicorn.Config, leaving: Leaving, drain: float) -> None:
        super().__init__(config)
        self._leaving = leaving
        self._drain = drain

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Called by the signal's handler."""
        end = partial(super().handle_exit, sig, frame)
        if sig == signal.SIGTERM and not self._leaving.begun and self.started:
            self._leaving.begun = True
            self._loop.call_soon_threadsafe(self._loop.call_later, self._drain, end)
        else:
            self._leaving.begun = True
            end()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for end in self._leaving.at_end:
            end()
        await super().shutdown(sockets)
