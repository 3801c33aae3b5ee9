"""How much of a connection a client may take: the size of a request's head, and its time.

uvicorn's parser takes a head of any size, and waits for the rest of a request for ever.
"""

import asyncio
from typing import Any

from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service_kit.http.problems import ProblemError

HEAD_BYTES_MAX = 32 * 1024
HEAD_TIMEOUT_S = 10.0
"""From the beginning of a connection or of a request until its head is there."""
BODY_TIMEOUT_S = 30.0
"""From the head until the body is there."""
LINGER_S = 1.0
"""For which what still comes is read and thrown away: a connection that is closed with bytes unread
is reset, and the answer may be lost.
"""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses what is over the bounds with problem details, and ends the connection."""

    _deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _has_head = False
    _is_whole = False
    _has_ended = False

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        self._set_deadline(HEAD_TIMEOUT_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._has_ended:
            return
        if not self._has_head or self._is_whole:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._has_ended:
            return
        if self._is_whole:
            self._clear_deadline()
        elif self._has_head:
            self._set_deadline(BODY_TIMEOUT_S)
        elif self._head_bytes > HEAD_BYTES_MAX:
            self._end(_head_too_large())
        else:
            self._set_deadline(HEAD_TIMEOUT_S)

    def on_message_begin(self) -> None:
        self._has_head = self._is_whole = False
        self._clear_deadline()
        super().on_message_begin()

    def on_headers_complete(self) -> None:
        self._has_head, self._head_bytes = True, 0
        self._clear_deadline()
        size = len(self.url) + sum(len(name) + len(text) for name, text in self.headers)
        if size <= HEAD_BYTES_MAX:
            super().on_headers_complete()
            return
        app, self.app = self.app, _refuse_head
        super().on_headers_complete()
        self.app = app

    def on_message_complete(self) -> None:
        self._is_whole = True
        super().on_message_complete()

    def send_400_response(self, msg: str) -> None:
        """Called for what is not HTTP."""
        self._end(ProblemError(400, "malformed-request", msg))

    def _set_deadline(self, timeout_s: float) -> None:
        if self._deadline is None and not self._has_ended:
            self._deadline = self.loop.call_later(timeout_s, self._time_out)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _time_out(self) -> None:
        if self.cycle is not None and not self.cycle.response_complete:
            self.cycle.disconnected = True  # whoever waits for the rest of the body
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()
                return
        self._end(ProblemError(408, "request-timeout", "The request did not come to its end."))

    def _end(self, error: ProblemError) -> None:
        response = error.response()
        head = [
            STATUS_LINE[error.status],
            *(name + b": " + text + b"\r\n" for name, text in response.raw_headers),
            b"connection: close\r\n\r\n",
        ]
        self.transport.write(b"".join(head) + bytes(response.body))
        self._has_ended = True
        self._clear_deadline()
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.loop.call_later(LINGER_S, self.transport.close)


def _head_too_large() -> ProblemError:
    detail = f"The request's line and headers are longer than {HEAD_BYTES_MAX} bytes."
    return ProblemError(
        431, "request-header-fields-too-large", detail, headers={"Connection": "close"}
    )


async def _refuse_head(scope: Scope, receive: Receive, send: Send) -> None:
    response: Any = _head_too_large().response()
    await response(scope, receive, send)
