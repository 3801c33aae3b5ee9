"""Ordering over HTTP, on a real PostgreSQL: what is answered, above all to bad input."""

import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from joserfc.jwk import ECKey
from ordering.domain.order import KitchenVerdict
from ordering.inbound import bodies
from ordering.inbound.http.menu import menu_routes
from ordering.inbound.http.order_placement import placement_endpoint, placement_lane
from ordering.inbound.http.order_reading import order_reading_routes
from ordering.inbound.http.orders import order_routes
from ordering.outbound.transaction.group_commit import GroupCommit
from ordering.outbound.transaction.menus import PostgresMenus
from ordering.outbound.transaction.orders import PostgresOrders
from ordering.outbound.transaction.restaurants import PostgresRestaurants
from service_kit.access.guests import GUEST_TOKEN_HEADER, GuestSigner, GuestVerifier
from service_kit.access.keys import KeySet
from service_kit.http.fast_lane import FastLane
from service_kit.http.server import application
from sqlalchemy.ext.asyncio import AsyncEngine

from tests.access.forge import FakeClock, FakeSource
from tests.ordering.builders import NOON, an_item
from tests.ordering.conftest import Database
from tests.ordering.use_cases import offering, open_la_piazza, taking_verdict, withdrawing
from tests.support.admission import own_admission
from tests.support.tokens import bearer

HERE = "/v1/restaurants/la-piazza"
UNKNOWN_LINE = {"sku": "unheard-of", "quantity": 1}
A_LINE = {"sku": "margherita", "quantity": 1}
DINE_IN = {"channel": "dine_in", "table": "12", "guests": 2, "lines": [A_LINE]}
TAKEAWAY = {"channel": "takeaway", "customer": "Ada", "lines": [A_LINE]}


def ordering(
    store: GroupCommit,
    engine: AsyncEngine,
    *,
    has_lane: bool,
    guests: GuestSigner | None = None,
) -> httpx.AsyncClient:
    """A client of ordering's HTTP side, with its lane for orders, or without."""
    app = application("ordering", "", [], admission=own_admission())
    place = placement_endpoint(store, clock=lambda: NOON, new_id=uuid.uuid4, guests=guests)
    app.include_router(
        menu_routes(store, PostgresRestaurants(engine), PostgresMenus(engine), lambda: NOON)
    )
    app.include_router(order_routes(store, place, clock=lambda: NOON))
    app.include_router(order_reading_routes(PostgresOrders(engine)))
    if has_lane:
        app.add_middleware(FastLane, lanes=[placement_lane(place)])
    return httpx.AsyncClient(
        transport=httpx.ASGITransport(app), base_url="http://ordering", headers=bearer()
    )


@pytest.fixture
async def http(database: Database) -> AsyncIterator[httpx.AsyncClient]:
    store = database.replica()
    await open_la_piazza(store)
    async with ordering(store, database.engine, has_lane=True) as client:
        yield client


@pytest.fixture
async def framework(
    database: Database, http: httpx.AsyncClient
) -> AsyncIterator[httpx.AsyncClient]:
    """The same without a lane ahead of the framework."""
    async with ordering(database.replica(), database.engine, has_lane=False) as client:
        yield client


def fields(answer: httpx.Response) -> list[str]:
    """The fields that a problem names, once it is seen to be one."""
    assert answer.headers["content-type"] == "application/problem+json"
    problem = answer.json()
    assert problem["status"] == answer.status_code
    assert problem["code"]
    assert problem["detail"]
    return [error["field"] for error in problem["errors"]]


async def test_a_placed_order_is_answered_whole_with_its_place_and_version(
    http: httpx.AsyncClient,
) -> None:
    answer = await http.post(f"{HERE}/orders", json=DINE_IN, headers={"Comanda-Actor": "Luigi"})

    order = answer.json()
    assert answer.status_code == 201
    assert answer.headers["Location"] == f"{HERE}/orders/{order['order_id']}"
    assert answer.headers["ETag"] == '"1"'
    assert (order["number"], order["total"], order["status"]) == ("A-001", 850, "open")
    assert (order["table"], order["guests"], order["customer"]) == ("12", 2, None)
    assert order["rounds"][0]["lines"][0]["name"] == "Margherita"


