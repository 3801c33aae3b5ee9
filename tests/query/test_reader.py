"""Query's API on a MongoDB where it may only read; whatever is written its projector writes."""

import asyncio
import secrets
from collections.abc import AsyncIterator
from functools import partial

import httpx
import pytest
from comanda_contracts.streams import ACCESS
from comanda_local.folders import temporary_folder
from comanda_local.ports import LOOPBACK
from comanda_local.servers import MongoDB, Nats
from nats.aio.client import Client
from pymongo import AsyncMongoClient
from pymongo.errors import OperationFailure
from query.bootstrap import Role

from tests.query.builders import an_order, placed
from tests.query.running import is_ok, publish, running_service, set_up
from tests.support.eventually import eventually

ROLES = {"query": "read", "query-projector": "readWrite"}
"""As deploy/mongodb/set-up.js and the production overlay have them."""
WORD = "p1"

MongoUrls = dict[str, str]
"""By user."""


@pytest.fixture
async def urls() -> AsyncIterator[MongoUrls]:
    """Of a MongoDB that lets in nobody but these users."""
    with temporary_folder() as folder:
        key = folder / "key"
        key.write_text(secrets.token_hex(32))
        key.chmod(0o400)
        server = MongoDB(folder / "mongodb")
        await asyncio.to_thread(server.start)
        async with AsyncMongoClient[dict[str, object]](server.url) as client:
            for user, role in ROLES.items():
                roles = [{"role": role, "db": "comanda"}]
                await client.comanda.command("createUser", user, pwd=WORD, roles=roles)
        server.stop()
        guarded = MongoDB(folder / "mongodb", server.port, more=["--auth", "--keyFile", str(key)])
        await asyncio.to_thread(guarded.start)
        host = f"{LOOPBACK}:{server.port}"
        yield {user: f"mongodb://{user}:{WORD}@{host}/comanda?replicaSet=rs0" for user in ROLES}
        guarded.stop()


def is_all_ready(page: httpx.Response) -> bool:
    return set(page.json()["components"].values()) == {"ready"}


async def test_an_api_that_may_only_read_answers_and_whoever_projects_writes(
    urls: MongoUrls, nats: Client, nats_server: Nats, restaurant: str
) -> None:
    order = an_order(restaurant=restaurant)
    here = f"/v1/restaurants/{restaurant}/orders"
    await set_up(nats, ACCESS)

    async with running_service(nats_server.url, urls["query"], Role.API) as api:
        await eventually(lambda: api.get("/health/ready"), is_ok)  # before anything was projected
        async with running_service(nats_server.url, urls["query-projector"], Role.PROJECTOR) as it:
            await publish(nats, placed(order))
            await eventually(lambda: api.get(f"{here}/{order.order_id}?min_version=1"), is_ok)
            answers = [await api.get(path) for path in (here, f"{here}?status=placed")]
            for each in (api, it):
                await eventually(partial(each.get, "/health/ready"), is_all_ready)

    assert [each.status_code for each in answers] == [200, 200]
    async with AsyncMongoClient[dict[str, object]](urls["query"]) as reader:
        kept = await reader.comanda.checkpoints.count_documents({})
        with pytest.raises(OperationFailure, match="not authorized"):
            await reader.comanda.checkpoints.delete_many({})
    assert kept > 0
