"""Who is let through to a route or lane, and that the service does not start with a gap."""

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Awaitable
from typing import Annotated, Any
from urllib.parse import unquote

import httpx
import pytest
from comanda_contracts.access import hash_of_subject
from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.routing import APIRoute
from prometheus_client import REGISTRY
from service_kit.access.admission import Admission
from service_kit.access.needs import PUBLIC, Unguarded, needs, principal_of
from service_kit.access.principal import Principal
from service_kit.access.roles import Role
from service_kit.access.withdrawals import Withdrawals
from service_kit.http.fast_lane import FastLane, Lane, RawRequest
from service_kit.http.guard import Guard, Undeclared
from service_kit.http.request_observer import FACTS, RequestFacts
from service_kit.http.server import application
from service_kit.http.sse import EventStream
from starlette.routing import Mount
from starlette.types import Message
from structlog.testing import capture_logs

from tests.access.forge import (
    CLAIM,
    OTHER,
    RESTAURANT,
    FakeSource,
    a_verifier,
    claims,
    ec_key,
    signed,
)

TILL, KITCHEN = needs(Role.TILL), needs(Role.KITCHEN, Role.MANAGER)
ORDERS = "/v1/restaurants/{restaurant}/orders"
THE_ORDERS = ORDERS.format(restaurant=RESTAURANT)
LANE_PATH = re.compile(ORDERS.format(restaurant="([a-z-]+)"))


def take(request: RawRequest) -> Awaitable[Response] | None:
    """Everything but what has a query."""
    return None if request.query else answer(request)


async def answer(request: RawRequest) -> Response:
    return Response(f"lane {request.principal.subject}" if request.principal else "lane nobody")


def service(source: FakeSource | None = None, is_withdrawn: Any = None) -> FastAPI:
    verifier = a_verifier(source)
    admission = Admission(verifier, is_withdrawn) if is_withdrawn else Admission(verifier)
    app = application("service", "", [], admission=admission)
    inner = APIRouter(prefix="/orders")
    outer = APIRouter(prefix="/v1/restaurants/{restaurant}")

    @inner.get("", dependencies=[TILL])
    async def list_orders(who: Annotated[Principal, Depends(principal_of)]) -> str:
        return f"framework {who.subject}"

    @inner.get("/live", dependencies=[TILL])
    async def live() -> str:
        return "live"

    @inner.get("/{order_id}", dependencies=[KITCHEN])
    async def one(order_id: str) -> str:
        return order_id

    @app.get("/public", dependencies=[PUBLIC])
    async def public() -> str:
        return "public"

    outer.include_router(inner)
    app.include_router(outer)
    app.add_middleware(FastLane, lanes=[Lane("GET", LANE_PATH, take, TILL)])
    return app


async def got(
    path: str,
    token: str | None = None,
    *,
    app: FastAPI | None = None,
    method: str = "GET",
    headers: list[tuple[str, str]] | None = None,
) -> httpx.Response:
    sent = [("Authorization", f"Bearer {token}")] if token else []
    transport = httpx.ASGITransport(app or service())
    async with httpx.AsyncClient(transport=transport, base_url="http://service") as client:
        return await client.request(method, path, headers=sent + (headers or []))


def a_token(*roles: str, restaurant: str = RESTAURANT, **changed: Any) -> str:
    return signed(claims(**{CLAIM: {restaurant: list(roles)}, **changed}))


@pytest.mark.parametrize("path", [THE_ORDERS, f"{THE_ORDERS}?a=1", f"{THE_ORDERS}/live"])
async def test_whoever_holds_the_role_is_let_through(path: str) -> None:
    assert (await got(path, a_token("till"))).status_code == 200


async def test_lane_and_route_know_who_asks() -> None:
    token = a_token("till")

    assert (await got(THE_ORDERS, token)).text == "lane luigi"
    assert (await got(f"{THE_ORDERS}?a=1", token)).json() == "framework luigi"


