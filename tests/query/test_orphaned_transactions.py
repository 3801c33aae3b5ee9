"""What a process that was killed had begun to write does not keep others waiting for long."""

import asyncio
import sys
from collections.abc import Iterator

import pytest
from comanda_local.folders import temporary_folder
from comanda_local.servers import MongoDB, Nats
from nats.aio.client import Client as NatsClient
from pymongo import MongoClient
from pymongo.asynchronous.client_session import AsyncClientSession
from query.bootstrap import Role
from query.storage.client import Client, Database
from query.storage.orphaned_transactions import end_orphaned_transactions

from tests.query.builders import an_order, placed
from tests.query.running import publish, quiet, running_service

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("abandoned")]

SOON = 40.0
"""Seconds, on a busy machine: MongoDB itself waits for a minute at least."""
WRITE_AND_DIE = """
import asyncio, os, sys
from query.storage.client import connect

async def write_and_die(url, key):
    client, database = connect(url)

    async def write(session):
        await database["orders-1"].insert_one({"_id": key}, session=session)
        os.kill(os.getpid(), 9)

    async with client, client.start_session() as session:
        await session.with_transaction(write)

asyncio.run(write_and_die(*sys.argv[1:]))
"""


@pytest.fixture(scope="module")
def guarded_mongodb() -> Iterator[str]:
    """The URL of a server that lets nobody but this user in, who may do what operators grant."""
    with temporary_folder() as folder:
        open_to_all = MongoDB(folder)
        open_to_all.start()
        with MongoClient[dict[str, object]](open_to_all.url) as client:
            rights = [{"role": "readWrite", "db": "comanda"}]
            client["comanda"].command("createUser", "query", pwd="secret", roles=rights)
            client["comanda"].create_collection("orders-1")
        open_to_all.stop()

        key = folder / "key"
        key.write_text("bm90IGEgc2VjcmV0")
        key.chmod(0o600)
        guarded = MongoDB(folder, open_to_all.port, more=("--keyFile", str(key)))
        guarded.start()
        yield guarded.url.replace("mongodb://", "mongodb://query:secret@")
        guarded.stop()


@pytest.fixture
def fresh_mongodb_url(guarded_mongodb: str) -> str:
    """What `database` connects to: here the tests share one."""
    return guarded_mongodb


@pytest.fixture
def client(database: Database) -> Client:
    return database.client


async def killed_while_it_wrote(url: str, key: str) -> None:
    """Leave a transaction behind that has written a document by this key."""
    process = await asyncio.create_subprocess_exec(sys.executable, "-c", WRITE_AND_DIE, url, key)
    assert await process.wait() == -9


async def test_an_order_is_projected_soon_after_another_replica_was_killed_writing_it(
    guarded_mongodb: str, nats_server: Nats, nats: NatsClient
) -> None:
    order = an_order()
    await killed_while_it_wrote(guarded_mongodb, str(order.order_id))

    async with running_service(nats_server.url, guarded_mongodb, Role.PROJECTOR):
        await publish(nats, placed(order))

        await quiet(nats, within=SOON)


async def test_a_transaction_that_is_silent_is_ended_and_nothing_of_it_stays(
    guarded_mongodb: str, client: Client, database: Database
) -> None:
    await killed_while_it_wrote(guarded_mongodb, "silent")

    assert await end_orphaned_transactions(client, idle_s=0) == 1

    assert await database["orders-1"].find_one({"_id": "silent"}) is None
    async with asyncio.timeout(SOON):
        await database["orders-1"].insert_one({"_id": "silent"})


async def test_one_that_is_at_work_is_not_ended(client: Client, database: Database) -> None:
    async def work(session: AsyncClientSession) -> None:
        await database["orders-1"].insert_one({"_id": "at work"}, session=session)

        assert await end_orphaned_transactions(client, idle_s=SOON) == 0

    async with client.start_session() as session:
        await session.with_transaction(work)


async def test_who_was_only_held_up_does_it_again(client: Client, database: Database) -> None:
    ended: list[int] = []

    async def held_up_at_first(session: AsyncClientSession) -> None:
        await database["orders-1"].insert_one({"_id": "held up"}, session=session)
        ended.append(0 if ended else await end_orphaned_transactions(client, idle_s=0))

    async with client.start_session() as session:
        await session.with_transaction(held_up_at_first)

    assert ended == [1, 0]
    assert await database["orders-1"].find_one({"_id": "held up"})