async def test_an_order_is_where_its_answer_says_as_it_was_answered(
    http: httpx.AsyncClient,
) -> None:
    placed = await http.post(f"{HERE}/orders", json=DINE_IN)
    where = placed.headers["Location"]
    then = await http.get(where)
    added = await http.post(f"{where}/rounds", json={"lines": [A_LINE]})
    now = await http.get(where)

    assert (then.status_code, then.json()) == (200, placed.json())
    assert then.headers["ETag"] == placed.headers["ETag"] == '"1"'
    assert now.json() == added.json()
    assert now.headers["ETag"] == '"2"'


async def test_an_order_of_another_restaurant_is_unknown(http: httpx.AsyncClient) -> None:
    placed = (await http.post(f"{HERE}/orders", json=DINE_IN)).json()

    for path in (
        f"/v1/restaurants/il-porto/orders/{placed['order_id']}",
        f"{HERE}/orders/{uuid.uuid4()}",
    ):
        answer = await http.get(path)
        assert fields(answer) == ["order_id"]
        assert (answer.status_code, answer.json()["code"]) == (404, "unknown-order")


async def test_a_round_is_added_and_the_order_closed_once_served(
    http: httpx.AsyncClient, database: Database
) -> None:
    order = (await http.post(f"{HERE}/orders", json=DINE_IN)).json()
    path = f"{HERE}/orders/{order['order_id']}"

    added = await http.post(f"{path}/rounds", json={"lines": [A_LINE]}, headers={"If-Match": '"1"'})
    stale = await http.post(f"{path}/rounds", json={"lines": [A_LINE]}, headers={"If-Match": '"1"'})
    early = await http.post(f"{path}/close")
    for each in (1, 2):
        await database.replica().run(taking_verdict(uuid.UUID(order["order_id"]), each))
    closed = await http.post(f"{path}/close")
    late = await http.post(f"{path}/rounds", json={"lines": [A_LINE]})

    assert (added.status_code, added.headers["ETag"], added.json()["total"]) == (201, '"2"', 1700)
    assert (stale.status_code, fields(stale)) == (412, ["If-Match"])
    assert (early.status_code, early.json()["code"]) == (409, "still-in-the-kitchen")
    assert (closed.status_code, closed.json()["status"]) == (200, "closed")
    assert (late.status_code, late.json()["code"]) == (409, "order-not-open")


