"""The edge of a service: what it refuses of any request, and says of any answer."""

import asyncio
import contextlib
import gzip
import socket
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import uvicorn
from fastapi import FastAPI, Response
from pydantic import BaseModel
from service_kit.http.edge import KnownHosts
from service_kit.http.header_values import as_text, versions_in
from service_kit.http.protocol import BoundedHttpProtocol
from service_kit.http.server import application
from service_kit.http.sse import EventStream
from service_kit.runtime.tracing import current_trace

ENDED: list[str] = []


class Body(BaseModel, extra="forbid"):
    name: str


def service() -> FastAPI:
    app = application("service", "", [])

    @app.get("/v1/things/{name}")
    async def get(name: str) -> dict[str, str]:
        return {"name": name}

    @app.get("/v1/menu")
    async def menu() -> Response:
        return Response("{}", headers={"Cache-Control": "no-cache"})

    @app.get("/v1/failing")
    async def failing() -> None:
        raise ValueError("our fault")

    @app.get("/v1/live")
    async def live() -> EventStream:
        async def events() -> Any:
            try:
                yield b"data: 1\n\n"
                await asyncio.Event().wait()
            finally:
                ENDED.append("live")

        return EventStream(events())

    @app.post("/v1/things")
    async def post(body: Body | None = None) -> dict[str, str]:
        return current_trace()

    @app.put("/v1/things")
    async def put(body: Body) -> dict[str, str]:
        return {"name": body.name}

    return app


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(service(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@contextlib.asynccontextmanager
async def listening(app: Any) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the application on a real socket."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        config = uvicorn.Config(app, http=BoundedHttpProtocol, log_level="critical", lifespan="off")
        server = uvicorn.Server(config)
        server.capture_signals = contextlib.nullcontext  # type: ignore[assignment, method-assign]
        serving = asyncio.create_task(server.serve([listener]))
        url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=10) as client:
            yield client
        server.should_exit = True
        await serving


@pytest.mark.parametrize("path", ["/v1/menu/", "/v1/things/", "/health/live/", "/nowhere/"])
@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_a_slash_at_the_end_is_redirected_nowhere(
    http: httpx.AsyncClient, method: str, path: str
) -> None:
    answer = await http.request(method, path, headers={"Host": "evil.example"})

    assert (answer.status_code, "location" in answer.headers) == (404, False)
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("path", ["/v1/things/a", "/health/live", "/health/ready", "/metrics"])
async def test_head_is_get_without_its_body(path: str) -> None:
    async with listening(service()) as http:
        got, head = await http.get(path), await http.head(path)
        again = await http.get(path)

    assert (head.status_code, head.content) == (got.status_code, b"") == (200, b"")
    assert head.headers["content-type"] == got.headers["content-type"]
    if path != "/metrics":
        assert head.headers["content-length"] == got.headers["content-length"]
    assert again.status_code == 200


async def test_head_of_a_feed_ends_and_leaves_no_reader() -> None:
    ENDED.clear()
    async with listening(service()) as http:
        answer = await http.head("/v1/live")

    assert (answer.status_code, answer.headers["content-type"]) == (
        200,
        "text/event-stream; charset=utf-8",
    )
    assert ENDED == ["live"]


async def test_a_refused_method_is_told_the_others(http: httpx.AsyncClient) -> None:
    answer = await http.delete("/v1/menu")

    assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")


@pytest.mark.parametrize("method", ["DELETE", "PURGE"])
async def test_a_refused_method_is_told_those_of_every_route_of_the_path(
    http: httpx.AsyncClient, method: str
) -> None:
    answer = await http.request(method, "/v1/things")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST, PUT, OPTIONS")


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/things/a", "GET, HEAD, OPTIONS"),
        ("/v1/things", "POST, PUT, OPTIONS"),
        ("/v1/live", "GET, HEAD, OPTIONS"),
        ("/health/live", "GET, HEAD, OPTIONS"),
        ("/openapi.json", "GET, HEAD, OPTIONS"),
    ],
)
async def test_a_path_says_which_methods_it_takes(
    http: httpx.AsyncClient, path: str, allowed: str
) -> None:
    answer = await http.options(path)

    assert (answer.status_code, answer.content) == (204, b"")
    assert answer.headers["allow"] == allowed


