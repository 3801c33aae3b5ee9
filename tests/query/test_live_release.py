"""A live feed lets go of what its reader has: of each snapshot, also while nothing changes."""

import asyncio
import contextlib
import weakref
from collections.abc import AsyncIterator, MutableMapping
from typing import Any

import pytest
from comanda_contracts import Order
from comanda_contracts.examples import ORDER_ID
from query.api.http.responses import order_as_json
from query.api.live_routes import live_routes
from query.live.feeds import MongoLiveOrders
from query.views.merge import Document
from query.views.ports import Feed, LiveOrders, LiveUpdate
from service_kit.http.server import application

from tests.query.builders import an_order, closed, placed
from tests.query.conftest import store
from tests.query.replicas import a_replica
from tests.support.admission import own_admission
from tests.support.tokens import bearer
from tests.support.traced import traced


class Untold:
    """A cache that nobody asks."""

    def invalidate(self, restaurant: str) -> None: ...
    def invalidate_all(self) -> None: ...


@pytest.mark.parametrize("feed", ["one", "active"])
async def test_once_an_order_has_changed_nobody_holds_it_as_it_was(
    fresh_mongodb_url: str, restaurant: str, feed: str
) -> None:
    rendered: list[weakref.ref[Any]] = []

    def render(document: Document) -> bytes:
        json, life = traced(order_as_json(document))
        rendered.append(life)
        return json

    order = an_order(restaurant=restaurant)
    async with a_replica(fresh_mongodb_url) as replica:
        await store(replica.orders, placed(order))
        live = MongoLiveOrders(replica.generations, replica.changes, render=render, cache=Untold())
        async with opened_feed(live, feed, order) as updates:
            assert (await anext(updates)) is not None
            await store(replica.orders, closed(order))
            assert (await anext(updates)) is not None

            first, *_ = rendered
            assert first() is None


def opened_feed(live: LiveOrders, feed: str, order: Order) -> Feed:
    if feed == "one":
        return live.order(order.restaurant, str(order.order_id))
    return live.active(order.restaurant, None)


class OneUpdate:
    """The port `LiveOrders` with one update, and none after it."""

    def __init__(self, update: LiveUpdate) -> None:
        self._updates = [update]
        self.is_quiet = asyncio.Event()

    def order(self, restaurant: str, order_id: str) -> Feed:
        del order_id
        return self.active(restaurant, None)

    @contextlib.asynccontextmanager
    async def active(
        self, restaurant: str, after: str | None
    ) -> AsyncIterator[AsyncIterator[LiveUpdate | None]]:
        del restaurant, after
        yield self._feed()

    async def _feed(self) -> AsyncIterator[LiveUpdate]:
        while self._updates:
            yield self._updates.pop()
        self.is_quiet.set()
        await asyncio.Event().wait()


@pytest.mark.parametrize("is_snapshot", [True, False])
@pytest.mark.parametrize("path", ["orders/live", f"orders/{ORDER_ID}/live"])
async def test_a_quiet_feed_holds_nothing_of_what_it_has_sent(path: str, is_snapshot: bool) -> None:
    json, life = traced(b"{}")
    orders = OneUpdate(LiveUpdate("1.1.1.0", [json], is_snapshot=is_snapshot))
    del json
    app = application("query", "", [], admission=own_admission())
    app.include_router(live_routes(orders, None, None, None))  # type: ignore[arg-type]

    feed = asyncio.create_task(app(get(f"/v1/restaurants/la-piazza/{path}"), never, ignored))
    await orders.is_quiet.wait()

    assert life() is None
    feed.cancel()
    await asyncio.gather(feed, return_exceptions=True)


def get(path: str) -> dict[str, Any]:
    return {
        "type": "http",
        "asgi": {"spec_version": "2.4"},
        "method": "GET",
        "path": path,
        "headers": [(b"authorization", bearer()["Authorization"].encode())],
        "query_string": b"",
    }


async def never() -> MutableMapping[str, Any]:
    return await asyncio.Event().wait()  # type: ignore[return-value]


async def ignored(message: MutableMapping[str, Any]) -> None:
    del message