def line(**changes: Any) -> dict[str, Any]:
    return TAKEAWAY | {"lines": [A_LINE | changes]}


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        pytest.param(line(sku="sushi"), 422, "lines.0.sku", id="unknown sku"),
        pytest.param(line(sku="lasagne"), 422, "lines.0.sku", id="withdrawn item"),
        pytest.param(line(sku="a b"), 422, "lines.0.sku", id="a sku that can't be one"),
        pytest.param(line(quantity=0), 422, "lines.0.quantity", id="quantity zero"),
        pytest.param(line(quantity=10**6), 422, "lines.0.quantity", id="huge quantity"),
        pytest.param(line(quantity=10**30), 422, "lines.0.quantity", id="absurd quantity"),
        pytest.param(line(quantity="2"), 422, "lines.0.quantity", id="quantity as text"),
        pytest.param(line(quantity=1.5), 422, "lines.0.quantity", id="half a pizza"),
        pytest.param(line(quantity=True), 422, "lines.0.quantity", id="quantity true"),
        pytest.param(line(price=1), 422, "lines.0.price", id="a price of one's own"),
        pytest.param(line(note="a\x00b"), 422, "lines.0.note", id="a NUL character"),
        pytest.param(TAKEAWAY | {"lines": []}, 422, "lines", id="empty order"),
        pytest.param(TAKEAWAY | {"lines": [A_LINE] * 201}, 422, "lines", id="201 lines"),
        pytest.param(TAKEAWAY | {"lines": "x"}, 422, "lines", id="lines of a wrong type"),
        pytest.param(TAKEAWAY | {"lines": None}, 422, "lines", id="no lines"),
        pytest.param(TAKEAWAY | {"table": "3"}, 422, "table", id="table on a takeaway"),
        pytest.param(TAKEAWAY | {"customer": " "}, 422, "customer", id="blank customer"),
        pytest.param(TAKEAWAY | {"phone": "call me"}, 422, "phone", id="phone without digits"),
        pytest.param(DINE_IN | {"guests": 0}, 422, "guests", id="no guests"),
        pytest.param({"channel": "takeaway", "lines": [A_LINE]}, 422, "customer", id="no customer"),
        pytest.param(TAKEAWAY | {"channel": "drone"}, 422, "channel", id="unknown channel"),
        pytest.param({}, 422, "channel", id="empty object"),
        pytest.param([], 422, "body", id="a list"),
        pytest.param("order", 422, "body", id="a string"),
    ],
)
async def test_a_bad_order_is_refused_with_the_field_at_fault(
    http: httpx.AsyncClient, database: Database, body: object, status: int, field: str
) -> None:
    await database.replica().run(offering(an_item("lasagne")))
    await database.replica().run(withdrawing("lasagne"))

    answer = await http.post(f"{HERE}/orders", json=body)

    assert (answer.status_code, fields(answer)) == (status, [field])
    assert await database.rows("SELECT count(*) FROM orders") == [(0,)]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "field"),
    [
        ("POST", "/v1/restaurants/nowhere/orders", TAKEAWAY, 404, "restaurant"),
        ("POST", "/v1/restaurants/No%20Where/orders", TAKEAWAY, 422, "restaurant"),
        ("POST", f"{HERE}/orders/{uuid.UUID(int=0)}/close", None, 404, "order_id"),
        ("POST", f"{HERE}/orders/{uuid.UUID(int=0)}/rounds", {"lines": [A_LINE]}, 404, "order_id"),
        ("POST", f"{HERE}/orders/17/close", None, 422, "order_id"),
        ("PUT", f"{HERE}/menu/tiramisu", {"name": "T", "category": "D"}, 422, "price"),
        ("PUT", f"{HERE}/menu/t", {"name": "T", "category": "D", "price": -1}, 422, "price"),
        ("PUT", "/v1/restaurants/nowhere/menu/t", None, 422, "body"),
        ("DELETE", f"{HERE}/menu/sushi", None, 404, "sku"),
        ("DELETE", f"{HERE}/menu/cola?reason=%00", None, 422, "reason"),
        ("POST", f"{HERE}/menu/sushi/available", None, 404, "sku"),
        ("POST", f"{HERE}/menu/sushi/unavailable", None, 404, "sku"),
        ("POST", f"{HERE}/menu/cola/unavailable", {"reason": ""}, 422, "reason"),
        ("POST", f"{HERE}/menu/cola/unavailable", {"why": "so"}, 422, "why"),
        (
            "PUT",
            "/v1/restaurants/da-mario",
            {"name": "Da Mario", "currency": "EUR", "time_zone": "Mars/Olympus"},
            422,
            "time_zone",
        ),
        *(
            (
                "PUT",
                "/v1/restaurants/da-mario",
                {"name": "Da Mario", "currency": "EUR", "time_zone": "Europe/Rome"} | change,
                422,
                *change,
            )
            for change in (
                *({"time_zone": zone} for zone in ("Europe/Nowhere", "localtime", "Factory", "")),
                *({"currency": code} for code in ("XXQ", "XXX", "XTS", "XAU", "eur", "")),
            )
        ),
        (
            "PUT",
            HERE,
            {"name": "La Piazza", "currency": "USD", "time_zone": "Europe/Rome"},
            409,
            "currency",
        ),
    ],
)
async def test_a_bad_request_is_refused_with_the_field_at_fault(
    http: httpx.AsyncClient, method: str, path: str, body: object, status: int, field: str
) -> None:
    answer = await http.request(method, path, json=body)

    assert (answer.status_code, fields(answer)) == (status, [field])


