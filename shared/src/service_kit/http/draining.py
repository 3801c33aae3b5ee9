"""Graceful shutdown: a service reports that it is not ready, serves on for a while, then ends."""

import asyncio
import signal
import socket
from collections.abc import Callable, Sequence
from functools import partial
from types import FrameType

import uvicorn
from starlette.datastructures import MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

ShutdownHook = Callable[[], None]
"""Ends responses that never end by themselves, such as live feeds; called in the event loop."""


class Draining:
    """Whether the service has been told to end, and the hooks to call when it does.

    A response that is sent while draining is the last one on its connection, so that clients
    reconnect, to a replica that stays.
    """

    def __init__(self, on_shutdown: Sequence[ShutdownHook]) -> None:
        self.begun = False
        self.on_shutdown = on_shutdown

    def closing_connections(self, app: ASGIApp) -> ASGIApp:
        """The application; once draining has begun, its responses close their connections."""

        async def answer(scope: Scope, receive: Receive, send: Send) -> None:
            async def send_on(message: Message) -> None:
                if self.begun and message["type"] == "http.response.start":
                    MutableHeaders(scope=message)["connection"] = "close"
                await send(message)

            await app(scope, receive, send_on)

        return answer


# decision/0023: a service drains by itself
class DrainingServer(uvicorn.Server):
    """On SIGTERM it serves on for `drain_s` seconds, then ends; on SIGINT it ends at once.

    Load balancers take a while to notice that a replica is not ready any more. Requests that they
    send meanwhile, and those in flight at the end, are answered as usual.
    """

    def __init__(self, config: uvicorn.Config, draining: Draining, drain_s: float) -> None:
        super().__init__(config)
        self._draining = draining
        self._drain_s = drain_s

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Begin to drain, or end; called by the signal handler."""
        end = partial(super().handle_exit, sig, frame)
        if sig == signal.SIGTERM and not self._draining.begun and self.started:
            self._draining.begun = True
            self._loop.call_soon_threadsafe(self._loop.call_later, self._drain_s, end)
        else:
            self._draining.begun = True
            end()

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        for end in self._draining.on_shutdown:
            end()
        await super().shutdown(sockets)
