"""Reads go on while MongoDB has no primary, and promise no more than they can keep."""

import asyncio
import contextlib
from collections.abc import Iterator

import httpx
import pytest
from comanda_local.servers import Nats
from nats.aio.client import Client
from query.bootstrap import Role

from tests.query.builders import NOON, an_order, closed, offered, opened, placed
from tests.query.replica_set import ReplicaSet, a_replica_set
from tests.query.running import is_ok, publish, quiet, running_service
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


@pytest.fixture
def replica_set() -> Iterator[ReplicaSet]:
    with a_replica_set() as members:
        yield members


async def test_reads_go_on_through_an_election(
    nats: Client, nats_server: Nats, replica_set: ReplicaSet, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant)
    venue = f"/v1/restaurants/{restaurant}"
    one, listed = f"{venue}/orders/{order.order_id}", f"{venue}/orders"
    after = f"after={order.order_id}"
    sales = f"{venue}/sales?from={NOON.date()}&to={NOON.date()}"
    answered = [one, f"{one}/timeline", listed, f"{listed}?sort=-total", f"{venue}/tables"]
    answered += [f"{venue}/board", f"{venue}/menu", sales, f"{listed}?table=4&channel=dine_in"]
    answered += [f"{venue}/sales/top?day={NOON.date()}"]

    async with contextlib.AsyncExitStack() as running:
        servers = nats_server.url, replica_set.url
        api = await running.enter_async_context(
            running_service(*servers, Role.API, min_version_wait=0.5)
        )
        projector = await running.enter_async_context(running_service(*servers, Role.PROJECTOR))
        for each in (api, projector):
            await eventually(lambda: each.get("/health/ready"), is_ok)  # noqa: B023 - awaited here
        await publish(nats, opened(restaurant), offered(restaurant, "tea"), placed(order))
        await quiet(nats)
        await eventually(lambda: api.get(f"{venue}/sales/top?day={NOON.date()}"), is_ok)
        for path in answered:
            assert is_ok(await api.get(path))
        await asyncio.to_thread(replica_set.until_all_have_all)

        await asyncio.to_thread(replica_set.kill_primary)

        for path in answered:
            assert is_ok(answer := await api.get(path)), (path, answer.text)
            # what the primary had answered may be given again for two seconds
            await eventually(lambda: api.get(path), is_aged)  # noqa: B023 - awaited here
        # once the driver has heard what the members have, it stays so
        await eventually(lambda: stands_still(api, sales), bool)
        health = await eventually(lambda: api.get("/health/ready"), is_without_primary)
        assert is_ok(health), health.text
        await publish(nats, closed(order))
        assert await refusal(api, f"{one}?min_version=2") == "behind"
        assert is_ok(await api.get(f"{one}?min_version=1"))
        assert await refusal(api, f"{listed}?{after}:1") == "store-unavailable"
        assert is_ok(await api.head(f"{venue}/board/live"))  # silent until there is a primary

        await asyncio.to_thread(replica_set.elect)

        shown = await eventually(lambda: api.get(f"{one}?min_version=2"), is_ok)
        assert shown.json()["status"] == "closed"
        for path in (listed, f"{venue}/tables", f"{venue}/board"):
            assert is_ok(await eventually(lambda: api.get(f"{path}?{after}:2"), is_ok))  # noqa: B023
        assert "age" not in (await api.get(one)).headers
        for each in (api, projector):
            await eventually(lambda: each.get("/health/ready"), is_ok)  # noqa: B023 - awaited here


def is_aged(answer: httpx.Response) -> bool:
    return is_ok(answer) and "age" in answer.headers


async def stands_still(api: httpx.AsyncClient, sales: str) -> bool:
    """Whether two answers about sales are as of the same time."""
    first, second = [(await api.get(sales)).json()["as_of"] for _ in range(2)]
    return bool(first == second)


def is_without_primary(health: httpx.Response) -> bool:
    return "no primary" in health.json()["components"]["mongodb-primary"]


async def refusal(api: httpx.AsyncClient, path: str) -> str:
    """The code of the problem that the path is refused with now."""
    answer = await api.get(path)
    assert answer.status_code == 503, answer.text
    code: str = answer.json()["code"]
    return code
