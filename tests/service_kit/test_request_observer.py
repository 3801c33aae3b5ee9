"""What is said of a request: its route by the template, whoever answers, and nothing of a guest."""

import json
import re
from collections.abc import AsyncIterator, Awaitable, Iterator

import httpx
import pytest
from fastapi import FastAPI, Response
from prometheus_client import REGISTRY
from service_kit.access.needs import PUBLIC, needs
from service_kit.access.roles import Role
from service_kit.http.fast_lane import FastLane, Lane, RawRequest
from service_kit.http.request_observer import UNMATCHED
from service_kit.http.server import application
from service_kit.runtime import request_log
from service_kit.runtime.tracing import CannotExport, is_export_wanted

from tests.support.admission import own_admission
from tests.support.eventually import eventually
from tests.support.tokens import SUBJECT, bearer

ROUTE = "/v1/restaurants/{restaurant}/guests/{name}"
TRACE_ID = "0af7651916cd43dd8448eb211c80319c"
Reading = dict[tuple[str, str, str], float]


def in_lane(request: RawRequest) -> Awaitable[Response] | None:
    """What has no query."""

    async def answer() -> Response:
        return Response("lane")

    return None if request.query else answer()


def service() -> FastAPI:
    app = application("service", "", [], admission=own_admission())

    @app.get(ROUTE, dependencies=[needs(Role.TILL)])
    async def guest(restaurant: str, name: str) -> Response:
        return Response(f"framework {restaurant} {name}")

    @app.get("/v1/fails", dependencies=[PUBLIC])
    async def fail() -> Response:
        raise RuntimeError

    path = re.compile(ROUTE.format(restaurant="([a-z-]+)", name="[A-Za-z]+"))
    app.add_middleware(FastLane, lanes=[Lane("GET", path, in_lane, needs(Role.TILL))])
    return app


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    transport = httpx.ASGITransport(service(), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        yield client


@pytest.fixture
def _logging() -> Iterator[None]:
    request_log.start("service")
    yield
    request_log.stop()


def counted() -> Reading:
    """How many requests were counted so far, by method, route and status."""
    return {
        (sample.labels["method"], sample.labels["route"], sample.labels["status"]): sample.value
        for family in REGISTRY.collect()
        for sample in family.samples
        if sample.name == "comanda_http_request_seconds_count"
    }


def since(before: Reading) -> Reading:
    return {
        labels: count - before.get(labels, 0)
        for labels, count in counted().items()
        if count != before.get(labels, 0)
    }


async def test_a_request_is_counted_by_its_route_whether_a_lane_or_the_framework_answers(
    http: httpx.AsyncClient,
) -> None:
    before = counted()

    lane = await http.get("/v1/restaurants/la-piazza/guests/Ada", headers=bearer())
    framework = await http.get("/v1/restaurants/il-forno/guests/Bea?x=1", headers=bearer())

    assert (lane.text, framework.text) == ("lane", "framework il-forno Bea")
    assert since(before) == {("GET", ROUTE, "200"): 2}


async def test_what_nobody_answers_makes_no_label_of_its_own(http: httpx.AsyncClient) -> None:
    before = counted()

    await http.get("/v1/restaurants/la-piazza/guests/Ada")
    await http.get("/Ada")
    await http.request("ADA", "/")
    await http.get("/v1/a%2fb")
    await http.get("/v1/fails")

    assert since(before) == {
        ("GET", ROUTE, "401"): 1,
        ("GET", UNMATCHED, "404"): 1,
        ("other", UNMATCHED, "405"): 1,
        ("GET", UNMATCHED, "400"): 1,
        ("GET", "/v1/fails", "500"): 1,
    }


@pytest.mark.usefixtures("_logging")
async def test_a_request_is_a_line_in_the_log_without_its_path_and_query(
    http: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    trace = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}

    await http.get("/v1/restaurants/la-piazza/guests/Ada?name=Ada", headers=bearer() | trace)
    await http.get("/health/live")
    request_log.flush()

    said = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    (line,) = [each for each in said if each["event"] == "request"]
    assert line.pop("ms") >= 0
    assert line.pop("request_id")
    assert line.pop("timestamp").endswith("Z")
    assert line == {
        "service": "service",
        "event": "request",
        "level": "info",
        "method": "GET",
        "route": ROUTE,
        "status": 200,
        "restaurant": "la-piazza",
        "subject": SUBJECT,
        "trace_id": TRACE_ID,
    }


@pytest.mark.parametrize(
    ("path", "status"),
    [
        (ROUTE.format(restaurant="la-piazza", name="Ada"), 401),
        ("/v1/nothing", 404),
        ("/v1/a%2fb", 400),
        ("/v1/fails", 500),
    ],
)
async def test_a_problem_says_which_trace_its_request_belongs_to(
    http: httpx.AsyncClient, path: str, status: int
) -> None:
    trace = {"traceparent": f"00-{TRACE_ID}-b7ad6b7169203331-01"}

    traced, alone = await http.get(path, headers=trace), await http.get(path)

    assert (traced.status_code, traced.json()["trace_id"]) == (status, TRACE_ID)
    assert "trace_id" not in alone.json(), "it is in no trace"


@pytest.mark.usefixtures("_logging")
async def test_lines_are_written_before_long_though_no_other_comes(
    http: httpx.AsyncClient, capsys: pytest.CaptureFixture[str]
) -> None:
    await http.get("/Ada")

    async def said() -> str:
        return capsys.readouterr().out

    assert json.loads(await eventually(said))["status"] == 404


@pytest.mark.parametrize(
    ("environment", "wanted"),
    [
        ({}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://collector:4318"}, True),
        ({"OTEL_EXPORTER_OTLP_TRACES_ENDPOINT": "http://collector:4318/v1/traces"}, True),
        ({"OTEL_TRACES_EXPORTER": "otlp"}, True),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_SDK_DISABLED": "true"}, False),
        ({"OTEL_EXPORTER_OTLP_ENDPOINT": "http://c:4318", "OTEL_TRACES_EXPORTER": "none"}, False),
    ],
)
def test_spans_are_exported_if_the_environment_says_so(
    environment: dict[str, str], wanted: bool
) -> None:
    assert is_export_wanted(environment) is wanted


@pytest.mark.parametrize(
    "environment",
    [
        {"OTEL_TRACES_EXPORTER": "zipkin"},
        {"OTEL_TRACES_EXPORTER": "otlp", "OTEL_EXPORTER_OTLP_PROTOCOL": "grpc"},
    ],
)
def test_an_export_that_is_not_spoken_here_is_refused(environment: dict[str, str]) -> None:
    with pytest.raises(CannotExport):
        is_export_wanted(environment)
