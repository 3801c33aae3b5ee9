"""The lane ahead of the framework: what it takes, and that the rest arrives as it was sent."""

import re
from collections.abc import Awaitable, Iterable
from typing import Any

import httpx
import pytest
from fastapi import FastAPI, Request, Response
from service_kit.http.fast_lane import FastLane, Lane, RawRequest
from service_kit.http.problems import ProblemError
from service_kit.http.server import application
from service_kit.runtime.tracing import current_trace

TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


def take(request: RawRequest) -> Awaitable[Response] | None:
    """Everything but a body that says `unusual`."""
    return None if request.body == b"unusual" else answer(request)


async def answer(request: RawRequest) -> Response:
    if request.body == b"refused":
        raise ProblemError(409, "not-now", "Not now.", headers={"Retry-After": "1"})
    said = f"lane {request.parts[1]} {request.query} {request.body.decode()}"
    return Response(said, headers=current_trace())


def service() -> FastAPI:
    app = application("service", "", [])

    @app.post("/things/{name}")
    async def post(name: str, request: Request) -> Response:
        return Response(f"framework {name} {(await request.body()).decode()}")

    app.add_middleware(FastLane, lanes=[Lane("POST", re.compile("/things/([a-z]+)"), take)])
    return app


async def said(path: str, content: Any, headers: Iterable[tuple[str, str]] = ()) -> httpx.Response:
    transport = httpx.ASGITransport(service())
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.post(path, content=content, headers=list(headers))


async def test_a_usual_request_is_answered_in_the_lane() -> None:
    response = await said("/things/cola?cold=yes", b"please")

    assert response.text == "lane cola cold=yes please"


async def test_a_request_for_no_lane_goes_on() -> None:
    assert (await said("/things/Cola", b"please")).text == "framework Cola please"


async def test_what_the_lane_does_not_take_goes_on_with_its_body() -> None:
    assert (await said("/things/cola", b"unusual")).text == "framework cola unusual"


async def test_a_body_in_pieces_of_unknown_number_goes_on() -> None:
    async def pieces() -> Any:
        yield b"plea"
        yield b"se"

    assert (await said("/things/cola", pieces())).text == "framework cola please"


async def test_a_header_that_comes_twice_goes_on() -> None:
    response = await said("/things/cola", b"", [("If-Match", "1"), ("If-Match", "2")])

    assert response.text == "framework cola "


async def test_a_body_that_is_too_long_is_refused_as_anywhere() -> None:
    response = await said("/things/cola", b" " * 300_000)

    assert (response.status_code, response.json()["code"]) == (413, "content-too-large")


async def test_a_body_that_is_coded_is_refused_as_anywhere() -> None:
    response = await said("/things/cola", b"please", [("Content-Encoding", "gzip")])

    assert (response.status_code, response.json()["code"]) == (415, "unsupported-media-type")


@pytest.mark.parametrize("length", ["5", "50", "-1", "five"])
async def test_a_body_that_is_not_as_long_as_it_says_is_not_taken(length: str) -> None:
    response = await said("/things/cola", b"please", [("Content-Length", length)])

    assert response.text == "framework cola please"


async def test_a_refusal_is_answered_as_a_problem() -> None:
    response = await said("/things/cola", b"refused")

    assert response.headers["Content-Type"] == "application/problem+json"
    assert (response.status_code, response.headers["Retry-After"]) == (409, "1")


async def test_the_trace_goes_on_in_the_lane() -> None:
    response = await said("/things/cola", b"", [("traceparent", TRACE)])

    assert response.headers["traceparent"] == TRACE
