"""The lanes ahead of the framework: they answer as it would, or leave the question to it."""

from collections.abc import AsyncIterator

import httpx
import pytest
from query.storage.client import Database
from query.storage.generations import Generations
from query.storage.menus import MongoMenus
from query.storage.orders.store import MongoOrders
from query.views.menu import view_of

from tests.query.builders import an_order, at_table, opened, placed
from tests.query.conftest import answering, store

AN_ID = "01968f6e-3d2a-7c1b-9a4e-5f60718293a4"
ANOTHER_ID = "01968f6e-3d2a-7c1b-9a4e-5f60718293a5"


@pytest.fixture
async def framework(fresh_mongodb_url: str) -> AsyncIterator[httpx.AsyncClient]:
    """The service without lanes, on the same store."""
    async with answering(fresh_mongodb_url, min_version_wait=0.05, has_lanes=False) as client:
        yield client


@pytest.fixture
async def lanes(fresh_mongodb_url: str, database: Database) -> AsyncIterator[httpx.AsyncClient]:
    """The service with its lanes, and two orders of tables 7 and 8 to ask about."""
    async with answering(fresh_mongodb_url, min_version_wait=0.05) as client:
        generations = Generations(database)
        await MongoMenus(generations).merge_restaurants([view_of(opened("la-piazza"))])
        await store(
            MongoOrders(generations),
            placed(an_order(order_id=AN_ID, restaurant="la-piazza", **at_table("7"))),
            placed(an_order(order_id=ANOTHER_ID, restaurant="la-piazza", **at_table("8"))),
        )
        yield client


@pytest.mark.parametrize(
    "question",
    [
        f"la-piazza/orders/{AN_ID}",
        f"la-piazza/orders/{AN_ID}?min_version=1",
        f"la-piazza/orders/{AN_ID}?min_version=2",
        f"la-piazza/orders/{AN_ID}?min_version=0",
        f"la-piazza/orders/{AN_ID}?min_version=1&min_version=2",
        f"la-piazza/orders/{AN_ID}?min_version=99999999999999999999",
        f"la-piazza/orders/{AN_ID}?other=1",
        f"la-piazza/orders/{AN_ID.upper()}",
        "la-piazza/orders/none",
        "la-piazza/orders/01968f6e-3d2a-7c1b-9a4e-000000000000",
        f"nowhere/orders/{AN_ID}",
        f"No-Slug/orders/{AN_ID}",
        "la-piazza/orders",
        "la-piazza/orders?limit=1",
        "la-piazza/orders?table=7&limit=1&active=true",
        "la-piazza/orders?table=7&table=8",
        "la-piazza/orders?table=",
        "la-piazza/orders?table",
        "la-piazza/orders?table=%37",
        "la-piazza/orders?table=%ff",
        "la-piazza/orders?q=margherita&sort=oldest",
        "la-piazza/orders?status=placed",
        "la-piazza/orders?status=placed&status=ready",
        "la-piazza/orders?status=",
        "la-piazza/orders?limit=0",
        "la-piazza/orders?limit=two",
        "la-piazza/orders?from=2026-01-01T00:00:00Z&to=2026-01-02T00:00:00",
        "la-piazza/orders?cursor=none",
        "la-piazza/orders?page=2",
        f"la-piazza/orders?after={AN_ID}:1",
        f"la-piazza/orders?after={AN_ID}:9",
        "nowhere/orders",
        "la-piazza/sales/top?day=2026-11-23",
        "la-piazza/sales/top?day=2026-11-23&limit=5",
        "la-piazza/sales/top?day=2026-11-23&limit=0",
        "la-piazza/sales/top?day=2026-11-31",
        "la-piazza/sales/top",
    ],
)
async def test_a_question_is_answered_in_a_lane_as_the_framework_answers_it(
    lanes: httpx.AsyncClient, framework: httpx.AsyncClient, question: str
) -> None:
    await lanes.get(f"/v1/restaurants/{question}")  # what is kept is kept from now on

    named = {"Request-Id": "question"}
    in_a_lane = await lanes.get(f"/v1/restaurants/{question}", headers=named)
    by_the_framework = await framework.get(f"/v1/restaurants/{question}", headers=named)

    assert in_a_lane.status_code == by_the_framework.status_code
    assert in_a_lane.headers == by_the_framework.headers
    assert in_a_lane.content == by_the_framework.content


@pytest.mark.parametrize("matching", ["{tag}", "W/{tag}", "*", '"other", {tag}'])
async def test_an_order_that_the_client_has_is_not_sent_again(
    lanes: httpx.AsyncClient, matching: str
) -> None:
    path = f"/v1/restaurants/la-piazza/orders/{AN_ID}"
    tag = (await lanes.get(path)).headers["ETag"]

    again = await lanes.get(path, headers={"If-None-Match": matching.format(tag=tag)})

    assert (again.status_code, again.content) == (304, b"")
