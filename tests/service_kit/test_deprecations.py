"""What has to go is announced in the document and in every answer, whoever gives it."""

import re
from datetime import UTC, datetime, timedelta

import httpx
import pytest
from fastapi import HTTPException, Response
from pydantic import BaseModel
from service_kit.access.needs import PUBLIC
from service_kit.http.deprecations import Deprecation, UnknownToTheDocument
from service_kit.http.fast_lane import FastLane, Lane, RawRequest
from service_kit.http.openapi import ApiDescription, Json
from service_kit.http.server import Application, application

SINCE, UNTIL = datetime(2026, 11, 27, tzinfo=UTC), datetime(2027, 11, 27, 12, tzinfo=UTC)
GOING = Deprecation(SINCE, UNTIL)
HEADERS = {"deprecation": "@1795737600", "sunset": "Sat, 27 Nov 2027 12:00:00 GMT"}


class Thing(BaseModel):
    name: str
    colour: str = ""


class Shelf(BaseModel):
    things: list[Thing]


async def take(_: RawRequest) -> Response:
    return Response("lane")


def service(**deprecations: Deprecation) -> Application:
    app = application("service", "", [])

    @app.get("/things/newest", dependencies=[PUBLIC])
    async def get_newest() -> str:
        return "tea"

    @app.get("/things/{name}", dependencies=[PUBLIC])
    async def get_thing(name: str) -> Thing:
        if name == "lost":
            raise HTTPException(404)
        if name == "broken":
            raise RuntimeError
        return Thing(name=name)

    @app.post("/things/{name}", dependencies=[PUBLIC])
    async def set_thing(name: str) -> str:
        return name

    @app.get("/shelf", dependencies=[PUBLIC])
    async def get_shelf() -> Shelf:
        return Shelf(things=[])

    app.add_middleware(FastLane, lanes=[Lane("GET", re.compile("/things/(fast)"), take)])
    app.described = ApiDescription(deprecations=deprecations)
    return app


async def announced(app: Application, method: str, path: str, content: bytes | None = None) -> Json:
    """The headers that announce something, and the status."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        answer = await client.request(method, path, content=content)
    found = {name: answer.headers[name] for name in HEADERS if name in answer.headers}
    return {"status": answer.status_code} | found


@pytest.mark.parametrize(
    ("method", "name", "body", "status"),
    [
        ("GET", "cola", None, 200),
        ("HEAD", "cola", None, 200),
        ("GET", "fast", None, 200),
        ("GET", "lost", None, 404),
        ("GET", "broken", None, 500),
        ("GET", "cola", b" " * 300_000, 413),
    ],
    ids=["the framework", "HEAD", "a lane", "a refusal", "a failure", "the edge"],
)
async def test_every_answer_of_a_deprecated_route_says_so(
    method: str, name: str, body: bytes | None, status: int
) -> None:
    found = await announced(service(getThing=GOING), method, f"/things/{name}", content=body)

    assert found == {"status": status} | HEADERS


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/things/cola"), ("GET", "/shelf"), ("GET", "/things/newest")]
)
async def test_no_other_route_does(method: str, path: str) -> None:
    assert await announced(service(getThing=GOING), method, path) == {"status": 200}


@pytest.mark.parametrize("path", ["/things/cola", "/shelf"])
async def test_every_route_with_a_deprecated_field_says_so(path: str) -> None:
    app = service(**{"Thing.colour": GOING})

    assert await announced(app, "GET", path) == {"status": 200} | HEADERS
    assert await announced(app, "POST", "/things/cola") == {"status": 200}


async def test_of_several_the_first_that_is_over_is_announced() -> None:
    sooner = Deprecation(SINCE, SINCE + timedelta(days=200))
    app = service(**{"Thing.colour": sooner, "getThing": GOING})

    assert (await announced(app, "GET", "/things/cola"))[
        "sunset"
    ] == "Tue, 15 Jun 2027 00:00:00 GMT"


def test_the_document_says_what_is_deprecated_and_that_its_answers_say_so() -> None:
    document = service(setThing=GOING, **{"Thing.colour": GOING}).openapi()

    things = document["paths"]["/things/{name}"]
    assert things["post"]["deprecated"] is True
    assert "deprecated" not in things["get"]
    assert document["components"]["schemas"]["Thing"]["properties"]["colour"]["deprecated"] is True
    assert {"Deprecation", "Sunset"} <= document["components"]["headers"].keys()
    for operation in (things["get"], things["post"], document["paths"]["/shelf"]["get"]):
        for answer in operation["responses"].values():
            name = answer.get("$ref", "").rpartition("/")[2]
            told = document["components"]["responses"][name] if name else answer
            assert {"Deprecation", "Sunset"} <= told["headers"].keys()


def test_the_answers_of_other_routes_are_described_without() -> None:
    with_another = service(setThing=GOING).openapi()["paths"]["/shelf"]

    assert with_another == service().openapi()["paths"]["/shelf"]


@pytest.mark.parametrize("name", ["getThings", "Thing.color", "Things.colour"])
def test_a_service_that_deprecates_what_it_does_not_have_does_not_start(name: str) -> None:
    with pytest.raises(UnknownToTheDocument, match=name):
        service(**{name: GOING}).build_middleware_stack()


def test_it_is_announced_half_a_year_ahead() -> None:
    with pytest.raises(ValueError, match="180 days ahead"):
        Deprecation(SINCE, SINCE + timedelta(days=179))