async def test_what_is_not_there_takes_no_method(http: httpx.AsyncClient) -> None:
    assert (await http.options("/nowhere")).status_code == 404


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "",
        "text/plain",
        "application/x-www-form-urlencoded",
        "application/jsonp",
        "json",
        "multipart/form-data; boundary=x",
    ],
)
@pytest.mark.parametrize("body", [b'{"name":"a"}', b"{", b"\xff"])
async def test_a_body_that_is_not_said_to_be_json_is_refused_by_that_header(
    http: httpx.AsyncClient, content_type: str | None, body: bytes
) -> None:
    headers = {} if content_type is None else {"Content-Type": content_type}
    answer = await http.post("/v1/things", content=body, headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (415, "unsupported-media-type")
    assert [each["field"] for each in answer.json()["errors"]] == ["Content-Type"]
    assert answer.headers["accept"] == "application/json"


@pytest.mark.parametrize(
    "content_type",
    [
        "application/json",
        "application/json; charset=utf-8",
        "Application/JSON",
        "application/x+json",
    ],
)
async def test_a_body_that_is_said_to_be_json_is_read(
    http: httpx.AsyncClient, content_type: str
) -> None:
    headers = {"Content-Type": content_type}

    assert (await http.post("/v1/things", content=b'{"name":"a"}', headers=headers)).is_success


@pytest.mark.parametrize("content_type", ["text/plain", "application/json", ""])
async def test_a_request_without_a_body_needs_no_content_type(
    http: httpx.AsyncClient, content_type: str
) -> None:
    answer = await http.post("/v1/things", headers={"Content-Type": content_type})

    assert answer.status_code == 200


@pytest.mark.parametrize(
    "content", [gzip.compress(b"{}"), b'{"name":"a"}'], ids=["compressed", "as it is"]
)
@pytest.mark.parametrize("coding", ["gzip", "identity, br"])
async def test_a_body_that_is_said_to_be_coded_is_refused_by_that_header(
    http: httpx.AsyncClient, content: bytes, coding: str
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": coding}
    answer = await http.post("/v1/things", content=content, headers=headers)

    assert (answer.status_code, answer.json()["errors"][0]["field"]) == (415, "Content-Encoding")
    assert answer.headers["accept-encoding"] == "identity"


async def test_a_request_without_a_body_may_name_any_coding_and_a_body_that_is_as_it_is_too(
    http: httpx.AsyncClient,
) -> None:
    headers = {"Content-Type": "application/json", "Content-Encoding": "Identity"}
    plain = await http.post("/v1/things", content=b'{"name":"a"}', headers=headers)

    assert plain.is_success
    assert (await http.get("/v1/menu", headers={"Content-Encoding": "gzip"})).is_success


async def test_head_of_what_is_not_there_is_refused(http: httpx.AsyncClient) -> None:
    assert (await http.head("/nowhere")).status_code == 404


async def test_answers_below_v1_are_kept_by_nobody_unless_they_say_so(
    http: httpx.AsyncClient,
) -> None:
    kept = {
        path: (await http.get(path)).headers.get("cache-control")
        for path in ("/v1/things/a", "/v1/nothing", "/v1/menu", "/health/live")
    }

    assert kept == {
        "/v1/things/a": "no-store",
        "/v1/nothing": "no-store",
        "/v1/menu": "no-cache",
        "/health/live": None,
    }


async def test_a_connection_that_ends_after_a_failure_says_so() -> None:
    async with listening(service()) as http:
        failed = await http.get("/v1/failing")
        next_one = await http.get("/v1/menu")

    assert (failed.status_code, failed.headers["connection"]) == (500, "close")
    assert failed.json()["code"] == "internal-error"
    assert (next_one.status_code, "connection" in next_one.headers) == (200, False)


@pytest.mark.parametrize(
    "path", ["/v1/things/a%2Fb", "/v1/things/a%2fb", "/v1%2Fmenu", "/v1/things/a%5Cb"]
)
async def test_a_hidden_separator_is_refused(http: httpx.AsyncClient, path: str) -> None:
    answer = await http.get(path)

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-path")


@pytest.mark.parametrize(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Origin": "https://evil.example"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "null"},
    ],
)
async def test_a_change_from_another_origin_is_refused(
    http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    refused = await http.post("/v1/things", headers=headers)
    read = await http.get("/v1/menu", headers=headers)

    assert (refused.status_code, refused.json()["code"]) == (403, "cross-origin")
    assert read.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Sec-Fetch-Site": "same-origin", "Origin": "https://pages.example"},
        {"Sec-Fetch-Site": "none"},
        {"Origin": "http://localhost"},
        {"Origin": "https://LOCALHOST"},
    ],
)
async def test_a_change_from_here_or_from_no_browser_is_made(
    http: httpx.AsyncClient, headers: dict[str, str]
) -> None:
    assert (await http.post("/v1/things", headers=headers)).status_code == 200