@pytest.mark.parametrize("path", [THE_ORDERS, f"{THE_ORDERS}?a=1", f"{THE_ORDERS}/1"])
async def test_a_request_without_a_token_is_challenged(path: str) -> None:
    response = await got(path)

    assert response.status_code == 401
    assert response.headers["WWW-Authenticate"] == "Bearer"
    assert response.headers["content-type"] == "application/problem+json"
    assert response.json()["code"] == "unauthenticated"


@pytest.mark.parametrize("path", [THE_ORDERS, f"{THE_ORDERS}?a=1"])
async def test_a_bad_token_is_challenged_with_a_word(path: str) -> None:
    response = await got(path, signed(claims(exp=1, iat=0)))

    assert response.status_code == 401
    expected = 'Bearer error="invalid_token", error_description="expired"'
    assert response.headers["WWW-Authenticate"] == expected


async def test_what_is_wrong_with_a_key_is_told_to_nobody() -> None:
    named = [("Request-Id", "question")]
    unknown = await got(THE_ORDERS, signed(claims(), ec_key("unknown")), headers=named)
    forged = await got(THE_ORDERS, signed(claims(), ec_key("unknown"), kid="ec-1"), headers=named)

    assert unknown.json() == forged.json()
    assert "invalid" in unknown.json()["detail"]


@pytest.mark.parametrize("path", [THE_ORDERS, f"{THE_ORDERS}?a=1"])
@pytest.mark.parametrize(
    "token",
    [a_token("kitchen"), a_token(), a_token("till", restaurant=OTHER), a_token(comanda=None)],
    ids=["another role", "no role", "another restaurant", "no grants"],
)
async def test_whoever_lacks_the_role_is_forbidden(path: str, token: str) -> None:
    response = await got(path, token)

    assert response.status_code == 403
    assert response.json()["code"] == "forbidden"


async def test_a_role_in_every_restaurant_is_one_in_each() -> None:
    assert (await got(THE_ORDERS, a_token("till", restaurant="*"))).status_code == 200


async def test_a_refusal_does_not_depend_on_what_there_is() -> None:
    token = a_token("till")

    assert (await got("/v1/restaurants/none-such/orders", token)).status_code == 403
    assert (await got("/v1/restaurants/None Such/orders", token)).status_code == 403


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/restaurants/%6ca-piazza/orders", 200),
        ("/v1/restaurants/%69l-porto/orders", 403),
        ("/v1/restaurants/il-porto/../la-piazza/orders", 404),
        ("/v1/restaurants/il-porto%2f..%2fla-piazza/orders", 400),
        ("/v1/restaurants//la-piazza/orders", 404),
        ("//v1/restaurants/la-piazza/orders", 404),
        ("/v1/restaurants/la-piazza/orders/", 404),
        ("/v1/restaurants/la-piazza%0a/orders", 403),
        ("/v1/restaurants/la-piazza/orders%0a", 200),
        ("/v1/restaurants/il-porto/orders%0a", 403),
        ("/V1/restaurants/la-piazza/orders", 404),
    ],
)
@pytest.mark.parametrize("query", [b"", b"a=1"])
async def test_however_a_path_is_written_what_it_matches_decides(
    path: str, status: int, query: bytes
) -> None:
    """What ends with a line break, the framework takes for what ends before it; so does the guard.

    It is asked without a client, which would tidy the path up.
    """
    token = a_token("till").encode()
    scope = {
        "type": "http",
        "method": "GET",
        "path": unquote(path),
        "raw_path": path.encode(),
        "query_string": query,
        "headers": [(b"authorization", b"Bearer " + token)],
    }
    statuses = []

    async def receive() -> Message:
        return {"type": "http.request", "body": b""}

    async def send(message: Message) -> None:
        statuses.append(message.get("status"))

    await service()(scope, receive, send)

    assert statuses[0] == status


