"""The relay with a backlog: how fast the outbox empties, each order's events in their order."""

import asyncio

import nats
from comanda_contracts.streams import ORDERS
from comanda_local.folders import temporary_folder
from comanda_local.stack import DATABASE_URL, NATS_URL
from nats.js import JetStreamContext
from ordering.outbound.outbox.outbox import outbox_row
from uuid_utils.compat import uuid7

from tests.benchmarks.contestants import comanda
from tests.benchmarks.figures import Figures
from tests.benchmarks.history import Past, placed_and_closed
from tests.benchmarks.loading import batches, connected, copy

RELAYED_WITHIN = 600.0


async def measure(*, orders: int) -> Figures:
    """One round: two events of each order wait when ordering starts."""
    past = Past.of(orders)
    with temporary_folder() as folder, comanda(folder) as stack:
        for service in stack.services.values():
            service.stop()
        await _fill(stack.urls[DATABASE_URL], past)
        stack.services["ordering"].start()
        async with await nats.connect(stack.urls[NATS_URL]) as client:
            return {"comanda.relay": await _relayed(client.jetstream(), 2 * orders)}


async def _fill(database: str, past: Past) -> None:
    rows = (
        outbox_row(event, event_id=uuid7(), trace={})
        for order in past.orders()
        for event in placed_and_closed(order)
    )
    async with connected(database) as connection:
        for some in batches(rows):
            await copy(connection, "outbox", some)


async def _relayed(js: JetStreamContext, count: int) -> float:
    """Events a second, by the times at which the stream stored the first and the last."""
    async with asyncio.timeout(RELAYED_WITHIN):
        while (await js.stream_info(ORDERS.name)).state.messages < count:
            await asyncio.sleep(0.1)
    first, last = await js.get_msg(ORDERS.name, 1), await js.get_msg(ORDERS.name, count)
    assert first.time is not None  # as every stored message has one
    assert last.time is not None
    return (count - 1) / (last.time - first.time).total_seconds()