@pytest.mark.parametrize(
    ("host", "status"),
    [
        ("localhost", 200),
        ("LOCALHOST:8001", 200),
        ("127.0.0.1:8001", 200),
        ("[::1]:8001", 200),
        ("orders.example", 200),
        ("orders.example.:443", 200),
        ("till.cafe.example", 200),
        ("cafe.example", 421),
        ("evil.example", 421),
        ("localhost.evil.example", 421),
        ("127.0.0.1.evil.example", 421),
        ("evil.example:localhost", 421),
        ("evil@x.localhost", 421),
        ("10.0.0.7", 421),
        ("", 421),
    ],
)
async def test_a_service_answers_for_the_names_it_is_known_by(host: str, status: int) -> None:
    app = KnownHosts(service(), ["orders.example", "*.cafe.example"])
    transport = httpx.ASGITransport(app)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        answer = await http.get("/v1/menu", headers={"Host": host})
        probes = [
            (await http.get(path, headers={"Host": host})).status_code
            for path in ("/health/live", "/health/ready", "/metrics")
        ]

    assert answer.status_code == status
    assert probes == [200, 200, 200]
    if status != 200:
        assert answer.headers["content-type"] == "application/problem+json"
        assert answer.json()["code"] == "misdirected-request"


async def test_two_names_are_none() -> None:
    transport = httpx.ASGITransport(KnownHosts(service(), []))
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as http:
        twice = [("Host", "localhost"), ("Host", "evil.example")]

        assert (await http.get("/v1/menu", headers=twice)).status_code == 421


@pytest.mark.parametrize(
    "body", [b'{"name": "\xff"}', b"[" * 100_000, b'{"name": ' + b"9" * 5_000 + b"}", b"\0"]
)
async def test_what_is_no_json_is_called_so(http: httpx.AsyncClient, body: bytes) -> None:
    answer = await http.post(
        "/v1/things", content=body, headers={"Content-Type": "application/json"}
    )

    assert (answer.status_code, answer.json()["code"]) == (400, "malformed-json")


@pytest.mark.parametrize(
    "body",
    [
        pytest.param({str(n): 0 for n in range(15_000)}, id="many fields"),
        pytest.param({"x" * 249_000: 0}, id="a long name"),
        pytest.param({"name": ["x" * 1000] * 200}, id="a large value"),
    ],
)
async def test_a_bad_body_gets_a_small_answer(http: httpx.AsyncClient, body: Any) -> None:
    answer = await http.post("/v1/things", json=body)

    assert answer.status_code == 422
    assert len(answer.content) < 16_384
    assert 1 <= len(answer.json()["errors"]) <= 20


async def test_of_a_clients_trace_only_its_parent_goes_on(http: httpx.AsyncClient) -> None:
    parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
    headers = {"traceparent": parent, "tracestate": "vendor=x" * 10, "baggage": "guest=Ada"}

    assert (await http.post("/v1/things", headers=headers)).json() == {"traceparent": parent}


@pytest.mark.parametrize("text", ["Luigi", "Zoé", "Groß", "Łuc", "李"])
def test_a_header_is_read_as_utf8(text: str) -> None:
    assert as_text(text.encode().decode("latin-1")) == text


@pytest.mark.parametrize("text", ["Zoé", "Groß", "é"])
def test_a_header_that_is_no_utf8_is_read_as_latin1(text: str) -> None:
    assert as_text(text.encode("latin-1").decode("latin-1")) == text


@pytest.mark.parametrize(
    ("if_match", "allowed", "others"),
    [
        (None, None, []),
        ('"3"', 3, []),
        ('"3", "4"', {3, 4}, [1, 5]),
        ('W/"3"', set(), [3]),
        ('W/"3", "4"', 4, []),
        ("*", {1, 7}, [0]),
        (" * ", {1, 7}, [0]),
        ('"cd5f", "3"', 3, []),
        ('"3"4"', set(), [3, 4]),
        ('"9,3"', set(), [3, 9]),
        ("3", set(), [3]),
        ('"' + "9" * 9_000 + '"', set(), [9]),
        ("", set(), [0, 1]),
    ],
)
def test_a_condition_allows_the_versions_that_it_names(
    if_match: str | None, allowed: Any, others: list[int]
) -> None:
    found = versions_in(if_match)

    if isinstance(allowed, set):
        assert not isinstance(found, int | None)
        assert all(each in found for each in allowed)
        assert not any(each in found for each in others)
    else:
        assert found == allowed
