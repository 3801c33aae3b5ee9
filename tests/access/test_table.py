"""Every route, lane and command, for every role in its own and another restaurant, as written down.

The services are put together as they run; only what is behind the guard is taken away, so that
whoever is let through is seen to be, and no store is asked.
"""

import re
from collections.abc import Callable, Iterator
from functools import cache
from typing import Any
from urllib.parse import unquote

import ordering.bootstrap
import ordering.settings
import pytest
import query.bootstrap
import query.settings
import serving.bootstrap
import serving.settings
from comanda_contracts.commands import COMMAND_BODIES
from fastapi import FastAPI
from ordering.application.keyed_request import KeyedRequest
from ordering.inbound import needed
from ordering.inbound.nats.command_message import CommandMessage
from service_kit.access.admission import Admission
from service_kit.access.guests import GuestSigner, GuestVerifier
from service_kit.access.invalid_token import InvalidToken
from service_kit.access.keys import KeySet
from service_kit.access.principal import Forbidden
from service_kit.access.roles import Role
from service_kit.http.allowed_methods import AllowedMethods
from service_kit.http.edge import Edge
from service_kit.http.fast_lane import Lane
from service_kit.http.guard import Guard, guarded_routes, lanes_of
from starlette.types import Message, Receive, Scope, Send

from tests.access.forge import (
    OTHER,
    RESTAURANT,
    FakeSource,
    a_verifier,
    claims,
    ec_key,
    rsa_key,
    signed,
    signed_with_the_public_key,
    unsigned,
)
from tests.access.who_may import (
    COMMANDS,
    GUESTS_MAY,
    HERE,
    OF_ALL,
    OF_ANY,
    PUBLIC,
    WHO_MAY,
    Row,
)
from tests.support.commands import identified

NATS = "nats://nats:4222"
LET_THROUGH = 299
GIVEN = {
    "order_id": "01968f6e-3d2a-7c1b-9a4e-5f60718293a4",
    "round": "1",
    "subject": "luigi@example.com",
    "sku": "margherita",
    "business_day": "2026-11-23",
    "number": "A-017",
    "letter": "17",
    "job": "17",
    "event": "17",
}


@cache
def app_of(service: str) -> FastAPI:
    match service:
        case "ordering":
            url = "postgresql+asyncpg://postgres/comanda"
            settings = ordering.settings.Settings(nats_url=NATS, database_url=url)
            return ordering.bootstrap.bootstrap(settings)
        case "serving":
            return serving.bootstrap.bootstrap(serving.settings.Settings(nats_url=NATS))
        case _:
            url = "mongodb://mongo/comanda"
            return query.bootstrap.bootstrap(
                query.settings.Settings(nats_url=NATS, mongodb_url=url)
            )


class Service:
    """A service's guard, and behind it nothing but a note that somebody came through."""

    def __init__(self, name: str, *, has_lanes: bool = True) -> None:
        self.admission = Admission(a_verifier())
        guard = Guard(_let_through, app_of(name), self.admission)
        if not has_lanes:
            guard._lanes = ()
        self._guard = Edge(guard, AllowedMethods(app_of(name)))

    async def status(self, method: str, path: str, *headers: tuple[str, str]) -> int:
        """The path as it stands in the request line."""
        scope = {
            "type": "http",
            "method": method,
            "path": unquote(path),
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [(name.encode(), value.encode()) for name, value in headers],
        }
        statuses: list[int] = []

        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                statuses.append(message["status"])

        await self._guard(scope, receive, send)
        return statuses[0]

    async def verdict(self, method: str, path: str, token: str | None) -> int:
        headers = [("authorization", f"Bearer {token}")] if token is not None else []
        return await self.status(method, path, *headers)


