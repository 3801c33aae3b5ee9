"""Pages of a list that is read while orders come and change: nothing is skipped or repeated."""

import asyncio
import random
from dataclasses import replace

import pytest
from comanda_contracts import Order, OrderStatus
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from query.storage.client import Database
from query.storage.generations import Generations
from query.storage.orders.lists import MongoLists
from query.storage.orders.store import MongoOrders
from query.views.merge import Document
from query.views.orders.list_query import ListQuery, PagePosition, Sort
from query.views.orders.status import ACTIVE, ViewStatus
from query.views.ports import PageExpired

from tests.query.builders import a_restaurant, after, an_order, placed
from tests.query.conftest import store

SOME_TIMES = st.integers(0, 3).map(after)
SOME_TOTALS = st.integers(0, 3).map(lambda euros: euros * 100)

on_a_real_store = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


def its_id(document: Document) -> bytes:
    """What the lists show of an order here."""
    return str(document["_id"]).encode()


@pytest.fixture
def lists(database: Database) -> MongoLists:
    return MongoLists(Generations(database), render=its_id)


class Restaurant:
    """A restaurant whose orders come and change."""

    def __init__(self, orders: MongoOrders, draw: st.DataObject) -> None:
        self.name = a_restaurant()
        self.known: dict[str, Order] = {}
        self._orders = orders
        self._draw = draw.draw

    async def happen(self) -> None:
        """An order comes, changes its total, or is over."""
        what = self._draw(st.sampled_from(["comes", "comes", "changes", "ends"]))
        if what == "comes" or not self.known:
            order = an_order(
                restaurant=self.name,
                placed_at=self._draw(SOME_TIMES),
                total=self._draw(SOME_TOTALS),
            )
        else:
            order = self._draw(st.sampled_from(list(self.known.values())))
            change = {"total": self._draw(SOME_TOTALS)} if what == "changes" else OVER
            order = order.model_copy(update={**change, "version": order.version + 1})
        self.known[str(order.order_id)] = order
        await store(self._orders, placed(order))

    def active(self) -> set[str]:
        return {name for name, each in self.known.items() if each.status is OrderStatus.OPEN}


OVER = {"status": OrderStatus.CLOSED}


@on_a_real_store
@given(
    data=st.data(),
    sort=st.sampled_from([Sort.NEWEST, Sort.OLDEST]),
    statuses=st.sampled_from([frozenset(ViewStatus), ACTIVE]),
)
async def test_by_time_an_order_that_is_in_the_list_all_the_while_is_on_one_page(
    orders: MongoOrders,
    lists: MongoLists,
    data: st.DataObject,
    sort: Sort,
    statuses: frozenset[ViewStatus],
) -> None:
    restaurant = Restaurant(orders, data)
    for _ in range(data.draw(st.integers(1, 8))):
        await restaurant.happen()
    listing = ListQuery(restaurant.name, sort, statuses)
    wanted = restaurant.active() if statuses == ACTIVE else set(restaurant.known)

    listed: list[str] = []
    place, is_first = None, True
    while place or is_first:
        page = await lists.page(listing, place, data.draw(st.integers(1, 3)))
        listed += [each.decode() for each in page.orders]
        place, is_first = page.end, False
        for _ in range(data.draw(st.integers(0, 2)) if place else 0):
            await restaurant.happen()

    assert len(listed) == len(set(listed))
    all_the_while = wanted & restaurant.active() if statuses == ACTIVE else wanted
    assert all_the_while <= set(listed)


@on_a_real_store
@given(data=st.data(), sort=st.sampled_from([Sort.DEAREST, Sort.CHEAPEST]))
async def test_by_total_the_list_is_what_it_was_when_its_first_page_was_read(
    orders: MongoOrders, lists: MongoLists, data: st.DataObject, sort: Sort
) -> None:
    restaurant = Restaurant(orders, data)
    for _ in range(data.draw(st.integers(1, 8))):
        await restaurant.happen()
    listing = ListQuery(restaurant.name, sort)
    as_it_was = sorted(
        restaurant.known,
        key=lambda each: (restaurant.known[each].total, each),
        reverse=sort.is_descending,
    )

    page = await lists.page(listing, None, 2)
    listed = [each.decode() for each in page.orders]
    while page.end:
        await restaurant.happen()
        page = await lists.page(listing, page.end, 2)
        listed += [each.decode() for each in page.orders]

    assert listed == as_it_was


@pytest.mark.parametrize("sort", Sort)
async def test_nothing_is_skipped_or_repeated_while_others_write(
    orders: MongoOrders, lists: MongoLists, restaurant: str, sort: Sort
) -> None:
    chance = random.Random(7)
    known = [
        an_order(restaurant=restaurant, placed_at=after(number // 5), total=number // 5)
        for number in range(200)
    ]
    await store(orders, *map(placed, known))
    is_over = asyncio.Event()

    async def write() -> None:
        version = 1
        while not is_over.is_set():
            version += 1
            changed = [
                each.model_copy(update={"version": version, "total": chance.randrange(40)})
                for each in chance.sample(known, 20)
            ]
            new = an_order(
                restaurant=restaurant, placed_at=after(chance.randrange(40)), total=version % 40
            )
            await store(orders, *map(placed, [*changed, new]))

    writing = asyncio.create_task(write())
    page = await lists.page(ListQuery(restaurant, sort), None, 7)
    listed = [each.decode() for each in page.orders]
    while page.end:
        page = await lists.page(ListQuery(restaurant, sort), page.end, 7)
        listed += [each.decode() for each in page.orders]
    is_over.set()
    await writing

    assert len(listed) == len(set(listed))
    assert {str(each.order_id) for each in known} <= set(listed)


@pytest.mark.parametrize("change", [{"seconds": 1}, {"generation": 0}])
async def test_a_list_by_total_that_was_first_read_too_long_ago_is_not_read_on(
    orders: MongoOrders, lists: MongoLists, restaurant: str, change: dict[str, int]
) -> None:
    await store(orders, *(placed(an_order(restaurant=restaurant)) for _ in range(3)))
    listing = ListQuery(restaurant, Sort.DEAREST)
    place = (await lists.page(listing, None, 1)).end
    assert place
    assert place.snapshot

    with pytest.raises(PageExpired):
        await lists.page(
            listing, PagePosition(place.key, place.order_id, replace(place.snapshot, **change)), 1
        )
