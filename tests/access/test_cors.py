"""Pages of other origins: which of them may call, and what they may read of the answers."""

import re
import socket
from collections.abc import AsyncIterator, Collection
from typing import Any

import httpx
import pytest
from fastapi import APIRouter, FastAPI, Header, Response
from fastapi.responses import HTMLResponse
from pydantic import ValidationError
from service_kit.access.admission import Admission
from service_kit.access.needs import needs
from service_kit.access.roles import Role
from service_kit.http.edge import KnownHosts
from service_kit.http.fast_lane import FastLane, Lane, RawRequest
from service_kit.http.server import Application, application
from service_kit.http.sse import EventStream
from service_kit.runtime.settings import ServiceSettings

from tests.access.forge import CLAIM, RESTAURANT, a_verifier, claims, ec_key, signed
from tests.support.browser import listening, shown_at

TILL = needs(Role.TILL)
PAGE, OTHER = "https://till.example", "https://evil.example"
BASE = f"/v1/restaurants/{RESTAURANT}"
LANE_PATH = re.compile("/v1/restaurants/([a-z-]+)/lane")


async def answer(_: RawRequest) -> Response:
    return Response('{"by":"lane"}', media_type="application/json", headers={"ETag": '"1"'})


def service(*origins: str) -> Application:
    app = application("service", "", [], admission=Admission(a_verifier()))
    router = APIRouter(prefix="/v1/restaurants/{restaurant}", dependencies=[TILL])

    @router.post("/orders", status_code=201)
    async def post(response: Response, idempotency_key: str = Header()) -> dict[str, str]:
        response.headers["Location"] = f"{BASE}/orders/1"
        return {"key": idempotency_key}

    @router.get("/live")
    async def live() -> EventStream:
        async def events() -> AsyncIterator[bytes]:
            yield b'event: snapshot\ndata: {"n":1}\nid: 1\n\n'

        return EventStream(events())  # type: ignore[arg-type]

    app.include_router(router)
    app.add_middleware(FastLane, lanes=[Lane("GET", LANE_PATH, answer, TILL)])
    app.allowed_origins = origins
    app.gates = [lambda inner: KnownHosts(inner, ["service"])]
    return app


def a_token() -> str:
    roles: dict[str, Any] = {CLAIM: {RESTAURANT: ["till"]}}
    return signed(claims(**roles), ec_key())


async def got(
    method: str,
    path: str,
    *,
    origin: str | None = PAGE,
    app: FastAPI | None = None,
    host: str = "service",
    **headers: str,
) -> httpx.Response:
    sent = {name.replace("_", "-"): value for name, value in headers.items()} | {"Host": host}
    if origin:
        sent["Origin"] = origin
    transport = httpx.ASGITransport(app or service(PAGE), raise_app_exceptions=False)
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.request(method, path, headers=sent)


def said(answer: httpx.Response, name: str) -> set[str]:
    """The members of a list header of which there is one."""
    (whole,) = answer.headers.get_list(name) or [""]
    return {each.strip().lower() for each in whole.split(",")} - {""}


@pytest.mark.parametrize("method", ["GET", "POST", "PUT", "DELETE"])
async def test_a_preflight_needs_no_token(method: str) -> None:
    wanted = "authorization, content-type, idempotency-key, if-match, x-anything"

    found = await got(
        "OPTIONS",
        f"{BASE}/orders",
        Access_Control_Request_Method=method,
        Access_Control_Request_Headers=wanted,
    )

    assert found.status_code == 200
    assert found.headers["access-control-allow-origin"] == PAGE
    assert method.lower() in said(found, "access-control-allow-methods")
    assert said(found, "access-control-allow-headers") >= {"authorization", "if-match"}
    assert "access-control-allow-credentials" not in found.headers
    assert "origin" in said(found, "vary")
    assert found.headers["request-id"]


@pytest.mark.parametrize(
    ("origin", "method"),
    [(OTHER, "GET"), ("null", "GET"), (f"{PAGE}.evil.example", "GET"), (PAGE, "PURGE")],
)
async def test_a_preflight_of_what_is_not_allowed_is_refused(origin: str, method: str) -> None:
    found = await got(
        "OPTIONS", f"{BASE}/orders", origin=origin, Access_Control_Request_Method=method
    )

    assert (found.status_code, found.json()["code"]) == (403, "cross-origin")
    assert "access-control-allow-origin" not in found.headers
    assert "origin" in said(found, "vary")


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", f"{BASE}/lane", 200),
        ("POST", f"{BASE}/orders", 201),
        ("GET", f"{BASE}/live", 200),
        ("GET", f"{BASE}/nothing", 404),
        ("DELETE", f"{BASE}/orders", 405),
        ("GET", "/v1/a%2Fb", 400),
        ("GET", "/health/live", 200),
    ],
)
async def test_a_page_may_read_every_answer(method: str, path: str, status: int) -> None:
    found = await got(
        method,
        path,
        Authorization=f"Bearer {a_token()}",
        Idempotency_Key="1",
        Sec_Fetch_Site="cross-site",
    )

    assert found.status_code == status
    assert found.headers["access-control-allow-origin"] == PAGE
    assert said(found, "access-control-expose-headers") >= {
        "comanda-guest-token",
        "etag",
        "idempotent-replayed",
        "link",
        "location",
        "request-id",
        "retry-after",
    }
    assert "origin" in said(found, "vary")


