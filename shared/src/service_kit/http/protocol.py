"""How much of a connection a client may take, and what of it is a request.

uvicorn's parser takes a head of any size, and waits for the rest of a request for ever. It takes
trailers for headers, and loses the body of a request that would rather be HTTP/2.
"""

import asyncio
import socket
from typing import Any

import httptools
from starlette.types import Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

from service_kit.http.problems import ProblemError
from service_kit.http.request_ids import RequestIds
from service_kit.runtime.request_id import REQUEST_ID, REQUEST_ID_HEADER, request_id_of

HEAD_BYTES_MAX = 32 * 1024
HEAD_TIMEOUT_S = 10.0
"""From the beginning of a connection or of a request until its head is there."""
BODY_TIMEOUT_S = 30.0
"""From the head until the body is there."""
WRITE_BUFFER_BYTES_MAX = 16 * 1024
"""With more than that unsent, in the process or in the kernel, whoever writes to a client waits:
there may be thousands who take nothing.
"""
SEND_TIMEOUT_S = 30.0
SENT_BYTES_MIN = 64 * 1024
"""That a client has to take of an answer within that time, or all that is left of it."""
LINGER_S = 1.0
"""For which what still comes is read and thrown away: a connection that is closed with bytes unread
is reset, and the answer may be lost.
"""


