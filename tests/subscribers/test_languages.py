"""Subscribers in three languages, from the guide's own programs, agree with query in the end."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import nats
import pytest
from comanda_contracts.streams import ORDERS
from comanda_local.processes import Child
from comanda_local.servers import Nats
from comanda_local.stack import NATS_URL, Stack

from tests.e2e.restaurant import Json, Restaurant
from tests.subscribers.conftest import LANGUAGES
from tests.subscribers.test_guide import GUIDE, PROGRAMS

pytestmark = [pytest.mark.xdist_group("pickup"), pytest.mark.timeout(300)]

KILLS = 4
RUSH_ORDERS = 12
PATIENCE_S = 90.0
ACK_WAIT_S = 2.0
"""What was given to a process that is killed need not wait as long as usual."""
OVER = {"closed", "cancelled"}
Table = dict[str, tuple[int, str]]
"""Version and status of orders, by their ids."""


class Subscriber:
    """A program of the guide, which keeps orders by their ids in what it prints."""

    def __init__(self, language: str, stack: Stack, folder: Path) -> None:
        folder.mkdir()
        server = stack.servers[NATS_URL]
        assert isinstance(server, Nats)
        team = f"guide-{language}"
        key = stack.folder / f"{team}.nk"
        told = {"NATS_URL": f"nats://127.0.0.1:{server.port}", "NATS_NKEY": str(key), "TEAM": team}
        page = folder / "guide.md"
        by_id = GUIDE.read_text().replace("(order.number,", "(order.order_id,")
        page.write_text(by_id.replace("(order.Number,", "(order.OrderID,"))
        command = PROGRAMS[language](page, folder)
        environment = os.environ | told | {"PYTHONUNBUFFERED": "1"}
        self.process = Child(team, command, folder, env=environment)

    def has_more_than(self, kept: Table) -> bool:
        return self.table() != kept

    def table(self) -> Table:
        """The highest version of each order that was kept, and its status."""
        kept: Table = {}
        text = self.process.log.read_text() if self.process.log.exists() else ""
        for line in text.splitlines(keepends=True):
            match line.split():
                case [order_id, status, version] if line.endswith("\n") and version.isdigit():
                    kept[order_id] = max(kept.get(order_id, (0, "")), (int(version), status))
        return kept


@pytest.fixture
def subscribers(stack: Stack, tmp_path: Path) -> Iterator[list[Subscriber]]:
    """One in each language that can be run here."""
    found = []
    for language in LANGUAGES:
        try:
            found.append(Subscriber(language, stack, tmp_path / language))
        except pytest.skip.Exception as why:
            print(why)
    yield found
    for subscriber in found:
        subscriber.process.stop()


def rush(restaurant: Restaurant) -> None:
    """Guests order; some order more, some leave."""
    for number in range(RUSH_ORDERS):
        order = restaurant.takeaway()
        if number % 2:
            restaurant.add_round(order)
        if number % 3 == 0:
            restaurant.cancel(order)


def shown(restaurant: Restaurant) -> dict[str, tuple[int, bool]]:
    """Each order's version as query shows it, and whether it is over."""
    path, orders = "/orders?limit=100", list[Json]()
    while path:
        page = restaurant.read(path)
        orders += page["orders"]
        path = f"/orders?limit=100&cursor={page['next']}" if page["next"] else ""
    return {each["order_id"]: (each["version"], each["status"] in OVER) for each in orders}


async def test_every_table_agrees_with_query_though_each_is_killed_four_times_meanwhile(
    stack: Stack, subscribers: list[Subscriber]
) -> None:
    restaurant = Restaurant(stack)
    async with await nats.connect(stack.urls[NATS_URL]) as operator:
        for subscriber in subscribers:
            team = subscriber.process.name
            config = (await operator.jetstream().consumer_info(ORDERS.name, team)).config
            await operator.jetstream().add_consumer(ORDERS.name, config.evolve(ack_wait=ACK_WAIT_S))

    with ThreadPoolExecutor() as guests:
        for _ in range(KILLS):
            for subscriber in subscribers:
                subscriber.process.start()
            before = [subscriber.table() for subscriber in subscribers]
            orders = guests.submit(rush, restaurant)
            for subscriber, kept in zip(subscribers, before, strict=True):
                restaurant.until(partial(subscriber.has_more_than, kept), PATIENCE_S)
                subscriber.process.kill()
            orders.result()
    for subscriber in subscribers:
        subscriber.process.start()

    def agree() -> bool:
        truth = shown(restaurant)
        return len(truth) == KILLS * RUSH_ORDERS and all(
            {
                order_id: (version, status in OVER)
                for order_id, (version, status) in subscriber.table().items()
                if order_id in truth
            }
            == truth
            for subscriber in subscribers
        )

    restaurant.until(agree, PATIENCE_S)
    assert {subscriber.process.name for subscriber in subscribers} >= {
        "guide-python",
        "guide-javascript",
    }
