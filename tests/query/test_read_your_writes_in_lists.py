"""Lists and boards that wait for what the client wrote: `?after=<order_id>:<version>`."""

import asyncio
import uuid

import httpx
import pytest
from pymongo.monitoring import CommandListener, CommandStartedEvent
from query.api.http.read_your_writes import AFTER_ORDERS_MAX
from query.live import version_waiter
from query.live.change_stream import ChangeStream
from query.live.version_waiter import ChangeStreamVersionWaiter
from query.storage.client import Client, Database
from query.storage.generations import Generations
from query.storage.orders.lists import MongoLists
from query.storage.orders.store import MongoOrders
from query.views.ports import guests_of
from service_kit.runtime.components import Component, running

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


WAITS = 400
"""Of orders that nobody knows, for as long as a client may wait."""


class Questions(CommandListener):
    """Counts the questions about orders that a client asks."""

    def __init__(self) -> None:
        self.count = 0

    def started(self, event: CommandStartedEvent) -> None:
        self.count += str(event.command.get("find", "")).startswith("orders")

    def succeeded(self, event: object) -> None: ...
    def failed(self, event: object) -> None: ...


async def test_many_who_wait_for_what_never_comes_cost_a_few_questions(
    fresh_mongodb_url: str,
) -> None:
    questions = Questions()
    client = Client(fresh_mongodb_url, event_listeners=[questions])
    generations = Generations(client.get_default_database())
    changes, lists = ChangeStream(generations), MongoLists(generations, render=lambda _: b"")
    waiter = ChangeStreamVersionWaiter(changes)

    async def wait_in_vain() -> int:
        order_id = str(uuid.uuid4())
        return await waiter.read_until(
            "r", order_id, lambda: lists.version("r", order_id), bool, timeout_s=2.5
        )

    async with client, running([Component("changes", changes.run)]):
        versions = await asyncio.gather(*(wait_in_vain() for _ in range(WAITS)))

    assert versions == [0] * WAITS
    assert questions.count < WAITS / 10


async def test_a_restaurant_that_waits_for_much_takes_nobody_elses_place(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(version_waiter, "WAITS_OF_ONE_RESTAURANT_MAX", 3)
    waiter = ChangeStreamVersionWaiter(ChangeStream(Generations(database)))
    found: dict[str, bool] = {}

    def wait(restaurant: str, order_id: str) -> asyncio.Task[bool]:
        async def read() -> bool:
            return found.setdefault(order_id, False)

        return asyncio.create_task(waiter.read_until(restaurant, order_id, read, bool, 5.0))

    waiting = [wait("noisy", str(number)) for number in range(3)]
    await asyncio.sleep(0)
    refused, other = wait("noisy", "too many"), wait("quiet", "other")
    guest = wait(guests_of("noisy"), "guest's")

    assert await refused is False
    found["other"] = found["guest's"] = True
    assert await other is True
    assert await guest is True
    for each in waiting:
        each.cancel()
    await asyncio.wait(waiting)
    found["again"] = True
    assert await wait("noisy", "again") is True