async def test_an_unknown_path_and_a_wrong_method_are_the_frameworks_to_refuse() -> None:
    assert (await got("/v1/nothing")).status_code == 404
    assert (await got(THE_ORDERS, method="POST")).status_code == 405
    assert (await got(THE_ORDERS, method="OPTIONS")).status_code == 204


async def test_head_needs_what_get_needs() -> None:
    assert (await got(THE_ORDERS, method="HEAD")).status_code == 401
    assert (await got(THE_ORDERS, a_token("till"), method="HEAD")).status_code == 200


@pytest.mark.parametrize(
    "path",
    ["/public", "/health/live", "/metrics", "/openapi.json", "/docs", "/docs/assets/show.js"],
)
async def test_what_is_public_is_answered_to_all(path: str) -> None:
    assert (await got(path)).status_code == 200
    assert (await got(path, "garbage")).status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        [("Authorization", f"Bearer {a_token('till')}"), ("Authorization", "Bearer garbage")],
        [("Authorization", f"Bearer {a_token('till')}")] * 2,
        [("Authorization", f"Basic {a_token('till')}")],
        [("Authorization", "Bearer é")],
        [("Authorization", "Bearer " + "x" * 20_000)],
    ],
    ids=["two", "twice", "another scheme", "no ASCII", "long"],
)
async def test_another_header_lets_nobody_in(headers: list[tuple[str, str]]) -> None:
    encoded = [(name.encode(), value.encode("latin-1")) for name, value in headers]

    response = await got(THE_ORDERS, headers=encoded)  # type: ignore[arg-type]

    assert response.status_code == 401


async def test_without_keys_nobody_can_be_known_yet() -> None:
    source = FakeSource(ec_key())
    source.is_away = True

    response = await got(THE_ORDERS, a_token("till"), app=service(source))

    assert response.status_code == 503
    assert response.headers["Retry-After"] == "1"


async def test_a_withdrawn_token_is_refused_in_its_restaurant() -> None:
    def is_withdrawn(restaurant: str, principal: Principal) -> bool:
        return (restaurant, principal.subject) == (RESTAURANT, "luigi")

    app = service(is_withdrawn=is_withdrawn)
    token = signed(claims(comanda={RESTAURANT: ["till"], OTHER: ["till"]}))

    assert (await got(THE_ORDERS, token, app=app)).status_code == 401
    assert (await got(ORDERS.format(restaurant=OTHER), token, app=app)).status_code == 200


async def test_a_feed_behind_the_guard_ends_when_its_token_is_withdrawn() -> None:
    withdrawals, now_s, has_begun = Withdrawals(), int(time.time()), asyncio.Event()
    app = application(
        "service",
        "",
        [],
        admission=Admission(a_verifier(), withdrawals.is_withdrawn, withdrawals.lease),
    )

    async def events() -> AsyncGenerator[bytes | None]:
        has_begun.set()
        await asyncio.Event().wait()
        yield None

    @app.get("/v1/restaurants/{restaurant}/live", dependencies=[TILL])
    async def live() -> EventStream:
        return EventStream(events())

    token = signed(claims(comanda={RESTAURANT: ["till"]}, iat=now_s))
    async with asyncio.timeout(60):
        asking = asyncio.create_task(got(f"/v1/restaurants/{RESTAURANT}/live", token, app=app))
        await has_begun.wait()
        withdrawals.note(RESTAURANT, hash_of_subject("luigi"), now_s + 0.5)
        answer = await asking

    retry, _, rest = answer.text.partition("\n")
    assert retry.startswith("retry: ")
    assert rest == 'event: end\ndata: {"reason":"withdrawn"}\n\n'


async def test_a_refusal_is_counted_and_logged_without_the_token() -> None:
    app, token = service(), a_token("kitchen")

    def refused() -> float:
        name = "comanda_access_refused_total"
        return REGISTRY.get_sample_value(name, {"reason": "forbidden"}) or 0.0

    before = refused()
    with capture_logs() as lines:
        for _ in range(20):
            await got(THE_ORDERS, token, app=app)

    told = [line for line in lines if line["event"] == "access refused"]
    assert refused() - before == 20
    assert len(told) == 1
    assert (told[0]["reason"], told[0]["subject"]) == ("forbidden", "luigi")
    assert not any(part in str(lines) for part in token.split("."))


