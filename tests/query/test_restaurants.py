"""The restaurants of a token, and the sales of a chain, from a real MongoDB."""

import time
from collections.abc import Mapping
from typing import Any

import httpx
import pytest
from comanda_contracts import Line
from comanda_contracts.access import hash_of_subject
from query.storage.client import Database
from query.storage.generations import Generations
from query.storage.menus import MongoMenus
from query.storage.sales.roll_up import roll_up_all
from query.views.menu import view_of
from query.views.sales.chain import RestaurantSales, chain_report
from service_kit.access.withdrawals import Withdrawals

from tests.query.builders import a_round, an_order, opened, placed
from tests.query.conftest import answering, project
from tests.support.tokens import bearer

DAY = "from=2026-11-23&to=2026-11-23"


@pytest.fixture
async def chain(menus: MongoMenus, restaurant: str) -> list[str]:
    """Three restaurants, by slug."""
    slugs = [f"{restaurant}-{letter}" for letter in "abc"]
    await menus.merge_restaurants([view_of(opened(each)) for each in slugs])
    return slugs


def may(role: str, *restaurants: str) -> dict[str, str]:
    return bearer({each: [role] for each in restaurants}, subject=f"{role} of some")


def listed(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["restaurant"] for each in answer.json()["restaurants"]]


async def test_those_of_the_token_are_listed_and_no_others(
    query: httpx.AsyncClient, chain: list[str]
) -> None:
    first, _, last = chain

    answer = await query.get("/v1/restaurants", headers=may("board", last, first, "not-known"))

    assert listed(answer) == [first, last]
    assert answer.json()["restaurants"][0]["name"] == "La Piazza"
    assert answer.json()["next"] is None
    again = {**may("board", last, first), "If-None-Match": answer.headers["ETag"]}
    assert (await query.get("/v1/restaurants", headers=again)).status_code == 304


async def test_all_are_listed_page_by_page_to_who_may_something_in_every_one(
    query: httpx.AsyncClient, chain: list[str]
) -> None:
    found: list[str] = []
    url = "/v1/restaurants?limit=2"
    while url:
        answer = await query.get(url, headers=may("operator", "*"))
        found += listed(answer)
        next_page = answer.links.get("next")
        assert bool(next_page) is bool(answer.json()["next"])
        url = f"/v1/restaurants{next_page['url']}" if next_page else ""

    assert found == chain


async def test_who_was_withdrawn_in_one_restaurant_is_kept_out_of_it_in_answers_about_any(
    fresh_mongodb_url: str, database: Database, chain: list[str]
) -> None:
    first, withdrawn_in, third = chain
    everywhere = may("manager", "*")
    for each in chain:
        await sell(database, each, 1, currency="EUR")
    await roll_up_all(Generations(database).live)
    known = Withdrawals()
    known.note(withdrawn_in, hash_of_subject("manager of some"), time.time() + 1)

    async with answering(fresh_mongodb_url, withdrawals=known) as query:
        of_all = await query.get("/v1/restaurants", headers=everywhere)
        page = await query.get("/v1/restaurants?limit=2", headers=everywhere)
        sales = await query.get(f"/v1/sales?{DAY}", headers=everywhere)
        named = await query.get(f"/v1/sales?{DAY}&restaurant={withdrawn_in}", headers=everywhere)

    assert listed(of_all) == [first, third]
    assert listed(page) == [first]
    [euro] = sales.json()["currencies"]
    assert sorted(each["restaurant"] for each in euro["restaurants"]) == [first, third]
    assert euro["revenue"] == 200
    assert (named.status_code, named.json()["code"]) == (403, "forbidden")


@pytest.mark.parametrize("page", ["limit=0", "limit=501", "cursor=%21", "cursor=QQ", "page=2"])
async def test_what_is_no_page_is_refused(query: httpx.AsyncClient, page: str) -> None:
    answer = await query.get(f"/v1/restaurants?{page}")

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


async def sell(database: Database, restaurant: str, *quantities: int, currency: str) -> None:
    for each in quantities:
        lines = (Line(sku="tea", name="Tea", unit_price=100, quantity=each),)
        order = an_order(
            restaurant=restaurant, rounds=(a_round(1, lines=lines),), currency=currency
        )
        await project(Generations(database), placed(order))


async def test_a_chain_is_summed_up_by_restaurant_and_currency(
    query: httpx.AsyncClient, database: Database, chain: list[str], menus: MongoMenus
) -> None:
    first, second, third = chain
    await menus.merge_restaurants([view_of(opened(third, version=2, currency="CHF"))])
    await sell(database, first, 1, 2, currency="EUR")
    await sell(database, second, 5, currency="EUR")
    await sell(database, f"{third}-of-others", 9, currency="EUR")
    await roll_up_all(Generations(database).live)
    asked = may("reader", *chain) | {"Accept": "application/json"}

    answer = await query.get(f"/v1/sales?{DAY}", headers=asked)
    of_one = await query.get(f"/v1/sales?{DAY}&restaurant={first}", headers=asked)
    unchanged = await query.get(
        f"/v1/sales?{DAY}", headers=asked | {"If-None-Match": answer.headers["ETag"]}
    )

    swiss, euro = answer.json()["currencies"]
    assert (swiss["currency"], swiss["revenue"], swiss["average_basket"]) == ("CHF", 0, None)
    assert [each["restaurant"] for each in swiss["restaurants"]] == [third]
    assert (euro["currency"], euro["revenue"], euro["orders"]) == ("EUR", 800, 3)
    assert [(each["restaurant"], each["revenue"]) for each in euro["restaurants"]] == [
        (second, 500),
        (first, 300),
    ]
    assert answer.headers["ETag"].startswith('W/"')
    assert unchanged.status_code == 304
    [alone] = of_one.json()["currencies"]
    assert (alone["revenue"], alone["orders"], alone["average_basket"]) == (300, 2, 150)


@pytest.mark.parametrize(
    ("asked", "refusal"),
    [
        ("from=2026-11-23", (422, "invalid-request")),
        ("from=2026-11-23&to=2026-11-22", (422, "invalid-request")),
        ("from=2025-11-23&to=2026-11-24", (422, "invalid-request")),
        (f"{DAY}&by=day", (422, "invalid-request")),
        (f"{DAY}&restaurant=elsewhere", (403, "forbidden")),
        (f"{DAY}&restaurant=not-known", (404, "unknown-restaurant")),
    ],
)
async def test_sales_that_can_not_be_shown_are_refused(
    query: httpx.AsyncClient, chain: list[str], asked: str, refusal: tuple[int, str]
) -> None:
    answer = await query.get(f"/v1/sales?{asked}", headers=may("manager", *chain, "not-known"))

    assert (answer.status_code, answer.json()["code"]) == refusal


def test_what_was_sold_in_a_former_currency_is_in_its_sums() -> None:
    venues: Mapping[str, Mapping[str, Any]] = {"a": {"name": "A", "currency": "EUR"}}

    report = chain_report(
        [RestaurantSales("a", "EUR", 300, 2), RestaurantSales("a", "HRK", 70, 1)], venues
    )

    assert [(each["currency"], each["revenue"]) for each in report] == [("EUR", 300), ("HRK", 70)]
