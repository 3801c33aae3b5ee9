"""What a client may take of a connection: bounded heads, bounded time."""

import asyncio
import contextlib
import json
import re
import socket
from collections.abc import AsyncIterator
from typing import Any

import pytest
import uvicorn
from fastapi import FastAPI, Response
from fastapi import Request as FastAPIRequest
from service_kit.http import protocol
from service_kit.http.protocol import HEAD_BYTES_MAX, SENT_BYTES_MIN, BoundedHttpProtocol

from tests.support.eventually import eventually

app = FastAPI()
LARGE_BYTES = 32 * 1024 * 1024
"""More than the buffers of both ends take."""


@app.post("/echo")
async def echo(request: FastAPIRequest) -> dict[str, int]:
    return {"bytes": len(await request.body())}


@app.post("/headers")
async def headers(request: FastAPIRequest) -> dict[str, list[str]]:
    await request.body()
    return {name: request.headers.getlist(name) for name in ("host", "comanda-actor")}


@app.post("/slow")
async def slow(request: FastAPIRequest) -> dict[str, bool]:
    await asyncio.sleep(0.5)
    return {"is_there": not await request.is_disconnected()}


@app.get("/large")
async def large() -> Response:
    return Response(bytes(LARGE_BYTES))


@pytest.fixture
def server() -> uvicorn.Server:
    config = uvicorn.Config(app, http=BoundedHttpProtocol, log_level="warning", lifespan="off")
    return uvicorn.Server(config)


@pytest.fixture
async def port(server: uvicorn.Server) -> AsyncIterator[int]:
    """Where the server listens."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        server.capture_signals = contextlib.nullcontext  # type: ignore[assignment, method-assign]
        serving = asyncio.create_task(server.serve([listener]))
        yield listener.getsockname()[1]
        server.should_exit = True
        await serving


@pytest.fixture
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(protocol, "HEAD_TIMEOUT_S", 0.2)
    monkeypatch.setattr(protocol, "BODY_TIMEOUT_S", 0.2)


async def send(port: int, *parts: bytes) -> tuple[int, dict[str, Any] | None]:
    """Send it all and read until the server ends the connection: the status and the problem."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        with contextlib.suppress(ConnectionError):
            for part in parts:
                writer.write(part)
                await writer.drain()
        async with asyncio.timeout(5):
            head, _, body = (await reader.read()).partition(b"\r\n\r\n")
    finally:
        writer.close()
    assert b"connection: close" in head.lower()
    [request_id] = re.findall(rb"\r\nrequest-id: ([\w-]+)(?:\r\n|$)", head)
    assert json.loads(body)["request_id"] == request_id.decode()
    return int(head.split()[1]), json.loads(body) if body else None


HEAD = b"POST /echo HTTP/1.1\r\nHost: h\r\n"


async def test_a_head_beyond_the_bound_that_comes_at_once_is_refused(port: int) -> None:
    large = b"X: " + b"x" * HEAD_BYTES_MAX + b"\r\n"

    status, problem = await send(port, HEAD + large + b"Content-Length: 0\r\n\r\n")

    assert problem is not None
    assert (status, problem["code"]) == (431, "request-header-fields-too-large")


async def test_a_head_without_end_is_refused_as_soon_as_it_is_too_large(port: int) -> None:
    status, problem = await send(port, HEAD, *[b"X: " + b"x" * 8000 + b"\r\n"] * 100)

    assert problem is not None
    assert (status, problem["code"]) == (431, "request-header-fields-too-large")


@pytest.mark.parametrize(
    "beginning",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"POST /e", id="half a line"),
        pytest.param(HEAD, id="half a head"),
        pytest.param(HEAD + b"Content-Length: 5\r\n\r\nab", id="half a body"),
    ],
)
@pytest.mark.usefixtures("impatient")
async def test_a_request_that_does_not_come_to_its_end_is_given_up(
    port: int, beginning: bytes
) -> None:
    status, problem = await send(port, beginning)

    assert problem is not None
    assert (status, problem["code"]) == (408, "request-timeout")


async def test_what_is_not_http_is_refused_in_the_same_words(port: int) -> None:
    status, problem = await send(port, b"\x16\x03\x01 hello\r\n\r\n")

    assert problem is not None
    assert (status, problem["code"]) == (400, "malformed-request")


@pytest.mark.usefixtures("impatient")
async def test_requests_on_one_connection_have_their_bounds_each(port: int) -> None:
    large = b"X: " + b"x" * (HEAD_BYTES_MAX - 1000) + b"\r\n"
    request = HEAD + large + b"Content-Length: 2\r\n\r\nab"
    reader, writer = await asyncio.open_connection("127.0.0.1", port)

    for _ in range(3):
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        assert head.startswith(b"HTTP/1.1 200")
        assert json.loads(await reader.readexactly(11)) == {"bytes": 2}
    writer.close()


async def test_a_client_that_takes_nothing_of_its_answer_is_left(
    server: uvicorn.Server, port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(protocol, "SEND_TIMEOUT_S", 0.2)
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)

    writer.write(b"GET /large HTTP/1.1\r\nHost: h\r\n\r\n")

    async def is_connected() -> bool:
        return bool(server.server_state.connections)

    await eventually(is_connected)
    await eventually(is_connected, lambda found: not found)
    writer.close()