@pytest.mark.parametrize(
    ("restaurant", "noted"), [(RESTAURANT, RESTAURANT), ("-", ""), ("Ada, phone 555", "")]
)
@pytest.mark.parametrize("below", ["orders", "orders/live"])
async def test_of_an_unknown_clients_text_nothing_but_a_slug_is_noted(
    restaurant: str, noted: str, below: str
) -> None:
    app, seen = service(), RequestFacts()
    sent: list[Message] = []
    path = f"/v1/restaurants/{restaurant}/{below}"

    async def receive() -> Message:
        return {"type": "http.request"}

    async def send(message: Message) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": b"", "headers": []}
    await Guard(app, app, Admission(a_verifier()))({**scope, FACTS: seen}, receive, send)

    assert sent[0]["status"] == 401
    assert (seen.route, seen.restaurant) == (f"{ORDERS.removesuffix('orders')}{below}", noted)


def test_openapi_says_which_roles_a_route_needs() -> None:
    document = service().openapi()

    order = document["paths"]["/v1/restaurants/{restaurant}/orders/{order_id}"]["get"]
    assert order["security"] == [{"token": ["kitchen", "manager"]}]
    assert document["components"]["securitySchemes"]["token"]["scheme"] == "bearer"
    assert "security" not in document["paths"]["/public"]["get"]


async def nothing() -> None:
    """An endpoint."""


def with_route(path: str, **declared: Any) -> FastAPI:
    app = service()
    app.add_api_route(path, nothing, **declared)
    return app


def with_router(**declared: Any) -> FastAPI:
    app, router = service(), APIRouter(dependencies=[TILL])
    router.add_api_route("/v1/{restaurant}", nothing, **declared)
    app.include_router(router)
    return app


def with_plain_route() -> FastAPI:
    app = service()
    app.add_route("/plain", lambda _: Response())
    return app


def with_mount() -> FastAPI:
    app = service()
    app.router.routes.append(Mount("/files", FastAPI()))
    return app


def with_websocket() -> FastAPI:
    app = service()
    app.add_api_websocket_route("/socket", nothing)
    return app


def with_lane(declared: Any) -> FastAPI:
    app = service()
    app.add_middleware(FastLane, lanes=[Lane("GET", LANE_PATH, take, declared)])
    return app


@pytest.mark.parametrize(
    "app",
    [
        with_route("/v1/{restaurant}"),
        with_route("/v1/{restaurant}", dependencies=[Depends(nothing)]),
        with_route("/v1/{place}", dependencies=[TILL]),
        with_router(dependencies=[PUBLIC]),
        with_plain_route(),
        with_mount(),
        with_websocket(),
        with_lane(None),
        with_lane(PUBLIC),
    ],
    ids=[
        "nothing",
        "another dependency",
        "no restaurant",
        "two things",
        "no FastAPI route",
        "a mount",
        "a websocket",
        "a lane with nothing",
        "a public lane",
    ],
)
def test_a_service_with_a_gap_does_not_start(app: FastAPI) -> None:
    with pytest.raises(Undeclared):
        app.build_middleware_stack()


async def test_a_route_that_comes_later_is_reached_by_nobody() -> None:
    """Once requests are served, what the guard does not know is refused by the route itself."""
    app = service()
    await got("/public", app=app)

    app.add_api_route("/v1/{restaurant}/late", nothing, dependencies=[TILL])

    assert isinstance(app.routes[-1], APIRoute)
    with pytest.raises(Unguarded):
        await got("/v1/la-piazza/late", a_token("till"), app=app)


def test_an_endpoint_can_be_asked_through_the_guard_only() -> None:
    request = Request({"type": "http", "headers": [], "state": {}})

    with pytest.raises(Unguarded):
        principal_of(request)
