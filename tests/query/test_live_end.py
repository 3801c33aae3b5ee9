"""The end of a replica that has readers: the service as a process of its own."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from comanda_local.ports import free_port
from comanda_local.servers import Nats
from comanda_local.services import Service
from query.storage.client import Database
from query.storage.generations import Generations
from query.storage.menus import MongoMenus
from query.storage.orders.store import MongoOrders
from query.views.menu import view_of

from tests.query.builders import an_order, opened, placed
from tests.query.conftest import store
from tests.query.screen import watching


@pytest.fixture
async def service(
    fresh_mongodb_url: str, nats_server: Nats, tmp_path: Path
) -> AsyncIterator[Service]:
    """The service beside a NATS that may have no streams: it answers all the same."""
    urls = {"COMANDA_MONGODB_URL": fresh_mongodb_url, "COMANDA_NATS_URL": nats_server.url}
    service = Service("query", free_port(), tmp_path, urls)
    with contextlib.ExitStack() as ends:
        ends.callback(service.kill)
        service.start()
        await asyncio.to_thread(service.wait_until_ready)
        yield service


async def test_all_feeds_come_to_their_end_when_the_service_is_told_to_stop(
    service: Service, database: Database, restaurant: str
) -> None:
    generations, order = Generations(database), an_order(restaurant=restaurant)
    await MongoMenus(generations).merge_restaurants([view_of(opened(restaurant))])
    await store(MongoOrders(generations), placed(order))
    venue = f"/v1/restaurants/{restaurant}"
    paths = [f"{venue}/orders/live", f"{venue}/orders/{order.order_id}/live", f"{venue}/board/live"]

    async with contextlib.AsyncExitStack() as open_feeds:
        screens = [
            await open_feeds.enter_async_context(watching(service.url, path)) for path in paths
        ]
        for screen in screens:
            await screen.next()
        stopping = asyncio.create_task(asyncio.to_thread(service.stop))
        left = await asyncio.gather(*(screen.rest() for screen in screens))

        assert left == [[], [], []]
        assert await stopping == 0