class SlowTransport:
    """Has so much unsent, from one look to the next; the loop's timers are run by hand."""

    def __init__(self, *unsent_bytes: int) -> None:
        self.is_aborted = False
        self._unsent_bytes = iter(unsent_bytes)
        self._timers: list[Any] = []

    def get_write_buffer_size(self) -> int:
        return next(self._unsent_bytes)

    def abort(self) -> None:
        self.is_aborted = True

    def call_later(self, _: float, callback: Any) -> None:
        self._timers.append(callback)

    def run_timer(self) -> None:
        self._timers.pop()()


def test_a_client_that_takes_its_answer_slowly_is_left_once_it_takes_too_little() -> None:
    enough = 2 * SENT_BYTES_MIN
    transport = SlowTransport(3 * enough, 2 * enough, 2 * enough, enough, enough, enough - 1)
    connection = BoundedHttpProtocol.__new__(BoundedHttpProtocol)
    connection.transport = connection.loop = transport  # type: ignore[assignment]

    connection._set_send_deadline()
    transport.run_timer()
    transport.run_timer()
    was_aborted = transport.is_aborted
    transport.run_timer()

    assert (was_aborted, transport.is_aborted) == (False, True)


async def answers(port: int, *parts: bytes, count: int) -> list[tuple[int, Any]]:
    """What is answered on one connection: each one's status and JSON."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    found = []
    try:
        for part in parts:
            writer.write(part)
            await writer.drain()
        async with asyncio.timeout(60):
            for _ in range(count):
                head = (await reader.readuntil(b"\r\n\r\n")).lower()
                (length,) = (
                    int(line.partition(b":")[2])
                    for line in head.split(b"\r\n")
                    if line.startswith(b"content-length:")
                )
                found.append((int(head.split()[1]), json.loads(await reader.readexactly(length))))
    finally:
        writer.close()
    return found


WHOLE = HEAD + b"Content-Length: 2\r\n\r\nab"


@pytest.mark.parametrize(
    "upgrade",
    [
        pytest.param(b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n", id="h2c"),
        pytest.param(b"Upgrade: websocket\r\nConnection: upgrade\r\n", id="websocket"),
    ],
)
async def test_a_request_that_would_rather_go_on_otherwise_is_answered_here(
    port: int, upgrade: bytes
) -> None:
    request = WHOLE.replace(b"Content", upgrade + b"Content")

    found = await answers(port, request * 2 + WHOLE, count=3)

    assert found == [(200, {"bytes": 2})] * 3


async def test_a_request_that_would_rather_go_on_otherwise_may_come_in_pieces(port: int) -> None:
    request = HEAD + b"Connection: upgrade\r\nUpgrade: h2c\r\nTransfer-Encoding: chunked\r\n\r\n"
    pieces = [bytes([each]) for each in request + b"2\r\nab\r\n0\r\n\r\n"]

    assert await answers(port, *pieces, WHOLE, count=2) == [(200, {"bytes": 2})] * 2


@pytest.mark.parametrize("target", [b"/echo", b"*", b"http://h/echo", b"h:443"])
@pytest.mark.parametrize("others", [0, 1])
async def test_a_proxys_request_is_refused(port: int, target: bytes, others: int) -> None:
    connect = b"CONNECT " + target + b" HTTP/1.1\r\nHost: h\r\n\r\n"

    *found, refusal = await answers(port, WHOLE * others + connect, count=others + 1)

    assert found == [(200, {"bytes": 2})] * others
    assert (refusal[0], refusal[1]["code"]) == (400, "malformed-request")


async def test_what_follows_a_body_is_no_header(port: int) -> None:
    head = b"POST /headers HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n"
    trailers = b"Host: evil.example\r\nComanda-Actor: Mallory\r\n"

    (found,) = await answers(port, head + b"2\r\nab\r\n0\r\n" + trailers + b"\r\n", count=1)

    assert found == (200, {"host": ["h"], "comanda-actor": []})


@pytest.mark.parametrize(
    "target", [b"http://other.example/headers", b"HTTPS://other.example/headers?x=1"]
)
async def test_the_host_of_a_whole_url_counts(port: int, target: bytes) -> None:
    request = b"POST " + target + b" HTTP/1.1\r\nHost: h\r\nContent-Length: 0\r\n\r\n"

    (found,) = await answers(port, request, count=1)

    assert found == (200, {"host": ["other.example"], "comanda-actor": []})


@pytest.mark.usefixtures("impatient")
@pytest.mark.parametrize(
    ("next_one", "status"),
    [
        pytest.param(b"GARBAGE \r\n\r\n", 400, id="garbage"),
        pytest.param(b"POST /e", 408, id="half a line"),
        pytest.param(HEAD + b"X: " + b"x" * 16 * HEAD_BYTES_MAX, 431, id="too large a head"),
    ],
)
async def test_what_was_asked_for_before_is_answered_first(
    port: int, next_one: bytes, status: int
) -> None:
    slow = WHOLE.replace(b"/echo", b"/slow")

    first, second = await answers(port, slow + next_one, count=2)

    assert first == (200, {"is_there": True})
    assert second[0] == status
