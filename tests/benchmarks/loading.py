"""Brings a past into the contestants' stores, ahead of the questions."""

import itertools
import json
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from contextlib import asynccontextmanager
from typing import Any, TypeVar

import asyncpg
from comanda_contracts import Message
from comanda_contracts.streams import ORDERS, TICKETS
from nats.aio.client import Client
from service_kit.nats.jetstream import publish_all
from service_kit.nats.set_up import set_up_stream

from tests.benchmarks.history import Past
from tests.benchmarks.orders import ELSEWHERE, MENU, RESTAURANT

WINDOW = 2000
"""Messages in flight, and orders in one statement."""

ORDER_COLUMNS = (
    *("id", "restaurant", "number", "business_day", "channel", "table", "guests", "customer"),
    *("phone", "currency", "status", "total", "placed_at", "started_at", "ready_at"),
)
LINE_COLUMNS = ("order_id", "position", "sku", "name", "unit_price", "quantity", "note")

Thing = TypeVar("Thing")


@asynccontextmanager
async def connected(database: str) -> AsyncIterator[asyncpg.Connection]:
    """A connection to what SQLAlchemy's URL names."""
    connection = await asyncpg.connect(database.replace("+asyncpg", "", 1))
    try:
        yield connection
    finally:
        await connection.close()


async def load_crud_menu(database: str) -> None:
    """Put the menu on sale in every restaurant."""
    items = [
        (restaurant, item.sku, item.name, item.category, item.price)
        for restaurant in (RESTAURANT, *ELSEWHERE)
        for item in MENU
    ]
    async with connected(database) as connection:
        await connection.copy_records_to_table("crud_menu_items", records=items)


async def load_crud(database: str, past: Past) -> None:
    """Copy the past into the CRUD service's tables, and have the planner know of it."""
    async with connected(database) as connection:
        for some in batches(past.rows()):
            orders, lines = zip(*some, strict=True)
            await connection.copy_records_to_table(
                "crud_orders", records=orders, columns=ORDER_COLUMNS
            )
            await connection.copy_records_to_table(
                "crud_lines", records=itertools.chain(*lines), columns=LINE_COLUMNS
            )
        await connection.execute("VACUUM ANALYZE")


async def load_ordering(database: str, past: Past) -> None:
    """Copy the past into ordering's table, without events."""
    async with connected(database) as connection:
        for some in batches(past.ordering_rows()):
            await copy(connection, "orders", some)
        await connection.execute("VACUUM ANALYZE")


async def copy(
    connection: asyncpg.Connection, table: str, rows: Iterable[Mapping[str, Any]]
) -> None:
    """Copy rows of the same columns into a table; what has parts becomes JSON."""
    rows = list(rows)
    records = [[_flat(value) for value in row.values()] for row in rows]
    await connection.copy_records_to_table(table, records=records, columns=list(rows[0]))


def _flat(value: Any) -> Any:
    return json.dumps(value) if isinstance(value, dict | list | tuple) else value


async def publish(client: Client, messages: Iterable[Message]) -> int:
    """Publish the messages to their streams, many in flight. Returns how many they were."""
    for stream in (ORDERS, TICKETS):
        await set_up_stream(client.jetstream(), stream, replicas=1)
    published = 0
    for window in batches(messages):
        for outcome in await publish_all(client, window, timeout=60):
            if isinstance(outcome, Exception):
                raise outcome
        published += len(window)
    return published


def batches(things: Iterable[Thing], size: int = WINDOW) -> Iterator[list[Thing]]:
    """The things in lists of this size; the last one is what is left."""
    remaining = iter(things)
    while some := list(itertools.islice(remaining, size)):
        yield some
