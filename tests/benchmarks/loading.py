"""Brings a past into the contestants' stores, ahead of the questions."""

import itertools
from collections.abc import Iterable

import asyncpg
from comanda_contracts import Message
from comanda_contracts.streams import ORDERS, TICKETS
from nats.aio.client import Client
from service_kit.jetstream import publish_all, set_up_stream

from tests.benchmarks.history import Past
from tests.benchmarks.orders import MENU, RESTAURANT

WINDOW = 2000

ORDER_COLUMNS = (
    *("id", "restaurant", "number", "business_day", "channel", "table", "guests", "customer"),
    *("phone", "currency", "status", "total", "placed_at", "started_at", "ready_at"),
)
LINE_COLUMNS = ("order_id", "position", "sku", "name", "unit_price", "quantity", "note")


async def load_crud_menu(database: str) -> None:
    """Put the menu on sale; `database` is SQLAlchemy's URL."""
    items = [(RESTAURANT, item.sku, item.name, item.category, item.price) for item in MENU]
    connection = await asyncpg.connect(database.replace("+asyncpg", "", 1))
    try:
        await connection.copy_records_to_table("crud_menu_items", records=items)
    finally:
        await connection.close()


async def load_crud(database: str, past: Past) -> None:
    """Copy the past into the CRUD service's tables, and have the planner know of it."""
    orders, lines = past.rows()
    connection = await asyncpg.connect(database.replace("+asyncpg", "", 1))
    try:
        await connection.copy_records_to_table("crud_orders", records=orders, columns=ORDER_COLUMNS)
        await connection.copy_records_to_table("crud_lines", records=lines, columns=LINE_COLUMNS)
        await connection.execute("VACUUM ANALYZE")
    finally:
        await connection.close()


async def publish(client: Client, messages: Iterable[Message]) -> int:
    """Publish the messages to their streams, many in flight. Returns how many they were."""
    for stream in (ORDERS, TICKETS):
        await set_up_stream(client.jetstream(), stream, replicas=1)
    published = 0
    sending = iter(messages)
    while window := list(itertools.islice(sending, WINDOW)):
        for outcome in await publish_all(client, window, timeout=60):
            if isinstance(outcome, Exception):
                raise outcome
        published += len(window)
    return published