A_VENUE = {"name": "La Piazza", "currency": "EUR", "time_zone": "Europe/Rome"}


async def test_a_restaurant_may_keep_what_has_left_the_lists_of_currencies_and_zones(
    http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bodies, "CURRENCIES", frozenset({"USD"}))
    monkeypatch.setattr(bodies, "NO_PLACES", frozenset({"Europe/Rome"}))
    bodies.time_zones.cache_clear()

    kept = await http.put(HERE, json=A_VENUE | {"name": "Bella", "day_begins": "05:00"})
    opened = await http.put("/v1/restaurants/da-mario", json=A_VENUE)
    monkeypatch.undo()
    bodies.time_zones.cache_clear()

    assert (kept.status_code, kept.json()["name"]) == (200, "Bella")
    assert (opened.status_code, opened.json()["code"]) == (422, "invalid-request")
    assert sorted(fields(opened)) == ["currency", "time_zone"]


async def test_the_hour_of_the_day_is_midnight_unless_it_is_set(http: httpx.AsyncClient) -> None:
    opened = await http.put("/v1/restaurants/bar", json=A_VENUE)
    night = await http.put("/v1/restaurants/bar", json=A_VENUE | {"day_begins": "05:30"})
    again = await http.put("/v1/restaurants/bar", json=A_VENUE | {"day_begins": "05:30"})

    told = [(each.json()["day_begins"], each.json()["version"]) for each in (opened, night, again)]
    assert told == [("00:00", 1), ("05:30", 2), ("05:30", 2)]


async def test_a_restaurant_is_shown_as_it_was_answered_when_it_was_set(
    http: httpx.AsyncClient,
) -> None:
    put = await http.put("/v1/restaurants/bar", json=A_VENUE | {"day_begins": "05:30"})
    shown = await http.get("/v1/restaurants/bar")
    unknown = await http.get("/v1/restaurants/nowhere")

    assert (shown.json(), shown.headers["etag"]) == (put.json(), put.headers["etag"])
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown-restaurant")


@pytest.mark.parametrize(
    "hour",
    [
        "24:00",
        "4:00",
        "04:60",
        "04:00:00",
        "04:00\n",
        "\u0660\u0664:00",
        "04:00+02:00",
        "",
        None,
        4,
    ],
)
async def test_an_hour_is_a_local_hour_and_a_minute(http: httpx.AsyncClient, hour: object) -> None:
    answer = await http.put(HERE, json=A_VENUE | {"day_begins": hour})

    assert (answer.status_code, fields(answer)) == (422, ["day_begins"])


@pytest.mark.parametrize(
    ("content", "status", "code"),
    [
        pytest.param(b'{"channel": "takeaw', 400, "malformed-json", id="cut off"),
        pytest.param(b"\xff\xfe", 400, None, id="not UTF-8"),
        pytest.param(b"[" * 100_000, 400, None, id="nested without end"),
        pytest.param(b"9" * 10_000, 400, None, id="a number without end"),
        pytest.param(b" " * 10_000_000, 413, "content-too-large", id="10 MB"),
    ],
)
async def test_a_body_that_is_no_order_at_all_is_refused(
    http: httpx.AsyncClient, content: bytes, status: int, code: str | None
) -> None:
    headers = {"content-type": "application/json"}

    answer = await http.post(f"{HERE}/orders", content=content, headers=headers)

    assert (answer.status_code, fields(answer)) == (status, [])
    assert code in (None, answer.json()["code"])


