"""A search that takes long is refused alone: it holds up no list, and no other restaurant."""

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any

import httpx
import pytest
from query.storage import fair_slots
from query.storage.client import Database
from query.storage.fair_slots import FairSlots
from query.storage.generations import Generations
from query.storage.orders import lists as lists_module
from query.storage.orders.lists import SEARCHES_OF_ONE_RESTAURANT_MAX, MongoLists
from query.storage.orders.pages import NO_ROWS, PageRequest, PageRows
from query.storage.orders.store import MongoOrders
from query.storage.sales.store import MongoSales
from query.views.orders.list_query import ListQuery
from query.views.orders.view import document, view_of
from query.views.ports import TooSlow

from tests.query.builders import an_order, placed
from tests.query.conftest import store
from tests.support.eventually import eventually

WORDS = frozenset({"pizza", "wine"})
DAY = "2026-11-23"
COMMON = 4000
"""Orders with one common word each, which a search for both has to look at."""


class SlowSearches:
    """Reads of pages in which a search never comes to its end."""

    def __init__(self) -> None:
        self.begun: list[str] = []

    async def now(
        self,
        _live: object,
        _snapshot: object,
        requests: Sequence[PageRequest],
        _time_ms_max: int,
    ) -> Mapping[PageRequest, PageRows]:
        for each in requests:
            if not each.list_query.is_in_index_order:
                self.begun.append(each.list_query.restaurant)
                await asyncio.Event().wait()
        return dict.fromkeys(requests, NO_ROWS)


@pytest.fixture
def searches() -> SlowSearches:
    return SlowSearches()


@pytest.fixture
def lists(
    database: Database, searches: SlowSearches, monkeypatch: pytest.MonkeyPatch
) -> MongoLists:
    lists = MongoLists(Generations(database), render=lambda _: b"{}")
    monkeypatch.setattr(lists, "_pages", searches)
    return lists


async def begun(searches: SlowSearches) -> list[str]:
    return searches.begun


async def test_a_list_is_answered_while_searches_are_not(
    lists: MongoLists, searches: SlowSearches
) -> None:
    search = ListQuery("noisy", words=WORDS)
    searching = [asyncio.create_task(lists.page(search, None, n)) for n in range(1, 30)]
    await eventually(lambda: begun(searches))

    page = await lists.page(ListQuery("quiet"), None, 10)  # searches never end

    assert page.orders == []
    for each in searching:
        each.cancel()


async def test_a_restaurant_that_searches_much_waits_for_itself(
    lists: MongoLists, searches: SlowSearches
) -> None:
    ofs = ["noisy"] * 10 + ["quiet"]
    searching = [
        asyncio.create_task(lists.page(ListQuery(of, words=WORDS), None, n))
        for n, of in enumerate(ofs, 1)
    ]
    await eventually(lambda: begun(searches), lambda so_far: "quiet" in so_far)

    assert searches.begun == ["noisy"] * SEARCHES_OF_ONE_RESTAURANT_MAX + ["quiet"]
    for each in searching:
        each.cancel()


class SlowGenerations(Generations):
    """Where no question is ever answered."""

    def __init__(self, database: Database) -> None:
        super().__init__(database)
        self.asked = 0

    async def answer(self, *_: Any, **__: Any) -> Any:
        self.asked += 1
        await asyncio.Event().wait()


async def test_who_sums_up_chains_waits_for_himself(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    generations = SlowGenerations(database)
    sales = MongoSales(generations)
    first = asyncio.create_task(sales.chain(["a"], DAY, DAY, subject="noisy"))
    await eventually(lambda: asked_of(generations), bool)
    monkeypatch.setattr(fair_slots, "WAIT_TIMEOUT_S", 0.01)

    with pytest.raises(TooSlow):
        await sales.chain(["b"], DAY, DAY, subject="noisy")
    other = asyncio.create_task(sales.chain(["a"], DAY, DAY, subject="quiet"))
    await eventually(lambda: asked_of(generations), lambda asked: asked == 2)

    for each in (first, other):
        each.cancel()


async def asked_of(generations: SlowGenerations) -> int:
    return generations.asked


async def test_who_waits_too_long_for_a_slot_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(fair_slots, "WAIT_TIMEOUT_S", 0.01)
    slots = FairSlots(total=1, each=1)

    async with slots.slot("one"):
        for restaurant in ("one", "other"):
            with pytest.raises(TooSlow):
                async with slots.slot(restaurant):
                    pass
    async with slots.slot("one"):
        pass  # it is free again


async def test_a_search_that_takes_the_store_too_long_is_refused_alone(
    query: httpx.AsyncClient,
    database: Database,
    orders: MongoOrders,
    restaurant: str,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(lists_module, "SEARCH_TIME_MS_MAX", 1)
    shown = document(view_of(placed(an_order(restaurant=restaurant))))
    await database["orders-1"].insert_many(
        [_found_by(shown, str(n), "pizza" if n % 2 else "wine") for n in range(COMMON)]
    )
    other = an_order()
    await store(orders, placed(other))

    search, listed = await asyncio.gather(
        query.get(f"/v1/restaurants/{restaurant}/orders?q=pizza+wine"),
        query.get(f"/v1/restaurants/{other.restaurant}/orders"),
    )

    assert (search.status_code, search.json()["code"]) == (503, "too-slow")
    assert int(search.headers["Retry-After"]) > 0
    assert (listed.status_code, len(listed.json()["orders"])) == (200, 1)


def _found_by(shown: dict[str, Any], order_id: str, word: str) -> dict[str, Any]:
    return {**shown, "_id": order_id, "order": {**shown["order"], "found_by": ["order:", word]}}
