"""Every answer says which request it answers, and so do problems and the log."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Response
from service_kit.http.fast_lane import FastLane, Lane, RawRequest
from service_kit.http.problems import ProblemError
from service_kit.http.server import application
from service_kit.http.sse import EventStream
from service_kit.runtime.request_id import REQUEST_ID, add_request_id
from structlog.testing import capture_logs

OURS = "till-3/2026-05-04:117"


def service() -> FastAPI:
    app = application("service", "", [])

    @app.get("/v1/menu")
    async def menu() -> Response:
        return Response(REQUEST_ID.get())

    @app.get("/v1/failing")
    async def failing() -> None:
        raise ValueError("our fault")

    @app.get("/v1/live")
    async def live() -> EventStream:
        async def events() -> Any:
            yield b"data: 1\n\n"

        return EventStream(events())

    async def refused(_: RawRequest) -> Response:
        raise ProblemError(503, "store-unavailable", "Not now.")

    lane = Lane("GET", re.compile("/v1/(lane)"), refused)
    app.add_middleware(FastLane, lanes=[lane])
    return app


async def answer(
    path: str, *, method: str = "GET", ids: list[str] | None = None, **sent: Any
) -> httpx.Response:
    transport = httpx.ASGITransport(service(), raise_app_exceptions=False)
    headers = [(b"Request-Id", each.encode()) for each in ids or ()]
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(method, path, headers=headers, **sent)


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v1/menu", 200),
        ("HEAD", "/v1/menu", 200),
        ("GET", "/v1/live", 200),
        ("GET", "/health/live", 200),
        ("GET", "/v1/lane", 503),
        ("GET", "/v1/nothing", 404),
        ("GET", "/v1/a%2Fb", 400),
        ("DELETE", "/v1/menu", 405),
        ("GET", "/v1/failing", 500),
    ],
)
async def test_an_answer_has_the_id_that_was_sent(method: str, path: str, status: int) -> None:
    said = await answer(path, method=method, ids=[OURS])

    assert (said.status_code, said.headers.get_list("request-id")) == (status, [OURS])
    if status >= 400:
        assert said.json()["request_id"] == OURS


async def test_a_body_that_is_too_long_is_refused_with_the_id() -> None:
    said = await answer("/v1/menu", method="POST", ids=[OURS], content=b" " * 300_000)

    assert (said.status_code, said.json()["request_id"]) == (413, OURS)


@pytest.mark.parametrize(
    "ids",
    [
        [],
        [""],
        ["two words"],
        ["x" * 129],
        ['"><script>'],
        ["Zo\xeb"],
        ["a\tb"],
        ["one", "two"],
    ],
)
async def test_a_request_without_a_good_id_gets_one(ids: list[str]) -> None:
    first, second = await asyncio.gather(answer("/v1/menu", ids=ids), answer("/v1/menu", ids=ids))

    assert re.fullmatch(r"[0-9a-f]{24}", first.headers["request-id"])
    assert first.text == first.headers["request-id"] != second.headers["request-id"]


async def test_a_line_of_the_log_about_a_request_has_its_id() -> None:
    with capture_logs(processors=[add_request_id]) as lines:
        await answer("/v1/failing", ids=[OURS])

    assert [line["request_id"] for line in lines if line["event"] == "request failed"] == [OURS]


def test_a_line_about_no_request_has_none() -> None:
    assert add_request_id(None, "info", {"event": "started"}) == {"event": "started"}