async def test_a_long_body_of_undeclared_length_is_refused(http: httpx.AsyncClient) -> None:
    async def endless() -> AsyncIterator[bytes]:
        for _ in range(100):
            yield b" " * 100_000

    answer = await http.post(f"{HERE}/orders", content=endless())

    assert answer.status_code == 413
    assert fields(answer) == []


async def test_several_lines_of_a_condition_are_one_list(http: httpx.AsyncClient) -> None:
    lines = [("If-Match", '"7"'), ("If-Match", '"1"')]

    assert (await http.post(f"{HERE}/menu/cola/unavailable", headers=lines)).status_code == 200


async def test_a_repeated_request_gets_the_first_answer_again(http: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "till-1/17"}

    first = await http.post(f"{HERE}/orders", json=DINE_IN, headers=key)
    again = await http.post(f"{HERE}/orders", json=DINE_IN, headers=key)
    other = await http.post(f"{HERE}/orders", json=TAKEAWAY, headers=key)

    assert (first.status_code, again.status_code) == (201, 201)
    assert again.content == first.content
    assert again.headers["Location"] == first.headers["Location"]
    assert again.headers["ETag"] == first.headers["ETag"]
    assert "Idempotent-Replayed" not in first.headers
    assert again.headers["Idempotent-Replayed"] == "true"
    assert (other.status_code, fields(other)) == (422, ["Idempotency-Key"])


async def test_a_cancellation_is_accepted_and_locks_the_order(http: httpx.AsyncClient) -> None:
    order = (await http.post(f"{HERE}/orders", json=DINE_IN)).json()
    path = f"{HERE}/orders/{order['order_id']}"

    unknown = await http.post(f"{path}/cancel", json={"reason": "no", "rounds": [2]})
    silent = await http.post(f"{path}/cancel", json={})
    accepted = await http.post(f"{path}/cancel", json={"reason": "the guests left"})
    late = await http.post(f"{path}/rounds", json={"lines": [A_LINE]})

    assert (unknown.status_code, fields(unknown)) == (422, ["rounds"])
    assert (silent.status_code, fields(silent)) == (422, ["reason"])
    assert (accepted.status_code, accepted.json()["status"]) == (202, "cancelling")
    assert accepted.json()["cancellation"]["reason"] == "the guests left"
    assert (late.status_code, late.json()["code"]) == (409, "order-not-open")


async def test_the_menu_is_set_listed_and_withdrawn(http: httpx.AsyncClient) -> None:
    tiramisu = {"name": "Tiramisù", "category": "Dolci", "price": 600, "available": False}

    created = await http.put(f"{HERE}/menu/tiramisu", json=tiramisu)
    again = await http.put(f"{HERE}/menu/tiramisu", json=tiramisu)
    withdrawn = await http.delete(f"{HERE}/menu/cola")
    menu = (await http.get(f"{HERE}/menu")).json()

    assert [each.headers["ETag"] for each in (created, again, withdrawn)] == ['"1"', '"1"', '"2"']
    assert [item["sku"] for item in menu["items"]] == ["tiramisu", "margherita"]
    unavailable = TAKEAWAY | {"lines": [{"sku": "tiramisu", "quantity": 1}]}
    refused = await http.post(f"{HERE}/orders", json=unavailable)
    assert (refused.status_code, fields(refused)) == (422, ["lines.0.sku"])


async def test_an_item_runs_out_and_comes_back(http: httpx.AsyncClient) -> None:
    cola = f"{HERE}/menu/cola"
    order = TAKEAWAY | {"lines": [{"sku": "cola", "quantity": 1}]}

    out = await http.post(f"{cola}/unavailable", json={"reason": "sold out"})
    refused = await http.post(f"{HERE}/orders", json=order)
    again = await http.post(f"{cola}/unavailable")
    back = await http.post(f"{cola}/available")
    taken = await http.post(f"{HERE}/orders", json=order)

    assert [each.headers["ETag"] for each in (out, again, back)] == ['"2"', '"2"', '"3"']
    assert [each.json()["available"] for each in (out, again, back)] == [False, False, True]
    assert (refused.status_code, fields(refused)) == (422, ["lines.0.sku"])
    assert taken.status_code == 201