async def test_a_page_may_read_why_it_is_refused() -> None:
    without_token = await got("GET", f"{BASE}/lane")
    at_another_name = await got("GET", f"{BASE}/lane", host="evil.example")

    assert [without_token.status_code, at_another_name.status_code] == [401, 421]
    for each in (without_token, at_another_name):
        assert each.headers["access-control-allow-origin"] == PAGE


async def test_another_page_may_change_nothing_and_read_nothing() -> None:
    token = f"Bearer {a_token()}"
    changed = await got("POST", f"{BASE}/orders", origin=OTHER, Authorization=token)
    read = await got("GET", f"{BASE}/lane", origin=OTHER, Authorization=token)

    assert (changed.status_code, changed.json()["code"]) == (403, "cross-origin")
    for each in (changed, read):
        assert "access-control-allow-origin" not in each.headers
        assert "origin" in said(each, "vary")


async def test_what_a_program_is_answered_no_cache_gives_to_a_page() -> None:
    found = await got("GET", f"{BASE}/lane", origin=None, Authorization=f"Bearer {a_token()}")

    assert "origin" in said(found, "vary")


async def test_a_change_without_an_origin_is_none_of_an_allowed_page() -> None:
    found = await got(
        "POST",
        f"{BASE}/orders",
        origin=None,
        Sec_Fetch_Site="cross-site",
        Authorization=f"Bearer {a_token()}",
    )

    assert (found.status_code, found.json()["code"]) == (403, "cross-origin")


@pytest.mark.parametrize("origin", [PAGE, "http://localhost:3000"])
async def test_every_page_may_call_where_an_operator_says_so(origin: str) -> None:
    found = await got(
        "POST",
        f"{BASE}/orders",
        origin=origin,
        app=service("*"),
        Authorization=f"Bearer {a_token()}",
        Idempotency_Key="1",
    )

    assert (found.status_code, found.headers["access-control-allow-origin"]) == (201, "*")


async def test_without_the_setting_nothing_is_said_of_origins() -> None:
    found = await got("GET", f"{BASE}/lane", app=service(), Authorization=f"Bearer {a_token()}")

    assert found.status_code == 200
    assert not [name for name in found.headers if name.startswith("access-control")]


@pytest.mark.parametrize(
    ("setting", "origins"),
    [
        ("", set()),
        ("*", {"*"}),
        ("https://Till.example, http://localhost:5173", {PAGE, "http://localhost:5173"}),
        ("http://[::1]:8080", {"http://[::1]:8080"}),
    ],
)
def test_origins_are_listed_by_a_setting(setting: str, origins: Collection[str]) -> None:
    settings = ServiceSettings(nats_url="nats://n", allowed_origins=setting)

    assert settings.origins == origins


@pytest.mark.parametrize(
    "setting", ["till.example", "null", "https://till.example/", "https://*.example", "ftp://till"]
)
def test_what_no_browser_sends_as_origin_is_refused_at_the_start(setting: str) -> None:
    with pytest.raises(ValidationError):
        ServiceSettings(nats_url="nats://n", allowed_origins=setting)


SCRIPT = """
<!DOCTYPE html><title>till</title><body><script>
(async () => {
  const base = "%s", headers = {Authorization: "Bearer %s", "Idempotency-Key": "k-1"};
  const said = [];
  const placed = await fetch(base + "/orders", {method: "POST", headers});
  said.push(placed.status, placed.headers.get("Location"));
  const read = await fetch(base + "/lane", {headers});
  said.push(read.status, read.headers.get("ETag"), (await read.json()).by);
  const feed = await fetch(base + "/live", {headers});
  said.push(feed.status, (await feed.text()).includes("event: snapshot"));
  const refused = await fetch(base + "/lane");
  said.push(refused.status, (await refused.json()).code);
  return said;
})().catch(String).then((said) => {
  document.body.textContent = JSON.stringify(said);
  document.title = "done";
});
</script></body>
"""


async def seen_by_a_browser() -> str:
    """What a page of an allowed origin wrote into itself, in Chromium."""
    pages = FastAPI()
    with socket.socket() as of_service, socket.socket() as of_pages:
        for each in (of_service, of_pages):
            each.bind(("127.0.0.1", 0))
        at_service = f"http://127.0.0.1:{of_service.getsockname()[1]}"
        at_pages = f"http://127.0.0.1:{of_pages.getsockname()[1]}"

        @pages.get("/")
        async def page() -> HTMLResponse:
            return HTMLResponse(SCRIPT % (at_service + BASE, a_token()))

        async with listening(service(at_pages), of_service), listening(pages, of_pages):
            shown, _ = await shown_at(f"{at_pages}/")
    return re.sub(r"<.*?>", "", shown)


@pytest.mark.programs
async def test_a_page_of_an_allowed_origin_places_follows_and_reads_in_a_browser() -> None:
    shown = await seen_by_a_browser()

    assert f'[201,"{BASE}/orders/1",200,"\\"1\\"","lane",200,true' in shown
    assert '401,"unauthenticated"]' in shown
