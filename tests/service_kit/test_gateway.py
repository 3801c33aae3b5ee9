"""Links below the path at which a gateway has the service: taken from those that are known."""

import httpx
import pytest
from fastapi import Response
from pydantic import ValidationError
from service_kit.access.needs import PUBLIC
from service_kit.http.gateway import BelowPrefix
from service_kit.http.server import Application, application
from service_kit.runtime.settings import ServiceSettings

Headers = list[tuple[str, str]]


def service(location: str = "/v1/orders/1") -> Application:
    app = application("service", "", [])

    @app.post("/v1/orders", dependencies=[PUBLIC])
    async def place() -> Response:
        return Response(status_code=201, headers={"Location": location})

    app.gates = [lambda inner: BelowPrefix(inner, ["/ordering", "/eu/ordering"])]
    return app


async def got(
    method: str, path: str, headers: Headers, app: Application | None = None
) -> httpx.Response:
    transport = httpx.ASGITransport(app or service())
    async with httpx.AsyncClient(transport=transport, base_url="http://localhost") as client:
        return await client.request(method, path, headers=headers)


@pytest.mark.parametrize("prefix", ["/ordering", "/eu/ordering"])
async def test_a_location_is_below_the_path_that_the_gateway_took_off(prefix: str) -> None:
    found = await got("POST", "/v1/orders", [("X-Forwarded-Prefix", prefix)])

    assert found.headers["location"] == f"{prefix}/v1/orders/1"


@pytest.mark.parametrize(
    "headers",
    [
        [],
        [("X-Forwarded-Prefix", "/serving")],
        [("X-Forwarded-Prefix", "/ordering/")],
        [("X-Forwarded-Prefix", "//evil.example")],
        [("X-Forwarded-Prefix", "/ordering, /ordering")],
        [("X-Forwarded-Prefix", "/ordering"), ("X-Forwarded-Prefix", "/ordering")],
        [("X-Forwarded-Path", "/ordering")],
    ],
)
async def test_what_no_operator_named_is_not_heard(headers: Headers) -> None:
    found = await got("POST", "/v1/orders", headers)

    assert found.headers["location"] == "/v1/orders/1"


async def test_without_the_setting_no_prefix_is_heard() -> None:
    app = service()
    app.gates = []
    found = await got("POST", "/v1/orders", [("X-Forwarded-Prefix", "/ordering")], app)

    assert found.headers["location"] == "/v1/orders/1"


async def test_a_whole_url_stays_as_it_is() -> None:
    whole = "https://elsewhere.example/v1/orders/1"
    found = await got("POST", "/v1/orders", [("X-Forwarded-Prefix", "/ordering")], service(whole))

    assert found.headers["location"] == whole


async def test_a_problem_names_the_path_that_was_asked_for() -> None:
    found = await got("GET", "/v1/nothing", [("X-Forwarded-Prefix", "/ordering")])

    assert found.json()["instance"] == "/ordering/v1/nothing"


@pytest.mark.parametrize(
    ("setting", "prefixes"),
    [("", set()), ("/ordering", {"/ordering"}), ("/ordering, /eu/o-1", {"/ordering", "/eu/o-1"})],
)
def test_prefixes_are_listed_by_a_setting(setting: str, prefixes: set[str]) -> None:
    settings = ServiceSettings(nats_url="nats://n", gateway_prefixes=setting)

    assert settings.prefixes == prefixes


@pytest.mark.parametrize("setting", ["ordering", "/", "/a/", "//a", "/a b", "/../a", '/a"', "/a?b"])
def test_what_is_no_path_is_refused_at_the_start(setting: str) -> None:
    with pytest.raises(ValidationError):
        ServiceSettings(nats_url="nats://n", gateway_prefixes=setting)