async def test_what_is_withdrawn_can_not_be_made_available(http: httpx.AsyncClient) -> None:
    await http.delete(f"{HERE}/menu/cola")

    answer = await http.post(f"{HERE}/menu/cola/available")

    assert (answer.status_code, fields(answer)) == (409, ["sku"])


@pytest.mark.parametrize(
    ("method", "path", "body"),
    [
        ("PUT", "", {"name": "Bella", "currency": "EUR", "time_zone": "Europe/Rome"}),
        ("PUT", "/menu/cola", {"name": "Cola", "category": "Drinks", "price": 400}),
        ("POST", "/menu/cola/unavailable", None),
        ("DELETE", "/menu/cola", None),
    ],
)
async def test_a_change_of_the_menu_may_be_meant_for_one_version(
    http: httpx.AsyncClient, method: str, path: str, body: object
) -> None:
    stale = await http.request(method, HERE + path, json=body, headers={"If-Match": '"7"'})
    right = await http.request(method, HERE + path, json=body, headers={"If-Match": '"1"'})

    assert (stale.status_code, fields(stale)) == (412, ["If-Match"])
    assert (right.status_code, right.headers["ETag"]) == (200, '"2"')


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ("*", 200),
        ('"7", "1"', 200),
        ('"2","3"', 412),
        ('W/"1"', 412),
        ('W/"1", "1"', 200),
        ('"cd5f0b1a9e", "1"', 200),
        ('"cd5f0b1a9e"', 412),
        ("1", 412),
        ("W/1", 412),
        ("", 412),
    ],
)
async def test_a_change_may_be_meant_for_any_version_or_for_several(
    http: httpx.AsyncClient, if_match: str, status: int
) -> None:
    answer = await http.post(f"{HERE}/menu/cola/unavailable", headers={"If-Match": if_match})

    assert answer.status_code == status


@pytest.mark.parametrize(
    ("path", "body"),
    [
        (f"{HERE}/menu/t", {"name": "Tè", "category": "Drinks", "price": 200}),
        (
            "/v1/restaurants/bar",
            {"name": "Bar", "currency": "EUR", "time_zone": "Europe/Rome"},
        ),
    ],
)
async def test_whatever_version_there_is_is_none_of_what_does_not_exist(
    http: httpx.AsyncClient, path: str, body: object
) -> None:
    answer = await http.put(path, json=body, headers={"If-Match": "*"})

    assert (answer.status_code, fields(answer)) == (412, ["If-Match"])


@pytest.mark.parametrize(
    ("sent", "told"),
    [("Zoé".encode(), "Zoé"), ("Łuc 李".encode(), "Łuc 李"), ("Groé".encode("latin-1"), "Groé")],
)
async def test_an_actor_may_have_any_letters(
    http: httpx.AsyncClient,
    framework: httpx.AsyncClient,
    database: Database,
    sent: bytes,
    told: str,
) -> None:
    for client in (http, framework):
        answer = await client.post(
            f"{HERE}/orders", json=TAKEAWAY, headers=[(b"Comanda-Actor", sent)]
        )
        assert answer.status_code == 201

    actors = "SELECT convert_from(body, 'UTF8')::json->>'actor' FROM outbox"
    assert await database.rows(f"{actors} WHERE subject LIKE '%.placed'") == [(told,), (told,)]


async def test_an_item_that_is_not_there_yet_is_at_no_version(http: httpx.AsyncClient) -> None:
    tiramisu = {"name": "Tiramisù", "category": "Dolci", "price": 600}

    answer = await http.put(f"{HERE}/menu/t", json=tiramisu, headers={"If-Match": '"1"'})

    assert (answer.status_code, fields(answer)) == (412, ["If-Match"])


