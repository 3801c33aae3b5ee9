"""A guest who is forgotten is in no store: no reader finds him, nor are his bytes in its files."""

import contextlib
import json
import uuid
from collections.abc import AsyncIterator, Iterator
from pathlib import Path
from typing import Any

import asyncpg
import pytest
from comanda_contracts.streams import Stream
from comanda_local.stack import DATABASE_URL, MONGODB_URL, NATS_URL, Stack
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from pymongo import AsyncMongoClient
from service_kit.nats.jetstream import connected, jetstream
from service_kit.nats.past import direct_batch

from tests.e2e.restaurant import Json, Refused, Restaurant, lines
from tests.support.eventually import eventually

pytestmark = pytest.mark.xdist_group("stack")

KEPT_FOR_A_WHILE = ("pg_wal", "journal", "WiredTigerHS.wt")
"""What is written ahead, or kept for readers of a moment ago, and goes with time: see
`docs/privacy.md`.
"""
HISTORY = "minSnapshotHistoryWindowInSeconds"
HISTORY_S = 300
"""Seconds for which MongoDB keeps what was, for readers that began before: its default."""


SELECT_TABLES = "SELECT tablename AS name FROM pg_tables WHERE schemaname = 'public'"


class Guest:
    """Somebody of whom nobody else has a name, a phone number, a wish or a waiter."""

    def __init__(self) -> None:
        unique = uuid.uuid4().hex[:16]
        self.customer, self.note = f"Zebulon {unique}", f"no basil for {unique}"
        self.actor = f"waiter-{unique}"
        self.phone = f"+39 {uuid.uuid4().int % 10**15:015d}"

    @property
    def order(self) -> Json:
        """What is ordered for the guest."""
        noted = [lines()[0] | {"note": self.note}, lines()[1]]
        party = {"channel": "takeaway", "customer": self.customer, "phone": self.phone}
        return party | {"lines": noted}

    @property
    def traces(self) -> list[str]:
        """What must be nowhere: each is searched for as it is."""
        return [self.customer.split()[1], self.phone, self.phone.split()[1]]


class Stores:
    """All that a running stack keeps, as its operator reads it."""

    def __init__(self, stack: Stack) -> None:
        self._stack = stack
        self._folder = stack.folder
        self._oplog = ""

    async def mention(self, texts: list[str]) -> list[str]:
        """Where any of the texts is found by a reader."""
        return [
            f"{place}: {text}"
            async for place, content in self._read()
            for text in texts
            if text in content or text.encode().hex() in content
        ]

    def files_with(self, texts: list[str]) -> list[str]:
        """The files of the stores, and logs, in which any of the texts stands."""
        return [
            str(path.relative_to(self._folder))
            for path in self._files()
            if any(text.encode() in path.read_bytes() for text in texts)
        ]

    async def compact(self) -> None:
        """Have each store give up what is no longer in it, as an operator does."""
        connection = await asyncpg.connect(_dsn(self._stack))
        for table in ("orders", "outbox", "answers"):
            await connection.execute(f"VACUUM FULL {table}")
        await connection.execute("CHECKPOINT")
        await connection.close()
        async with self._mongodb() as client:
            database = client.get_default_database()
            await client.admin.command({"setParameter": 1, HISTORY: 0})  # as if that had passed
            try:
                await database["later"].insert_one({})
                await client.admin.command("fsync")
                for name in await database.list_collection_names():
                    await database.command("compact", name, force=True)
                await client.admin.command("fsync")
            finally:
                await database["later"].drop()
                await client.admin.command({"setParameter": 1, HISTORY: HISTORY_S})

    async def _read(self) -> AsyncIterator[tuple[str, str]]:
        async for each in self._rows():
            yield each
        async for each in self._documents():
            yield each
        async for each in self._messages():
            yield each

    async def _rows(self) -> AsyncIterator[tuple[str, str]]:
        connection = await asyncpg.connect(_dsn(self._stack))
        for name in await connection.fetch(
            "SELECT tablename FROM pg_tables WHERE schemaname = 'public'"
        ):
            for row in await connection.fetch(f'SELECT t::text AS whole FROM "{name[0]}" AS t'):
                yield f"PostgreSQL, {name[0]}", row["whole"]
        await connection.close()

    async def _documents(self) -> AsyncIterator[tuple[str, str]]:
        async with self._mongodb() as client:
            database = client.get_default_database()
            for name in await database.list_collection_names():
                async for document in database[name].find():
                    yield f"MongoDB, {name}", repr(document)

    async def _messages(self) -> AsyncIterator[tuple[str, str]]:
        async with self.nats() as client:
            for info in await jetstream(client).streams_info():
                name, after = info.config.name or "", 0
                while found := await direct_batch(client, Stream(name, "", ""), {"seq": after + 1}):
                    for message in found:
                        headers = dict(message.headers or {})
                        after = int(headers["Nats-Sequence"])
                        yield f"NATS, {name}", f"{headers} {message.data.decode(errors='replace')}"

    @contextlib.asynccontextmanager
    async def nats(self) -> AsyncIterator[Client]:
        async with connected([self._stack.urls[NATS_URL]], "test") as client:
            yield client

    def _mongodb(self) -> AsyncMongoClient[dict[str, Any]]:
        return AsyncMongoClient(self._stack.urls[MONGODB_URL])

    def _files(self) -> Iterator[Path]:
        for path in self._folder.rglob("*"):
            is_ahead = any(name in str(path) for name in KEPT_FOR_A_WHILE)
            if path.is_file() and not is_ahead and path.name != self._oplog:
                yield path

    async def find_oplog(self) -> None:
        """Learn in which file the oplog is, which is written ahead, too."""
        async with self._mongodb() as client:
            stats = await client["local"].command("collStats", "oplog.rs")
        uri = stats["wiredTiger"]["uri"].rpartition(":")[2]
        self._oplog = f"{uri}.wt"


