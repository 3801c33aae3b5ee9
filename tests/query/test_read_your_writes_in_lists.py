"""Lists and boards that wait for what the client wrote: `?after=<order_id>:<version>`."""

import asyncio

import httpx
import pytest
from query.api.http.read_your_writes import AFTER_ORDERS_MAX
from query.storage.orders.store import MongoOrders

from tests.query.builders import an_order, at_table, closed, placed
from tests.query.conftest import answering, store

AN_ID = "01968f6e-3d2a-7c1b-9a4e-5f60718293a4"

ANSWERS_OF_MANY_ORDERS = ["orders", "tables", "board"]

asked_of_each = pytest.mark.parametrize("question", ANSWERS_OF_MANY_ORDERS)


@asked_of_each
async def test_an_answer_waits_for_each_order_that_the_client_wrote(
    question: str, query: httpx.AsyncClient, orders: MongoOrders, restaurant: str
) -> None:
    here = an_order(restaurant=restaurant)
    other = an_order(restaurant=restaurant, **at_table("7"))
    await store(orders, placed(here))
    after = [f"{here.order_id}:2", f"{other.order_id}:1", f"{here.order_id}:1"]

    asking = query.get(f"/v1/restaurants/{restaurant}/{question}", params={"after": after})
    waiting = asyncio.create_task(asking)
    await store(orders, closed(here))
    done, _ = await asyncio.wait([waiting], timeout=0.3)
    assert not done  # it has still to see the other one
    await store(orders, placed(other))

    assert (await waiting).status_code == 200


@asked_of_each
async def test_who_waited_in_vain_is_told_how_far_each_order_is_behind(
    question: str, fresh_mongodb_url: str, orders: MongoOrders, restaurant: str
) -> None:
    here, gone = an_order(restaurant=restaurant), an_order(restaurant=restaurant)
    elsewhere = an_order()
    await store(orders, placed(here), placed(elsewhere))
    wanted = {str(here.order_id): 3, str(gone.order_id): 1, str(elsewhere.order_id): 1}

    async with answering(fresh_mongodb_url, min_version_wait=0.2) as query:
        after = [f"{order_id}:{version}" for order_id, version in wanted.items()]
        url = f"/v1/restaurants/{restaurant}/{question}"
        answer = await query.get(url, params={"after": after})

    assert answer.status_code == 503
    assert int(answer.headers["Retry-After"]) > 0
    problem = answer.json()
    assert problem["code"] == "behind"
    assert {each["order_id"]: each["wanted"] for each in problem["behind"]} == wanted
    here_is_at = {each["order_id"]: each["version"] for each in problem["behind"]}
    assert here_is_at == {**dict.fromkeys(wanted, 0), str(here.order_id): 1}


@asked_of_each
@pytest.mark.parametrize(
    "after",
    [[AN_ID], [f"{AN_ID}:0"], [f"{AN_ID}:new"], ["x:1"], [f"{AN_ID}:1"] * (AFTER_ORDERS_MAX + 1)],
)
async def test_an_after_that_makes_no_sense_is_refused(
    question: str, query: httpx.AsyncClient, after: list[str]
) -> None:
    url = f"/v1/restaurants/la-piazza/{question}"
    answer = await query.get(url, params={"after": after})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")
    assert answer.json()["errors"][0]["field"].split(".")[0] == "after"
