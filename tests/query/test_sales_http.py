"""Questions about sales over HTTP, answered from what was summed up in a real MongoDB."""

import asyncio
from typing import Any

import httpx
import pytest
from comanda_contracts import Line
from query.api.http import schema
from query.storage.client import Database
from query.storage.generations import Generations
from query.storage.menus import MongoMenus
from query.storage.sales.roll_up import roll_up_all
from query.views.menu import view_of

from tests.query.builders import (
    a_round,
    after,
    an_order,
    its_ticket,
    news_of,
    offered,
    opened,
    placed,
)
from tests.query.conftest import project
from tests.query.test_http import documented, problem

TEA = Line(sku="tea", name="Tea", unit_price=300, quantity=2)
CAKE = Line(sku="cake", name="Cake", unit_price=450, quantity=3)
SPECIAL = Line(sku="special", name="Special", unit_price=100, quantity=1)
HOUR = 3600
SPAN = "from=2026-11-23&to=2026-11-24"


@pytest.fixture
async def venue(database: Database, menus: MongoMenus, restaurant: str) -> str:
    """A restaurant with two hours of sales on one business day, and one on the next."""
    await menus.merge_restaurants([view_of(opened(restaurant))])
    await menus.merge_items(
        [
            view_of(offered(restaurant, "tea", category="Drinks")),
            view_of(offered(restaurant, "cake", category="Sweets", withdrawn=True)),
        ]
    )
    sold: list[tuple[tuple[Line, ...], dict[str, Any]]] = [
        ((TEA,), {}),
        ((TEA, CAKE), {"channel": "dine_in", "placed_at": after(HOUR)}),
        ((SPECIAL,), {"placed_at": after(24 * HOUR), "business_day": "2026-11-24"}),
    ]
    for lines, fields in sold:
        order = an_order(restaurant=restaurant, rounds=(a_round(1, lines=lines),), **fields)
        ready = its_ticket(order, status="ready", ready_at=after(120))
        await project(Generations(database), placed(order), news_of(ready))
    await roll_up_all(Generations(database).live)
    return f"/v1/restaurants/{restaurant}"


async def groups(query: httpx.AsyncClient, url: str) -> list[dict[str, Any]]:
    response = await query.get(url)
    assert response.status_code == 200, response.text
    found: list[dict[str, Any]] = response.json()["groups"]
    return found


async def test_totals_are_those_of_the_span(query: httpx.AsyncClient, venue: str) -> None:
    report = (await query.get(f"{venue}/sales?{SPAN}")).json()

    waiting = report["totals"].pop("waiting")
    assert report["totals"] == {"revenue": 2650, "orders": 3, "average_basket": 883}
    assert (report["currency"], report["by"], report["groups"]) == ("EUR", None, [])
    assert (waiting["ready"]["count"], waiting["served"]["count"]) == (3, 0)
    assert waiting["ready"]["p50"] == pytest.approx(120, rel=0.01)
    assert waiting["served"]["p50"] is None


@pytest.mark.parametrize(
    ("by", "expected"),
    [
        ("day", [("2026-11-23", 2550, 2), ("2026-11-24", 100, 1)]),
        (
            "hour",
            [
                ("2026-11-23T12:00:00.000000Z", 600, 1),
                ("2026-11-23T13:00:00.000000Z", 1950, 1),
                ("2026-11-24T12:00:00.000000Z", 100, 1),
            ],
        ),
        ("channel", [("dine_in", 1950, 1), ("takeaway", 700, 2)]),
    ],
)
async def test_sales_are_grouped_by_time_and_channel(
    query: httpx.AsyncClient, venue: str, by: str, expected: list[tuple[str, int, int]]
) -> None:
    found = await groups(query, f"{venue}/sales?{SPAN}&by={by}")

    assert [(each[by], each["revenue"], each["orders"]) for each in found] == expected


async def test_hours_are_found_whichever_business_day_they_are_of(
    query: httpx.AsyncClient, database: Database, menus: MongoMenus, restaurant: str
) -> None:
    """In Honolulu, on a day that begins at 23:00: its evening is two dates behind that of UTC."""
    await menus.merge_restaurants([view_of(opened(restaurant))])
    at = {"placed_at": "2026-11-25T05:00:00Z", "business_day": "2026-11-23"}
    await project(Generations(database), placed(an_order(restaurant=restaurant, **at)))
    await roll_up_all(Generations(database).live)

    found = await groups(
        query,
        f"/v1/restaurants/{restaurant}/sales?from=2026-11-25T05:00Z&to=2026-11-25T06:00Z&by=hour",
    )

    assert [each["orders"] for each in found] == [1]


async def test_items_have_the_category_that_the_menu_has_now(
    query: httpx.AsyncClient, venue: str
) -> None:
    found = await groups(query, f"{venue}/sales?{SPAN}&by=item")

    shown = [(e["sku"], e["category"], e["quantity"], e["revenue"], e["orders"]) for e in found]
    assert shown == [
        ("cake", "Sweets", 3, 1350, 1),
        ("tea", "Drinks", 4, 1200, 2),
        ("special", None, 1, 100, 1),
    ]


async def test_sales_are_grouped_by_category(query: httpx.AsyncClient, venue: str) -> None:
    assert await groups(query, f"{venue}/sales?{SPAN}&by=category") == [
        {"category": "Sweets", "quantity": 3, "revenue": 1350},
        {"category": "Drinks", "quantity": 4, "revenue": 1200},
        {"category": None, "quantity": 1, "revenue": 100},
    ]