async def test_a_guest_who_is_forgotten_is_in_no_store_nor_in_its_files(
    stack: Stack, restaurant: Restaurant
) -> None:
    guest, stores = Guest(), Stores(stack)
    await stores.find_oplog()
    request = {"Idempotency-Key": uuid.uuid4().hex, "Comanda-Actor": guest.actor}
    order = restaurant.place(guest.order, headers=request)
    restaurant.cook(order, 1)
    closed = restaurant.shows(order | {"version": 2}, "closed")
    async with stores.nats() as client:
        subject = f"orders.v1.{restaurant.slug}.{order['order_id']}.placed"
        damaged = json.dumps({"order": guest.order | {"order_id": order["order_id"]}}).encode()
        headers = {"ce-type": "comanda.order.placed.v1", "ce-subject": order["order_id"]}
        await jetstream(client).publish(subject, damaged, headers=headers)
        await eventually(lambda: letters_about(jetstream(client), guest, count=2))
    sales = f"/sales?from={order['business_day']}&to={order['business_day']}"
    restaurant.until(lambda: restaurant.read(sales)["totals"]["waiting"]["served"]["count"])
    totals = restaurant.read(sales)["totals"]
    assert await stores.mention(guest.traces)
    assert stores.files_with(guest.traces)

    forgotten = restaurant.forget(order)

    async def is_nowhere() -> bool:
        return not await stores.mention(guest.traces)

    await eventually(is_nowhere, within=60)
    view = restaurant.view(forgotten)
    changed = {"version": 3, "customer": None, "phone": None}
    assert {**view, **UNCOMPARED} == {**closed, **changed, **UNCOMPARED}
    assert {each["event"] for each in view["timeline"]} == {"forgotten"}
    assert [each["ticket"] | {"version": 4} for each in view["rounds"]] == [
        each["ticket"] for each in closed["rounds"]
    ]
    assert restaurant.read(sales)["totals"] == totals
    assert restaurant.forget(order) == forgotten
    assert restaurant.place(guest.order, headers=request) == forgotten
    await stores.compact()
    assert stores.files_with(guest.traces) == []


UNCOMPARED: Json = {"rounds": None, "timeline": None}


def test_the_guest_of_an_order_that_is_under_way_is_not_forgotten(restaurant: Restaurant) -> None:
    order = restaurant.takeaway("Ada")

    with pytest.raises(Refused, match="once it is over"):
        restaurant.forget(order)


def _dsn(stack: Stack) -> str:
    return stack.urls[DATABASE_URL].replace("+asyncpg", "")


async def letters_about(js: JetStreamContext, guest: Guest, count: int) -> bool:
    """Whether so many dead letters have the guest's name."""
    found, sequence = 0, 0
    while True:
        with contextlib.suppress(UnicodeDecodeError):
            try:
                message = await js.get_msg("DEAD_LETTERS", sequence + 1, subject=">", next=True)
            except NotFoundError:
                return found >= count
            sequence = message.seq or sequence + 1
            found += guest.customer in (message.data or b"").decode()
