"""The first example keeps a table that is right in the end, whatever is killed meanwhile."""

import asyncio
import contextlib
import os
import random
import sqlite3
import sys
import uuid
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from comanda_contracts import OrderClosed, OrderEvent, OrderPlaced
from comanda_contracts.examples import AT, ORDER, TICKET
from comanda_contracts.streams import ORDERS, ORDERS_ARCHIVE
from comanda_contracts.tickets import TicketQueued
from comanda_local.nats_logins import Login
from comanda_local.processes import Child
from comanda_local.teams import Team

from tests.node import installed, node
from tests.subscribers.broker import POLL_INTERVAL_S, Broker
from tests.subscribers.conftest import EXAMPLES, READ_BY_PICKUP

pytestmark = pytest.mark.timeout(300)

ORDERS_COUNT = 300
KILLS = 4
ACK_WAIT_S = 2.0
READ_BY_TABLE = [ORDERS.subject, ORDERS_ARCHIVE.subject]
ODD_PASSWORD, ENCODED = "p%a@b:c/d%25", "p%25a%40b%3Ac%2Fd%2525"

Row = tuple[str, int, str]
"""Order, version and status."""


class Table:
    """The example as a process, and what it has in its table."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self._record = folder / "orders.sqlite"
        program = [sys.executable, str(EXAMPLES / "python" / "table.py")]
        told = os.environ | environment | {"RECORD": str(self._record)}
        self.process = Child("table", program, folder, env=told)

    def rows(self) -> set[Row]:
        return set(self._select("SELECT order_id, version, status FROM orders"))

    def aside(self) -> list[int]:
        return [sequence for (sequence,) in self._select("SELECT sequence FROM aside")]

    async def until_it_has(self, count: int) -> None:
        """Wait for so many rows, and start it again when it ends, as whoever runs it does."""
        while len(self.rows()) < count:
            if not self.process.alive:
                self.process.start()
            await asyncio.sleep(POLL_INTERVAL_S)

    def _select(self, query: str) -> list[tuple[Any, ...]]:
        with (
            contextlib.suppress(sqlite3.OperationalError),  # it has not begun its table yet
            contextlib.closing(sqlite3.connect(f"file:{self._record}?mode=ro", uri=True)) as table,
        ):
            return table.execute(query).fetchall()
        return []


def placed_and_closed(count: int, random_state: random.Random) -> list[OrderEvent]:
    """So many orders, each placed and closed, in any order at all."""
    events: list[OrderEvent] = []
    for _ in range(count):
        order = ORDER.model_copy(update={"order_id": uuid.uuid4()})
        closed = order.model_copy(update={"version": 2, "status": "closed"})
        events += [OrderPlaced(at=AT, order=order), OrderClosed(at=AT, order=closed)]
    random_state.shuffle(events)
    return events


async def test_the_table_agrees_in_the_end_whatever_is_killed_meanwhile(
    broker: Broker, tmp_path: Path
) -> None:
    """Half of its events have left the stream, and are in the archive alone."""
    team = await broker.team("table", ["orders.v1.*.*.closed", "archive.orders.v1.*.closed"])
    await deliver_again_soon(broker, team)
    events = placed_and_closed(ORDERS_COUNT, random.Random(1))
    unreadable = await broker.publish_raw("orders.v1.a.b.closed", b"{", "comanda.order.closed.v1")
    await broker.publish_raw("orders.v1.a.b.closed", b"{}", "comanda.order.teleported.v9")
    await broker.publish(*events[: len(events) // 2])
    await broker.archive_all(ORDERS)
    table = Table(tmp_path, broker.environment(team))

    try:
        for kill in range(KILLS):
            await table.until_it_has(1 + kill)
            table.process.kill()
        team = await broker.team("table", READ_BY_TABLE)  # with a key of its own, too
        await table.until_it_has(KILLS)
        broker.server.kill()
        broker.server.start()
        await broker.publish(*events[len(events) // 2 :])
        await table.until_it_has(ORDERS_COUNT)
        while table.rows() != {(str(each.order.order_id), 2, "closed") for each in events}:
            await table.until_it_has(ORDERS_COUNT)
            await asyncio.sleep(POLL_INTERVAL_S)
    finally:
        table.process.stop()

    assert table.aside() == [unreadable]


async def deliver_again_soon(broker: Broker, team: Team) -> None:
    """What was given to a process that is killed need not wait as long as usual."""
    for stream in team.filters_by_stream:
        config = (await broker.jetstream.consumer_info(stream.name, team.name)).config
        await broker.jetstream.add_consumer(stream.name, config.evolve(ack_wait=ACK_WAIT_S))


@pytest.mark.parametrize("program", ["table.py", "pickup.py", "pickup.mjs"])
@pytest.mark.parametrize("by", ["key", "password"])
async def test_an_example_is_let_in_by_a_key_and_by_any_password(
    broker: Broker, program: str, by: str, tmp_path: Path
) -> None:
    team = await broker.team("odd", READ_BY_PICKUP)
    environment = broker.environment(team)
    if by == "password":
        await broker.let_in(team, Login("user: odd", f'password: "{ODD_PASSWORD}"'))
        where = broker.url.removeprefix("nats://")
        environment = {"NATS_URL": f"nats://odd:{ENCODED}@{where}", "TEAM": team.name}
    await broker.publish(OrderPlaced(at=AT, order=ORDER), TicketQueued(at=AT, ticket=TICKET))
    await broker.archive_all(ORDERS)
    await broker.publish(OrderClosed(at=AT, order=ORDER.model_copy(update={"version": 2})))
    example = Child(
        program,
        command_of(program),
        tmp_path,
        env=os.environ | environment | {"RECORD": str(tmp_path / "record")},
    )

    example.start()
    try:
        for stream in (ORDERS_ARCHIVE, ORDERS):
            await broker.until_settled(stream, team, example)
    finally:
        example.stop()


def command_of(program: str) -> Sequence[str]:
    if program.endswith(".py"):
        return [sys.executable, str(EXAMPLES / "python" / program)]
    return [node(), str(installed(EXAMPLES / "javascript") / program)]