async def _let_through(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": LET_THROUGH, "headers": []})


def path_of(row: Row, restaurant: str = RESTAURANT) -> str:
    return (HERE + row[2]).format(restaurant=restaurant, **GIVEN)


@cache
def token_of(*roles: str, restaurant: str = RESTAURANT) -> str:
    return signed(claims(comanda={restaurant: list(roles)}))


def operations(service: str) -> Iterator[tuple[Row, dict[str, Any]]]:
    """What the service's OpenAPI document lists."""
    for path, methods in app_of(service).openapi()["paths"].items():
        for method, operation in methods.items():
            yield (service, method.upper(), path.removeprefix(HERE)), operation


SERVICES = ["ordering", "serving", "query"]
ROWS = [pytest.param(row, id=" ".join(row)) for row in WHO_MAY]
BAD_TOKENS: dict[str, Callable[[], str | None]] = {
    "none": lambda: None,
    "garbage": lambda: "garbage",
    "empty": lambda: "",
    "expired": lambda: signed(claims(iat=1, exp=2)),
    "not yet valid": lambda: signed(claims(nbf=2**39)),
    "wrong issuer": lambda: signed(claims(iss="https://other.test")),
    "wrong audience": lambda: signed(claims(aud="other")),
    "wrong type": lambda: signed(claims(), typ="JWT"),
    "alg none": lambda: unsigned(claims()),
    "HS256 with the public key": lambda: signed_with_the_public_key(claims(), rsa_key()),
    "unknown key": lambda: signed(claims(), ec_key("unknown")),
    "forged": lambda: signed(claims(), ec_key("unknown"), kid="ec-1"),
}


@cache
def bad_token(kind: str) -> str | None:
    return BAD_TOKENS[kind]()


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_has_its_row_and_says_what_stands_there(service: str) -> None:
    documented = {
        row: {role for each in operation.get("security", []) for role in each["token"]}
        for row, operation in operations(service)
    }

    written_down = WHO_MAY | OF_ANY | OF_ALL
    assert documented == {row: roles for row, roles in written_down.items() if row[0] == service}


@pytest.mark.parametrize("service", SERVICES)
def test_every_route_says_how_it_refuses(service: str) -> None:
    for row, operation in operations(service):
        assert {"401", "403", "429"} <= operation["responses"].keys(), row


@pytest.mark.parametrize("service", SERVICES)
def test_what_is_public_is_what_is_known_to_be(service: str) -> None:
    documented = set(app_of(service).openapi()["paths"])
    routes = {route.path.pattern for route in guarded_routes(app_of(service))}
    others = {pattern for pattern in routes if "(?P<restaurant>" not in pattern}
    of_any = {path for of, _, path in OF_ANY | OF_ALL if of == service}

    known = PUBLIC | of_any
    assert others == {_pattern_of(path) for path in known}
    assert not documented & PUBLIC


def _pattern_of(path: str) -> str:
    escaped = path.replace(".", r"\.").replace("-", r"\-")
    matched = re.sub("{(.+?)}", r"(?P<\1>[^/]+)", escaped)
    return f"^{matched}$"


@pytest.mark.parametrize("service", SERVICES)
def test_every_lane_is_ahead_of_a_row_and_needs_the_same(service: str) -> None:
    for lane in lanes_of(app_of(service)):
        (row,) = rows_of(service, lane)
        assert lane.needs is not None
        assert lane.needs.dependency.roles == WHO_MAY[row], row  # type: ignore[union-attr]


def rows_of(service: str, lane: Lane) -> list[Row]:
    return [
        row
        for row in WHO_MAY
        if row[:2] == (service, lane.method) and lane.path.fullmatch(path_of(row))
    ]


def test_there_are_lanes_to_look_at() -> None:
    lanes = {service: len(lanes_of(app_of(service))) for service in SERVICES}

    assert lanes == {"ordering": 1, "serving": 0, "query": 4}


@pytest.mark.parametrize("has_lanes", [True, False], ids=["lanes", "framework"])
@pytest.mark.parametrize("row", ROWS)
async def test_each_role_may_what_stands_in_its_cell(row: Row, has_lanes: bool) -> None:
    service = Service(row[0], has_lanes=has_lanes)

    for role in Role:
        expected = LET_THROUGH if role in WHO_MAY[row] else 403
        for token in (token_of(role), token_of(role, restaurant="*")):
            for _ in ("cold", "warm"):
                assert await service.verdict(row[1], path_of(row), token) == expected, role
        for _ in ("cold", "warm"):
            token = token_of(role, restaurant=OTHER)
            assert await service.verdict(row[1], path_of(row), token) == 403, role
    for token in (token_of(), token_of("act-as"), signed(claims(comanda=None))):
        assert await service.verdict(row[1], path_of(row), token) == 403


@pytest.mark.parametrize("row", [pytest.param(row, id=" ".join(row)) for row in OF_ANY])
async def test_who_holds_a_role_in_any_restaurant_is_answered_for_those(row: Row) -> None:
    service, (_, method, path) = Service(row[0]), row

    for role in Role:
        expected = LET_THROUGH if role in OF_ANY[row] else 403
        for restaurant in (RESTAURANT, OTHER, "*"):
            for _ in ("cold", "warm"):
                token = token_of(role, restaurant=restaurant)
                assert await service.verdict(method, path, token) == expected, role
    for token in (token_of(), token_of("act-as"), signed(claims(comanda=None))):
        assert await service.verdict(method, path, token) == 403
    for kind, bad in BAD_TOKENS.items():
        assert await service.verdict(method, path, bad()) == 401, kind
    assert await service.verdict("HEAD", path, None) == 401


@pytest.mark.parametrize("row", [pytest.param(row, id=" ".join(row)) for row in OF_ALL])
async def test_what_is_about_all_restaurants_needs_the_role_in_every_one(row: Row) -> None:
    service, (_, method, path) = Service(row[0]), row
    path = path.format(**GIVEN)

    for role in Role:
        expected = LET_THROUGH if role in OF_ALL[row] else 403
        for _ in ("cold", "warm"):
            assert await service.verdict(method, path, token_of(role, restaurant="*")) == expected
            assert await service.verdict(method, path, token_of(role)) == 403, role
    for token in (token_of(), token_of("act-as"), signed(claims(comanda=None))):
        assert await service.verdict(method, path, token) == 403
    for kind, bad in BAD_TOKENS.items():
        assert await service.verdict(method, path, bad()) == 401, kind


@pytest.mark.parametrize("row", [pytest.param(row, id=" ".join(row)) for row in OF_ANY])
async def test_whose_token_is_withdrawn_everywhere_is_answered_for_no_restaurant(row: Row) -> None:
    service, (_, method, path) = Service(row[0]), row
    token = token_of(*OF_ANY[row])

    service.admission._is_withdrawn = lambda restaurant, _: restaurant == RESTAURANT
    assert await service.verdict(method, path, token) == 403
    service.admission._is_withdrawn = lambda *_: True
    assert await service.verdict(method, path, token) == 401


@pytest.mark.parametrize("has_lanes", [True, False], ids=["lanes", "framework"])
@pytest.mark.parametrize("row", ROWS)
async def test_nobody_may_anything_with_a_bad_token(row: Row, has_lanes: bool) -> None:
    service = Service(row[0], has_lanes=has_lanes)

    for kind in BAD_TOKENS:
        for _ in ("cold", "warm"):
            assert await service.verdict(row[1], path_of(row), bad_token(kind)) == 401, kind


@pytest.mark.parametrize("row", ROWS)
async def test_a_guest_may_what_stands_among_the_guests_and_nothing_else(row: Row) -> None:
    service = Service(row[0])
    service.admission._guests = GuestVerifier(KeySet(FakeSource(ec_key("guests"))))
    guest = GuestSigner(ec_key("guests")).token(RESTAURANT, GIVEN["order_id"])

    for _ in ("cold", "warm"):
        verdict = await service.verdict(row[1], path_of(row), guest)
        assert verdict == (LET_THROUGH if row in GUESTS_MAY else 401)


@pytest.mark.parametrize("row", ROWS)
async def test_a_withdrawn_token_is_a_bad_one(row: Row) -> None:
    service = Service(row[0])
    service.admission._is_withdrawn = lambda restaurant, who: (
        (restaurant, who.subject)
        == (
            RESTAURANT,
            "luigi",
        )
    )
    token = signed(claims(comanda={"*": [role.value for role in Role]}))

    assert await service.verdict(row[1], path_of(row), token) == 401
    assert await service.verdict(row[1], path_of(row, OTHER), token) == LET_THROUGH


WRITTEN_OTHERWISE: dict[str, Callable[[str], str]] = {
    "an escaped slug": lambda path: path.replace("la-piazza", "%6ca-%70iazza"),
    "an escaped word": lambda path: path.replace("restaurants", "%72estaurants"),
    "escaped twice": lambda path: path.replace("la-piazza", "%256ca-piazza"),
    "in capitals": lambda path: path.replace("la-piazza", "La-Piazza"),
    "a dot": lambda path: path.replace("/la-piazza", "/./la-piazza"),
    "dots": lambda path: path.replace("/la-piazza", f"/{OTHER}/../la-piazza"),
    "escaped dots": lambda path: path.replace("/la-piazza", f"/{OTHER}/%2e%2e/la-piazza"),
    "doubled slashes": lambda path: path.replace("/la-piazza", "//la-piazza"),
    "a slash before": lambda path: f"/{path}",
    "a slash behind": lambda path: f"{path}/",
    "an escaped slash": lambda path: path.replace("/la-piazza", f"/{OTHER}%2f..%2fla-piazza"),
    "a line break behind": lambda path: f"{path}%0a",
    "a line break behind the slug": lambda path: path.replace("la-piazza", "la-piazza%0a"),
    "a parameter": lambda path: path.replace("la-piazza", f"la-piazza;{OTHER}"),
    "a full-width slug": lambda path: path.replace("la-piazza", "%EF%BD%8Ca-piazza"),
    "a null": lambda path: path.replace("la-piazza", "la-piazza%00"),
}


@pytest.mark.parametrize("written", WRITTEN_OTHERWISE)
@pytest.mark.parametrize("service", SERVICES)
async def test_however_a_path_is_written_lane_and_framework_judge_alike(
    service: str, written: str
) -> None:
    by_lanes, by_framework = Service(service), Service(service, has_lanes=False)
    tokens = {
        "own": token_of(*Role),
        "another's": token_of(*Role, restaurant=OTHER),
        "none": None,
    }

    for row in WHO_MAY:
        if row[0] != service:
            continue
        path = WRITTEN_OTHERWISE[written](path_of(row))
        for whose, token in tokens.items():
            verdict = await by_lanes.verdict(row[1], path, token)
            assert verdict == await by_framework.verdict(row[1], path, token), (row, whose)


@pytest.mark.parametrize("service", SERVICES)
async def test_a_slug_that_is_escaped_is_the_slug(service: str) -> None:
    for row in WHO_MAY:
        path = path_of(row).replace("la-piazza", "%6ca-piazza")
        own = await Service(row[0]).verdict(row[1], path, token_of(*Role))
        others = await Service(row[0]).verdict(row[1], path, token_of(*Role, restaurant=OTHER))

        assert (own, others) == (LET_THROUGH, 403)


async def test_head_is_judged_as_get() -> None:
    for row in WHO_MAY:
        if row[1] == "GET":
            service = Service(row[0])
            assert await service.verdict("HEAD", path_of(row), None) == 401
            assert await service.verdict("HEAD", path_of(row), token_of(*Role)) == LET_THROUGH


def a_command(name: str, token: str | None, **more: Any) -> CommandMessage:
    return CommandMessage(
        RESTAURANT,
        name,
        {},
        actor=more.get("actor"),
        reply_to=None,
        request=KeyedRequest(RESTAURANT, "request 1", "fingerprint"),
        authorization=None if token is None else f"Bearer {token}",
        stored_at_s=more.get("stored_at_s", claims()["iat"]),
    )


def test_every_command_has_its_row() -> None:
    assert COMMANDS.keys() == COMMAND_BODIES.keys() == needed.COMMANDS.keys()


@pytest.mark.parametrize("name", COMMANDS)
async def test_each_role_may_send_the_commands_in_its_cell(name: str) -> None:
    admission = Admission(a_verifier())

    for role in Role:
        for restaurant in (RESTAURANT, "*", OTHER):
            command = a_command(name, token_of(role, restaurant=restaurant))
            may = role in COMMANDS[name] and restaurant != OTHER
            assert await _is_accepted(command, admission) is may, (role, restaurant)


async def _is_accepted(command: CommandMessage, admission: Admission) -> bool:
    try:
        return (await identified(command, admission)).actor == "luigi"
    except Forbidden:
        return False


@pytest.mark.parametrize("kind", BAD_TOKENS)
@pytest.mark.parametrize("name", COMMANDS)
async def test_no_command_is_carried_out_with_a_bad_token(name: str, kind: str) -> None:
    with pytest.raises(InvalidToken):
        await identified(a_command(name, bad_token(kind)), Admission(a_verifier()))


async def test_a_command_is_judged_by_when_it_was_stored() -> None:
    token = signed(claims(iat=1_000, exp=2_000))
    admission = Admission(a_verifier())

    assert await identified(a_command("place-order", token, stored_at_s=1_500), admission)
    with pytest.raises(InvalidToken):
        await identified(a_command("place-order", token, stored_at_s=2_060), admission)


async def test_another_actor_is_named_with_the_grant_alone() -> None:
    admission = Admission(a_verifier())

    acting = await identified(
        a_command("place-order", token_of("till", "act-as"), actor="Gina"), admission
    )

    assert acting.actor == "Gina"
    with pytest.raises(Forbidden):
        await identified(a_command("place-order", token_of("till"), actor="Gina"), admission)


async def test_a_commands_key_is_its_senders_own() -> None:
    admission = Admission(a_verifier())
    mario = signed(claims(sub="mario", comanda={RESTAURANT: ["till"]}))

    keys = {
        (await identified(a_command("place-order", token), admission)).request.key  # type: ignore[union-attr]
        for token in (token_of("till"), token_of("manager"), mario)
    }

    assert len(keys) == 2