@pytest.mark.parametrize(
    ("span", "revenue"),
    [
        ("from=2026-11-23&to=2026-11-23", 2550),
        ("from=2026-11-22&to=2026-11-22", 0),
        ("from=2026-11-23T12:00Z&to=2026-11-23T13:00Z", 600),
        ("from=2026-11-23T14:00%2B01:00&to=2026-11-24T13:00Z", 2050),
        ("from=2026-11-23T14:00Z&to=2026-11-24T12:00Z", 0),
        ("from=0001-01-01T00:00Z&to=0001-01-01T01:00Z", 0),
        ("from=9999-12-31T22:00Z&to=9999-12-31T23:00Z", 0),
    ],
)
async def test_a_span_includes_its_last_day_but_not_its_last_hour(
    query: httpx.AsyncClient, venue: str, span: str, revenue: int
) -> None:
    for by in ("day", "hour", "item"):
        report = (await query.get(f"{venue}/sales?{span}&by={by}")).json()

        assert report["totals"]["revenue"] == revenue, by
        assert sum(each["revenue"] for each in report["groups"]) == revenue, by


async def test_the_top_items_of_a_day_are_the_best_first(
    query: httpx.AsyncClient, venue: str
) -> None:
    top = (await query.get(f"{venue}/sales/top?day=2026-11-23")).json()
    best = (await query.get(f"{venue}/sales/top?day=2026-11-23&limit=1")).json()

    assert top["items"] == [
        {
            "sku": "cake",
            "name": "Cake",
            "quantity": 3,
            "revenue": 1350,
            "orders": 1,
            "last_ordered_at": "2026-11-23T13:00:00.000000Z",
        },
        {
            "sku": "tea",
            "name": "Tea",
            "quantity": 4,
            "revenue": 1200,
            "orders": 2,
            "last_ordered_at": "2026-11-23T13:00:00.000000Z",
        },
    ]
    assert best["items"] == top["items"][:1]


async def test_the_top_items_are_read_once_for_all_who_ask_in_a_moment(
    query: httpx.AsyncClient, venue: str
) -> None:
    url = f"{venue}/sales/top?day=2026-11-23"

    answers = await asyncio.gather(*(query.get(url) for _ in range(20)))

    assert len({each.headers["ETag"] for each in answers}) == 1
    assert len({each.json()["as_of"] for each in answers}) == 1


async def test_a_day_without_sales_has_no_top_items(query: httpx.AsyncClient, venue: str) -> None:
    top = (await query.get(f"{venue}/sales/top?day=2026-12-24")).json()

    assert (top["currency"], top["as_of"], top["items"]) == ("EUR", None, [])


async def test_sales_are_as_documented(query: httpx.AsyncClient, venue: str) -> None:
    documented(schema.TopItems, await query.get(f"{venue}/sales/top?day=2026-11-23"))
    for by, model in schema.REPORTS.items():
        question = f"{venue}/sales?{SPAN}" + (f"&by={by}" if by else "")
        documented(model, await query.get(question))


async def test_a_report_says_whether_it_is_of_days_or_of_hours(
    query: httpx.AsyncClient, venue: str
) -> None:
    days = await query.get(f"{venue}/sales?{SPAN}&by=hour")
    hours = await query.get(f"{venue}/sales?from=2026-11-23T18:00Z&to=2026-11-23T20:00Z&by=day")

    assert (days.json()["bounds"], days.json()["from"]) == ("days", "2026-11-23")
    assert (hours.json()["bounds"], hours.json()["from"]) == (
        "hours",
        "2026-11-23T18:00:00.000000Z",
    )


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ("sales?to=2026-11-23", "from"),
        ("sales?from=2026-11-23", "to"),
        ("sales?from=yesterday&to=2026-11-23", "from"),
        ("sales?from=2026-11-23&to=2026-11-22", "to"),
        ("sales?from=2026-11-23&to=2026-11-23T12:00Z", "to"),
        ("sales?from=2026-11-23T12:00Z&to=2026-11-23T12:00Z", "to"),
        ("sales?from=2026-11-23T12:00Z&to=2026-11-23T11:00Z", "to"),
        ("sales?from=2026-11-23T12:30Z&to=2026-11-23T13:00Z", "from"),
        ("sales?from=2026-11-23T12:00&to=2026-11-23T13:00Z", "from"),
        ("sales?from=0001-01-01T00:00%2B14:00&to=2026-11-23T13:00Z", "from"),
        ("sales?from=2020-01-01&to=2026-11-23", "to"),
        ("sales?from=2026-01-01&to=2026-11-23&by=hour", "to"),
        ("sales?from=2026-11-23&to=2026-11-23&by=moon", "by"),
        ("sales/top", "day"),
        ("sales/top?day=today", "day"),
        ("sales/top?day=2026-11-23&limit=0", "limit"),
        ("sales/top?day=2026-11-23&limit=101", "limit"),
    ],
)
async def test_a_question_about_sales_that_makes_no_sense_is_refused_by_its_field(
    query: httpx.AsyncClient, question: str, field: str
) -> None:
    response = await query.get(f"/v1/restaurants/la-piazza/{question}")

    assert problem(response) == (422, "invalid-request")
    assert [each["field"] for each in response.json()["errors"]] == [field]