async def test_a_placed_order_is_answered_with_its_guests_capability_anew_when_repeated(
    database: Database, http: httpx.AsyncClient
) -> None:
    key = ECKey.generate_key("P-256", {"kid": "guests"})
    clock = FakeClock(1_800_000_000)
    guests, verifier = GuestSigner(key, clock), GuestVerifier(KeySet(FakeSource(key)), clock)
    sent: dict[str, Any] = {"json": DINE_IN, "headers": {"Idempotency-Key": "till-1/19"}}

    async with ordering(
        database.replica(), database.engine, has_lane=True, guests=guests
    ) as placing:
        first = await placing.post(f"{HERE}/orders", **sent)
        clock.now_s += 3600
        again = await placing.post(f"{HERE}/orders", **sent)
        refused = await placing.post(f"{HERE}/orders", json=DINE_IN | {"lines": [UNKNOWN_LINE]})
    without = await http.post(f"{HERE}/orders", json=DINE_IN)

    tokens = [each.headers[GUEST_TOKEN_HEADER] for each in (first, again)]
    earlier, later = [await verifier.verify(each) for each in tokens]
    assert first.json() == again.json()
    assert earlier.own_order == ("la-piazza", first.json()["order_id"])
    assert later.own_order == earlier.own_order
    assert later.expires_at == earlier.expires_at + 3600
    kept = str(await database.rows("SELECT answers::text FROM answers"))
    assert first.json()["order_id"] in kept
    assert not any(each in kept for each in tokens)
    for each in (refused, without):
        assert GUEST_TOKEN_HEADER not in each.headers


async def test_a_repeated_change_of_the_menu_has_one_effect(http: httpx.AsyncClient) -> None:
    key = {"Idempotency-Key": "till-1/18"}

    first = await http.post(f"{HERE}/menu/cola/unavailable", headers=key)
    await http.post(f"{HERE}/menu/cola/available")
    again = await http.post(f"{HERE}/menu/cola/unavailable", headers=key)
    other = await http.post(f"{HERE}/menu/cola/available", headers=key)
    menu = (await http.get(f"{HERE}/menu")).json()["items"]

    assert (again.content, again.headers["ETag"]) == (first.content, '"2"')
    assert (other.status_code, fields(other)) == (422, ["Idempotency-Key"])
    assert [item["available"] for item in menu if item["sku"] == "cola"] == [True]


async def test_who_did_it_and_why_travels_with_every_event(
    http: httpx.AsyncClient, database: Database
) -> None:
    http.headers["Comanda-Actor"] = "Gina"
    place = {"name": "Bella", "currency": "EUR", "time_zone": "Europe/Rome"}
    tiramisu = {"name": "Tiramisù", "category": "Dolci", "price": 600}
    sold_out = {"reason": "sold out"}
    await http.put(HERE, json=place)
    await http.put(f"{HERE}/menu/tiramisu", json=tiramisu)
    await http.post(f"{HERE}/menu/tiramisu/unavailable", json=sold_out)
    await http.post(f"{HERE}/menu/tiramisu/available")
    await http.delete(f"{HERE}/menu/tiramisu", params={"reason": "out of season"})
    order_id = (await http.post(f"{HERE}/orders", json=DINE_IN)).json()["order_id"]
    path = f"{HERE}/orders/{order_id}"
    await http.post(f"{path}/rounds", json={"lines": [A_LINE]})
    await http.post(f"{path}/cancel", json={"reason": "no time", "rounds": [2]})
    for number, verdict in ((2, KitchenVerdict.VOIDED), (1, KitchenVerdict.SERVED)):
        await database.replica().run(taking_verdict(uuid.UUID(order_id), number, verdict))
    await http.post(f"{path}/close")

    rows = await database.rows("SELECT subject, body FROM outbox ORDER BY id OFFSET 3")
    sent = [
        (str(subject).rpartition(".")[2], json.loads(body))  # type: ignore[arg-type]
        for subject, body in rows
    ]
    assert [(name, event["actor"], event.get("reason")) for name, event in sent] == [
        ("set", "Gina", None),
        ("item-set", "Gina", None),
        ("item-set", "Gina", "sold out"),
        ("item-set", "Gina", None),
        ("item-withdrawn", "Gina", "out of season"),
        ("placed", "Gina", None),
        ("items-added", "Gina", None),
        ("cancellation-requested", "Gina", None),
        ("items-cancelled", "Gina", "no time"),
        ("closed", "Gina", None),
    ]
    (requested,) = (event for name, event in sent if name == "cancellation-requested")
    assert requested["order"]["cancellation"] == {
        "rounds": [2],
        "reason": "no time",
        "actor": "Gina",
        "requested_at": "2026-05-04T12:00:00.000000Z",
        "closes": False,
    }