class BoundedHttpProtocol(HttpToolsProtocol):
    """Refuses what is over the bounds with problem details, and ends the connection.

    What was asked for on the connection before is answered first.
    """

    _deadline: asyncio.TimerHandle | None = None
    _send_deadline: asyncio.TimerHandle | None = None
    _head_bytes = 0
    _has_head = False
    _is_whole = False
    _wants_upgrade = False
    _has_ended = False
    _last_refusal: ProblemError | None = None
    """What the connection ends with, once the requests before it are answered."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        super().connection_made(transport)
        transport.set_write_buffer_limits(high=WRITE_BUFFER_BYTES_MAX)
        if connection := transport.get_extra_info("socket"):
            connection.setsockopt(
                socket.IPPROTO_TCP, socket.TCP_NOTSENT_LOWAT, WRITE_BUFFER_BYTES_MAX
            )
        self._set_deadline(HEAD_TIMEOUT_S)

    def connection_lost(self, exc: Exception | None) -> None:
        self._clear_deadline()
        self._clear_send_deadline()
        super().connection_lost(exc)

    def pause_writing(self) -> None:
        super().pause_writing()
        self._set_send_deadline()

    def resume_writing(self) -> None:
        self._clear_send_deadline()
        super().resume_writing()

    def _set_send_deadline(self) -> None:
        """Leave the client unless it takes enough of what is to be sent.

        A connection that is closed stays, with all that, for as long as the client takes nothing.
        """
        unsent_bytes = self.transport.get_write_buffer_size()

        def look() -> None:
            if self.transport.get_write_buffer_size() > unsent_bytes - SENT_BYTES_MIN:
                self.transport.abort()
            else:
                self._set_send_deadline()

        self._send_deadline = self.loop.call_later(SEND_TIMEOUT_S, look)

    def _clear_send_deadline(self) -> None:
        if self._send_deadline is not None:
            self._send_deadline.cancel()
            self._send_deadline = None

    def data_received(self, data: bytes) -> None:
        if self._is_ending:
            return
        if not self._has_head or self._is_whole:
            self._head_bytes += len(data)
        self._unset_keepalive_if_required()
        while data:
            data = self._feed(data)
        if self._is_ending:
            return
        if self._is_whole:
            self._clear_deadline()
        elif self._has_head:
            self._set_deadline(BODY_TIMEOUT_S)
        elif self._head_bytes > HEAD_BYTES_MAX:
            self._end(_head_too_large())
        else:
            self._set_deadline(HEAD_TIMEOUT_S)

    def _feed(self, data: bytes) -> bytes:
        """Parse what came; returns what is to be parsed next, in place of what was left."""
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserError:
            self.send_400_response("Invalid HTTP request received.")
        except httptools.HttpParserUpgrade as upgrade:
            if self.parser.get_method() == b"CONNECT":
                self.send_400_response("A service is no proxy: it takes no CONNECT.")
                return b""
            (position,) = upgrade.args
            return self._without_upgrade() + data[position:]
        return b""

    def _without_upgrade(self) -> bytes:
        """The head of the request that would rather go on in another protocol, which it may not.

        The parser takes what follows such a head for that protocol, though it be the body.
        """
        version = b"HTTP/" + self.parser.get_http_version().encode()
        request_line = self.parser.get_method(), self.url, version
        lines = [b": ".join(each) for each in self.headers if each[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.parser.set_dangerous_leniencies(lenient_data_after_close=True)
        return b"\r\n".join([b" ".join(request_line), *lines, b"", b""])

    def on_message_begin(self) -> None:
        self._has_head = self._is_whole = self._wants_upgrade = False
        self._clear_deadline()
        super().on_message_begin()

    def on_header(self, name: bytes, value: bytes) -> None:
        if not self._has_head:  # else it is a trailer, of which none is used here
            super().on_header(name, value)

    def on_headers_complete(self) -> None:
        if self.parser.should_upgrade():
            self._wants_upgrade = True
            return
        if not self.url.startswith(b"/"):
            self._take_host_of_target()
        self._has_head, self._head_bytes = True, 0
        self._clear_deadline()
        size = len(self.url) + sum(len(name) + len(text) for name, text in self.headers)
        if size <= HEAD_BYTES_MAX:
            super().on_headers_complete()
            return
        app, self.app = self.app, RequestIds(_refuse_head)
        super().on_headers_complete()
        self.app = app

    def _take_host_of_target(self) -> None:
        """RFC 9112, section 3.2.2: the host of a whole URL counts, whatever `Host` says."""
        scheme, separator, rest = self.url.partition(b"://")
        if separator and scheme.lower() in (b"http", b"https"):
            host = rest.partition(b"/")[0].partition(b"?")[0]
            others = [each for each in self.headers if each[0] != b"host"]
            self.headers[:] = [*others, (b"host", host)]

    def on_message_complete(self) -> None:
        if self._wants_upgrade:
            return
        self._is_whole = True
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._last_refusal and self.cycle.response_complete and not self._has_ended:
            self._end(self._last_refusal)

    def send_400_response(self, msg: str) -> None:
        """Called for what is not HTTP."""
        self._end(ProblemError(400, "malformed-request", msg))

    @property
    def _is_ending(self) -> bool:
        """Whether nothing more is taken from the connection."""
        return self._has_ended or self._last_refusal is not None

    @property
    def _has_unanswered(self) -> bool:
        """Whether requests that are whole wait for their answers."""
        is_whole = self._is_whole or not self._has_head
        return is_whole and self.cycle is not None and not self.cycle.response_complete

    def _set_deadline(self, timeout_s: float) -> None:
        if self._deadline is None and not self._is_ending:
            self._deadline = self.loop.call_later(timeout_s, self._time_out)

    def _clear_deadline(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None

    def _time_out(self) -> None:
        is_under_way = self.cycle is not None and not self.cycle.response_complete
        if is_under_way and not self._has_unanswered:
            self.cycle.disconnected = True  # whoever waits for the rest of the body
            self.cycle.message_event.set()
            if self.cycle.response_started:
                self.transport.close()
                return
        self._end(ProblemError(408, "request-timeout", "The request did not come to its end."))

    def _end(self, error: ProblemError) -> None:
        if self._has_unanswered:
            self._last_refusal = error
            self._clear_deadline()
            return
        is_of_a_request = self._has_head and not self._is_whole
        request_id = request_id_of(self.headers if is_of_a_request else ())
        token = REQUEST_ID.set(request_id)
        response = error.response()
        REQUEST_ID.reset(token)
        headers = [*response.raw_headers, (REQUEST_ID_HEADER, request_id.encode())]
        head = [
            STATUS_LINE[error.status],
            *(name + b": " + text + b"\r\n" for name, text in headers),
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
