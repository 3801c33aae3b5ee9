"""The roles of the one entry point, and what each leaves to the others."""

import asyncio
import os
import sys

import pytest
from comanda_contracts.streams import ORDERS
from comanda_local.servers import Nats
from nats.aio.client import Client
from query.bootstrap import Role

from tests.query.builders import an_order, placed
from tests.query.running import is_ok, lag_of, left_over, publish, running_service
from tests.support.eventually import eventually


async def test_one_replica_projects_what_another_answers(
    nats: Client, nats_server: Nats, fresh_mongodb_url: str, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant)
    path = f"/v1/restaurants/{restaurant}/orders/{order.order_id}"
    servers = nats_server.url, fresh_mongodb_url

    async with (
        running_service(*servers, Role.API) as api,
        running_service(*servers, Role.PROJECTOR) as projector,
    ):
        await publish(nats, placed(order))

        await eventually(lambda: api.get(path), is_ok)
        await eventually(lambda: projector.get("/health/ready"), is_ok)
        assert (await projector.get(path)).status_code == 404
        assert is_ok(await projector.get("/metrics"))


async def test_the_api_alone_projects_nothing(
    nats: Client, nats_server: Nats, fresh_mongodb_url: str
) -> None:
    await publish(nats, placed(an_order()))

    async with running_service(nats_server.url, fresh_mongodb_url, Role.API) as api:
        await eventually(lambda: lag_of(api), lambda state: "ORDERS is" in state)

        assert await left_over(nats, ORDERS) == 1


@pytest.mark.servers
@pytest.mark.parametrize("command", ["api", "projector"])
async def test_each_role_is_a_command(command: str, tmp_path: os.PathLike[str]) -> None:
    environment = {k: v for k, v in os.environ.items() if not k.startswith("COMANDA_")}
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "query", command),
        env=environment,
        cwd=tmp_path,
        stderr=asyncio.subprocess.PIPE,
    )
    _, errors = await process.communicate()

    assert process.returncode == 2
    assert b"COMANDA_MONGODB_URL" in errors