async def test_the_trace_of_a_request_travels_with_its_event(
    http: httpx.AsyncClient, database: Database
) -> None:
    trace = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"

    await http.post(f"{HERE}/orders", json=TAKEAWAY, headers={"traceparent": trace})
    await http.post(f"{HERE}/orders", json=TAKEAWAY)

    sent = "SELECT headers->>'traceparent' FROM outbox WHERE aggregate LIKE 'orders.%' ORDER BY id"
    assert await database.rows(sent) == [(trace,), (None,)]


JSON = {"Content-Type": "application/json"}
SEVERAL_KEYS = [*JSON.items(), ("Idempotency-Key", "a"), ("Idempotency-Key", "b")]


@pytest.mark.parametrize(
    ("path", "body", "headers"),
    [
        (HERE, json.dumps(DINE_IN), JSON),
        (HERE, json.dumps(TAKEAWAY), {**JSON, "Comanda-Actor": "Luigi", "If-Match": '"1"'}),
        (HERE, json.dumps(TAKEAWAY), {"Content-Type": "application/json; charset=utf-8"}),
        (HERE, json.dumps(TAKEAWAY), {"Content-Type": "text/plain"}),
        (HERE, json.dumps(TAKEAWAY), {}),
        (HERE, json.dumps(TAKEAWAY), {**JSON, "Idempotency-Key": "two words"}),
        (HERE, json.dumps(TAKEAWAY), {**JSON, "If-Match": "W/1"}),
        (HERE, json.dumps(TAKEAWAY), {**JSON, "Comanda-Actor": "x" * 81}),
        (HERE, json.dumps(TAKEAWAY), SEVERAL_KEYS),
        (HERE, json.dumps({**DINE_IN, "guests": "2"}), JSON),
        (HERE, json.dumps({**DINE_IN, "lines": []}), JSON),
        (HERE, json.dumps({**DINE_IN, "lines": [{"sku": "of-no-menu", "quantity": 1}]}), JSON),
        (HERE, '{"channel":', JSON),
        (HERE, b"\xff", JSON),
        (HERE, "[" * 5000, JSON),
        (HERE, "", JSON),
        (HERE, " " * 300_000, JSON),
        ("/v1/restaurants/nowhere", json.dumps(DINE_IN), JSON),
        ("/v1/restaurants/No-Slug", json.dumps(DINE_IN), JSON),
    ],
)
async def test_an_order_is_answered_in_the_lane_as_the_framework_answers_it(
    http: httpx.AsyncClient,
    framework: httpx.AsyncClient,
    path: str,
    body: str | bytes,
    headers: Any,
) -> None:
    for client in (http, framework):
        client.headers["Request-Id"] = "one"
    in_the_lane = await http.post(f"{path}/orders", content=body, headers=headers)
    by_the_framework = await framework.post(f"{path}/orders", content=body, headers=headers)

    assert comparable(in_the_lane) == comparable(by_the_framework)


def comparable(answer: httpx.Response) -> tuple[int, set[str], dict[str, Any]]:
    """All of the answer but what names the order, which was placed twice."""
    content = {
        key: value for key, value in answer.json().items() if key not in ("order_id", "number")
    }
    headers = set(answer.headers) - {"idempotent-replayed"}  # the second time, with a key
    return answer.status_code, headers, content
