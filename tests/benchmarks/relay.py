"""The relay with a backlog: how fast the outbox empties, each order's events in their order."""

import asyncio
import json
from datetime import UTC, datetime

import asyncpg
import nats
from comanda_contracts import Order, OrderClosed, OrderPlaced, OrderStatus
from comanda_contracts.streams import ORDERS
from comanda_local.places import temporary_folder
from comanda_local.stack import DATABASE_URL, NATS_URL
from nats.js import JetStreamContext
from ordering.outbound.outbox import outbox_row
from uuid_utils.compat import uuid7

from tests.benchmarks.contestants import comanda
from tests.benchmarks.figures import Figures
from tests.benchmarks.history import Past

COLUMNS = ("partition", "aggregate", "subject", "headers", "body")
RELAYED_WITHIN = 600.0


async def measure(*, orders: int) -> Figures:
    """One round: two events of each order wait when ordering starts."""
    past = Past.of(orders, until=datetime.now(UTC))
    with temporary_folder() as folder, comanda(folder) as stack:
        for service in stack.services.values():
            service.stop()
        await _fill(stack.urls[DATABASE_URL], past)
        stack.services["ordering"].start()
        async with await nats.connect(stack.urls[NATS_URL]) as client:
            return {"comanda.relay": await _relayed(client.jetstream(), 2 * orders)}


async def _fill(database: str, past: Past) -> None:
    rows = [
        outbox_row(event, event_id=uuid7(), trace={})
        for order in past.orders
        for event in (OrderPlaced(order=order, at=order.placed_at), _closed(order))
    ]
    records = [
        tuple(json.dumps(row[name]) if name == "headers" else row[name] for name in COLUMNS)
        for row in rows
    ]
    connection = await asyncpg.connect(database.replace("+asyncpg", "", 1))
    try:
        await connection.copy_records_to_table("outbox", records=records, columns=COLUMNS)
    finally:
        await connection.close()


def _closed(order: Order) -> OrderClosed:
    closed = order.model_copy(update={"version": 2, "status": OrderStatus.CLOSED})
    return OrderClosed(order=closed, at=order.placed_at)


async def _relayed(js: JetStreamContext, count: int) -> float:
    """Events a second, by the times at which the stream stored the first and the last."""
    async with asyncio.timeout(RELAYED_WITHIN):
        while (await js.stream_info(ORDERS.name)).state.messages < count:
            await asyncio.sleep(0.1)
    first, last = await js.get_msg(ORDERS.name, 1), await js.get_msg(ORDERS.name, count)
    assert first.time is not None  # as every stored message has one
    assert last.time is not None
    return (count - 1) / (last.time - first.time).total_seconds()
