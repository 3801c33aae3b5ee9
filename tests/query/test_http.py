"""Questions over HTTP, answered from a real MongoDB."""

import asyncio
import os
import signal

import httpx
import pytest
from comanda_contracts import MenuItem, OrderStatus, Restaurant, TicketStatus
from comanda_local.servers import MongoDB
from pydantic import BaseModel
from query.api.http import schema
from query.storage.client import READ_TIMEOUT_S
from query.storage.menus import MongoMenus
from query.storage.orders.store import MongoOrders
from query.views.menu import view_of

from tests.query.builders import (
    a_round,
    after,
    an_order,
    at_table,
    its_ticket,
    news_of,
    offered,
    opened,
    placed,
)
from tests.query.conftest import answering, store
from tests.query.histories import History
from tests.support.eventually import eventually

READY = TicketStatus.READY
AN_ID = "01968f6e-3d2a-7c1b-9a4e-5f60718293a4"


def problem(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["code"]


def documented(model: type[BaseModel], response: httpx.Response) -> None:
    """Assert that the answer is 200 and has exactly the fields that are documented.

    `left_out` is there only if something was left out, and here nothing is.
    """
    assert response.status_code == 200
    assert response.headers["content-type"] == "application/json"
    answered = model.model_validate_json(response.content, extra="forbid").model_fields_set
    assert answered == model.model_fields.keys() - {"left_out"}


async def test_an_order_is_shown_with_its_tickets(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant, version=3, rounds=(a_round(1), a_round(2)))
    ticket = its_ticket(order, version=2, status=READY, ready_at=after(61.25))
    await store(orders, placed(order), news_of(ticket, at=after(61.25)))

    response = await query.get(f"/v1/restaurants/{restaurant}/orders/{order.order_id}")

    assert response.status_code == 200
    assert response.json() == {
        "order_id": str(order.order_id),
        "restaurant": restaurant,
        "number": "A-001",
        "business_day": "2026-11-23",
        "channel": "takeaway",
        "table": None,
        "guests": None,
        "customer": "Ada",
        "phone": None,
        "currency": "EUR",
        "status": "preparing",
        "version": 3,
        "placed_at": "2026-11-23T12:00:00.000000Z",
        "total": 5100,
        "rounds": [
            {
                "round": 1,
                "lines": [
                    {
                        "sku": "margherita",
                        "name": "Margherita",
                        "unit_price": 850,
                        "quantity": 2,
                        "note": None,
                    }
                ],
                "ordered_at": "2026-11-23T12:00:00.000000Z",
                "voided": False,
                "total": 1700,
                "ticket": {
                    "status": "ready",
                    "version": 2,
                    "started_at": None,
                    "ready_at": "2026-11-23T12:01:01.250000Z",
                    "served_at": None,
                },
            },
            {
                "round": 2,
                "lines": [order.rounds[1].lines[0].model_dump()] * 2,
                "ordered_at": "2026-11-23T12:00:00.000000Z",
                "voided": False,
                "total": 3400,
                "ticket": None,
            },
        ],
        "timeline": [
            {
                "at": "2026-11-23T12:00:00.000000Z",
                "event": "placed",
                "source": "ordering",
                "round": None,
                "version": 3,
                "actor": "Gino",
                "reason": None,
            },
            {
                "at": "2026-11-23T12:01:01.250000Z",
                "event": "ready",
                "source": "serving",
                "round": 1,
                "version": 2,
                "actor": None,
                "reason": None,
            },
        ],
    }


async def test_answers_are_as_documented(
    query: httpx.AsyncClient, orders: MongoOrders, menus: MongoMenus, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant, **at_table("7"))
    await store(orders, placed(order), news_of(its_ticket(order)))
    await menus.merge_restaurants([view_of(opened(restaurant))])
    await menus.merge_items([view_of(offered(restaurant, "tea"))])
    venue = f"/v1/restaurants/{restaurant}"

    documented(schema.OrderView, await query.get(f"{venue}/orders/{order.order_id}"))
    documented(schema.Timeline, await query.get(f"{venue}/orders/{order.order_id}/timeline"))
    documented(schema.OrderList, await query.get(f"{venue}/orders"))
    documented(schema.TableList, await query.get(f"{venue}/tables"))
    documented(schema.Board, await query.get(f"{venue}/board"))
    documented(schema.Menu, await query.get(f"{venue}/menu"))


async def test_refusals_are_documented(query: httpx.AsyncClient) -> None:
    paths = (await query.get("/openapi.json")).json()["paths"]

    for path, operations in paths.items():
        known = {"200", "503"} | ({"404"} if "{restaurant}" in path else set())
        assert known <= operations["get"]["responses"].keys(), path
    one = paths["/v1/restaurants/{restaurant}/orders/{order_id}"]["get"]["responses"]
    assert {"304", "422"} <= one.keys()


@pytest.mark.parametrize("kind", ["nothing", "only a ticket", "an order of another restaurant"])
async def test_an_unknown_order_is_refused(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str, kind: str
) -> None:
    order = an_order(restaurant=restaurant)
    if kind == "only a ticket":
        await store(orders, news_of(its_ticket(order)))
    if kind == "an order of another restaurant":
        await store(orders, placed(order.model_copy(update={"restaurant": "elsewhere"})))

    response = await query.get(f"/v1/restaurants/{restaurant}/orders/{order.order_id}")

    assert problem(response) == (404, "unknown-order")


@pytest.mark.parametrize(
    "question",
    [
        "orders",
        "orders?active=true",
        "board",
        "menu",
        "sales?from=2026-11-23&to=2026-11-23",
        "sales/top?day=2026-11-23",
    ],
)
async def test_an_unknown_restaurant_is_refused(query: httpx.AsyncClient, question: str) -> None:
    response = await query.get(f"/v1/restaurants/nowhere/{question}")

    assert problem(response) == (404, "unknown-restaurant")


async def test_a_restaurant_without_orders_has_empty_lists(
    query: httpx.AsyncClient, menus: MongoMenus, restaurant: str
) -> None:
    await menus.merge_restaurants([view_of(opened(restaurant))])
    venue = f"/v1/restaurants/{restaurant}"

    assert (await query.get(f"{venue}/orders")).json() == {"orders": [], "next": None}
    assert (await query.get(f"{venue}/board")).json() == {"preparing": [], "ready": []}
    assert (await query.get(f"{venue}/menu")).json()["items"] == []


async def test_the_board_has_what_is_prepared_and_what_is_ready(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str
) -> None:
    waiting = an_order(restaurant=restaurant, number="A-001")
    done = an_order(restaurant=restaurant, number="A-002")
    await store(orders, placed(waiting), placed(done), news_of(its_ticket(done, status=READY)))

    board = (await query.get(f"/v1/restaurants/{restaurant}/board")).json()

    assert board == {
        "preparing": [
            {
                "order_id": str(waiting.order_id),
                "number": "A-001",
                "channel": "takeaway",
                "table": None,
                "placed_at": "2026-11-23T12:00:00.000000Z",
                "status": "placed",
                "position": 1,
                "estimated_ready_at": None,
            }
        ],
        "ready": [
            {
                "order_id": str(done.order_id),
                "number": "A-002",
                "channel": "takeaway",
                "table": None,
                "placed_at": "2026-11-23T12:00:00.000000Z",
                "ready_at": None,
            }
        ],
    }


async def test_the_menu_is_shown_with_its_restaurant(
    query: httpx.AsyncClient, menus: MongoMenus, restaurant: str
) -> None:
    venue, tea = opened(restaurant), offered(restaurant, "tea", available=False)
    await menus.merge_restaurants([view_of(venue)])
    await menus.merge_items([view_of(tea), view_of(offered(restaurant, "milk", withdrawn=True))])

    shown = (await query.get(f"/v1/restaurants/{restaurant}/menu")).json()

    assert Restaurant.model_validate(shown["restaurant"]) == venue.restaurant
    assert [MenuItem.model_validate(each) for each in shown["items"]] == [tea.item]


@pytest.mark.parametrize(
    ("question", "field"),
    [
        ("orders/not-an-id", "order_id"),
        (f"orders/{AN_ID}?min_version=0", "min_version"),
        (f"orders/{AN_ID}?min_version=new", "min_version"),
    ],
)
async def test_a_question_that_makes_no_sense_is_refused_by_its_field(
    query: httpx.AsyncClient, question: str, field: str
) -> None:
    response = await query.get(f"/v1/restaurants/la-piazza/{question}")

    assert problem(response) == (422, "invalid-request")
    assert [each["field"] for each in response.json()["errors"]] == [field]


async def test_an_order_that_has_not_changed_is_not_sent_again(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant)
    await store(orders, placed(order))
    url = f"/v1/restaurants/{restaurant}/orders/{order.order_id}"
    tag = (await query.get(url)).headers["ETag"]

    for tags in (tag, f'"other", W/{tag}', "*"):
        response = await query.get(url, headers={"If-None-Match": tags})
        assert (response.status_code, response.content) == (304, b"")
        assert response.headers["ETag"] == tag
    other = await query.get(url, headers={"If-None-Match": '"other"'})
    assert other.status_code == 200


async def test_every_change_of_a_view_changes_its_etag(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant, version=2)
    late = order.model_copy(update={"version": 1})
    news: History = [
        placed(order),
        news_of(its_ticket(order, version=1)),
        news_of(its_ticket(order, version=3, status=READY)),
        news_of(its_ticket(order, version=2, status=TicketStatus.PREPARING)),
        placed(late),
    ]
    tags = []

    for event in news:
        await store(orders, event)
        response = await query.get(f"/v1/restaurants/{restaurant}/orders/{order.order_id}")
        tags.append(response.headers["ETag"])

    assert len(set(tags)) == len(news)


async def test_without_mongodb_every_question_is_refused_for_now(no_mongodb: str) -> None:
    sales = ("sales?from=2026-11-23&to=2026-11-23", "sales/top?day=2026-11-23")
    questions = (
        *sales,
        "orders",
        "board",
        "menu",
        f"orders/{AN_ID}",
        f"orders/{AN_ID}?min_version=1",
    )

    async with answering(no_mongodb) as query:
        answers = await asyncio.gather(
            *(query.get(f"/v1/restaurants/la-piazza/{question}") for question in questions)
        )
        probes = [await query.get(f"/health/{probe}") for probe in ("live", "ready")]

    assert [problem(each) for each in answers] == [(503, "store-unavailable")] * len(questions)
    assert all(int(each.headers["Retry-After"]) > 0 for each in answers)
    assert [each.status_code for each in probes] == [200, 503]


async def test_a_mongodb_that_hangs_is_as_good_as_away(own_mongodb: MongoDB) -> None:
    async with answering(own_mongodb.url) as query:

        async def ask() -> tuple[int, str]:
            return problem(await query.get(f"/v1/restaurants/la-piazza/orders/{AN_ID}"))

        await ask()  # so that there is a connection: on a new one the driver would notice
        os.kill(own_mongodb.process.pid, signal.SIGSTOP)
        await asyncio.to_thread(os.waitpid, own_mongodb.process.pid, os.WUNTRACED)  # it has stopped
        try:
            async with asyncio.timeout(3 * READ_TIMEOUT_S):
                assert await ask() == (503, "store-unavailable")
        finally:
            os.kill(own_mongodb.process.pid, signal.SIGCONT)

        await eventually(ask, lambda answer: answer == (404, "unknown-order"))


@pytest.mark.parametrize("status", OrderStatus)
async def test_min_version_that_is_there_already_is_answered_at_once(
    query: httpx.AsyncClient, orders: MongoOrders, restaurant: str, status: OrderStatus
) -> None:
    order = an_order(restaurant=restaurant, version=2, status=status)
    await store(orders, placed(order))

    url = f"/v1/restaurants/{restaurant}/orders/{order.order_id}?min_version=2"

    assert (await query.get(url)).json()["version"] == 2
