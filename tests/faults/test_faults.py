"""Nothing acknowledged is lost or doubled, whatever is killed during a load.

Each load is of a restaurant of its own, on one stack for all. What a fault meets is what the tills
and cooks have in flight, and a load goes on until the fault is over: more orders (2000, say, by
`COMANDA_FAULT_ORDERS`) make it longer, no harder. The counts are printed: `pytest tests/faults -rP`
shows them.
"""

import asyncio
import os
import signal
import time
from collections.abc import AsyncIterator
from dataclasses import replace

import nats
import pytest
from comanda_local.folders import temporary_folder
from comanda_local.services import Service
from comanda_local.stack import DATABASE_URL, NATS_URL, Server, Stack

from tests.faults.checks import outcome_of
from tests.faults.load import Load, under_load

pytestmark = [pytest.mark.xdist_group("faults"), pytest.mark.timeout(1500)]

ORDERS = int(os.environ.get("COMANDA_FAULT_ORDERS", "150"))
STOPPED = 10.0
"""Seconds for which the broker hangs."""


REDELIVERED = 3.0
"""Seconds after which what a killed service had taken comes again, rather than after 30."""


@pytest.fixture(scope="module")
async def stack() -> AsyncIterator[Stack]:
    with temporary_folder() as folder, Stack(folder, environment={}) as stack:
        await redeliver_soon(stack)
        yield stack


async def redeliver_soon(stack: Stack) -> None:
    """Set the wait of every durable consumer, as an operator may."""
    async with await nats.connect(stack.urls[NATS_URL]) as client:
        js = client.jetstream()
        for stream in await js.streams_info():
            for consumer in await js.consumers_info(stream.config.name or ""):
                if consumer.config.durable_name:
                    config = replace(consumer.config, ack_wait=REDELIVERED)
                    await js.add_consumer(consumer.stream_name, config)


async def test_nothing_is_lost_when_ordering_is_killed(stack: Stack) -> None:
    async with under_load(writers(stack), ORDERS, stack.issuer) as load:
        await load.reached(1 / 3)
        await killed_and_started(stack.services["ordering"])

    await nothing_is_lost_or_doubled("ordering killed", load, stack)


async def test_nothing_is_lost_when_serving_is_killed(stack: Stack) -> None:
    async with under_load(writers(stack), ORDERS, stack.issuer) as load:
        await load.reached(1 / 3)
        await killed_and_started(stack.services["serving"])

    await nothing_is_lost_or_doubled("serving killed", load, stack)


async def test_nothing_is_lost_when_both_relays_are_killed_in_turn(stack: Stack) -> None:
    second = await asyncio.to_thread(stack.replica, "ordering")

    async with under_load([*writers(stack), second], 2 * ORDERS, stack.issuer) as load:
        await load.reached(1 / 4)
        await killed_and_started(stack.services["ordering"])
        await load.reached(1 / 2)
        await killed_and_started(second)

    await nothing_is_lost_or_doubled("both relays killed in turn", load, stack)
    await asyncio.to_thread(second.stop)


async def test_nothing_is_lost_when_the_broker_is_killed(stack: Stack) -> None:
    async with under_load(writers(stack), ORDERS, stack.issuer) as load:
        await load.reached(1 / 3)
        await killed_and_started(stack.servers[NATS_URL])

    await nothing_is_lost_or_doubled("nats-server killed", load, stack)


async def test_nothing_is_lost_when_the_database_is_killed(stack: Stack) -> None:
    async with under_load(writers(stack), ORDERS, stack.issuer) as load:
        await load.reached(1 / 3)
        await killed_and_started(stack.servers[DATABASE_URL])

    await nothing_is_lost_or_doubled("PostgreSQL killed", load, stack)


async def test_nothing_is_lost_when_the_broker_hangs(stack: Stack) -> None:
    broker = stack.servers[NATS_URL].process.pid

    async with under_load(writers(stack), ORDERS, stack.issuer) as load:
        await load.reached(1 / 3)
        os.kill(broker, signal.SIGSTOP)
        try:
            await asyncio.sleep(STOPPED)
        finally:
            os.kill(broker, signal.SIGCONT)

    await nothing_is_lost_or_doubled("nats-server hung", load, stack)


def writers(stack: Stack) -> list[Service]:
    return [stack.services["ordering"], stack.services["serving"]]


async def killed_and_started(part: Service | Server) -> None:
    await asyncio.to_thread(part.kill)
    await asyncio.to_thread(part.start)
    if isinstance(part, Service):
        await asyncio.to_thread(part.wait_until_ready)


async def nothing_is_lost_or_doubled(fault: str, load: Load, stack: Stack) -> None:
    since = time.monotonic()
    outcome = await outcome_of(load, stack)

    quiet = time.monotonic() - since
    print(f"{fault}: {outcome}; {load.repeated} requests repeated, quiet after {quiet:.1f} s")
    assert outcome.complaints == []
    assert outcome.acknowledged == load.placed >= ORDERS
