"""A broker that lost its newest messages: the relays find out, and publish them again."""

import asyncio
import contextlib
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from comanda_contracts.streams import ORDERS
from comanda_local.folders import temporary_folder
from comanda_local.servers import Nats
from nats.js.api import StreamConfig
from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.outbox.kept_events import AFTER_ALL, Position, select_kept, unmark_lost
from ordering.outbound.relay import relayed_stream
from ordering.outbound.relay.relayed_stream import RelayedStream
from service_kit.nats.jetstream import connected
from service_kit.runtime.components import running
from sqlalchemy import text

from tests.ordering.conftest import Database
from tests.ordering.relaying import a_relay, outbox_is_empty, set_up_streams, versions
from tests.ordering.use_cases import adding, open_la_piazza, placing
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers

ROUNDS = 3
ORDERS_BETWEEN = 10
"""Orders that are acknowledged by the stream and then lost by it, in each round."""
KEPT_FOR_LONG = "UPDATE outbox SET published_at = published_at - interval '1 hour'"
COUNT_KEPT = "SELECT count(*) FROM outbox WHERE sequence IS NOT NULL"
KEPT = text("""
    INSERT INTO outbox
        (partition, aggregate, subject, headers, body, stream, sequence, published_at)
    VALUES (:partition, 'orders.v1.elsewhere.1', 'orders.v1.elsewhere.1.placed',
        jsonb_build_object('Nats-Msg-Id', CAST(:id AS text)), '{}', 'ORDERS', :sequence,
        now() - make_interval(secs => :age))
""")


class Site:
    """A server of the test's own whose store can be put back to what it was."""

    def __init__(self, folder: Path) -> None:
        self._store, self._copy = folder / "nats", folder / "copy"
        self.server = Nats(self._store)

    def copy_store(self) -> None:
        self.server.stop()
        shutil.rmtree(self._copy, ignore_errors=True)
        shutil.copytree(self._store, self._copy)
        self.server.start()

    def restore_copy(self) -> None:
        self.server.kill()
        shutil.rmtree(self._store)
        shutil.copytree(self._copy, self._store)
        self.server.start()

    async def orders(self) -> dict[str, list[str]]:
        async with connected([self.server.url], "test") as client:
            return await versions(client.jetstream())

    async def make_anew(self, messages: int) -> None:
        """The stream with so many messages of a stranger, and none that it had."""
        async with connected([self.server.url], "test") as client:
            js = client.jetstream()
            config = (await js.stream_info(ORDERS.name)).config
            await js.delete_stream(ORDERS.name)
            await js.add_stream(StreamConfig(**vars(config)))
            for number in range(messages):
                subject, message_id = f"orders.v1.elsewhere.{number}.placed", f"strange-{number}"
                await js.publish(subject, b"{}", headers={"Nats-Msg-Id": message_id})


@pytest.fixture
async def site() -> AsyncIterator[Site]:
    with temporary_folder() as folder:
        site = Site(folder)
        site.server.start()
        await set_up_streams(site.server)
        yield site
        site.server.stop()


def on_the_stream(order_id: object) -> str:
    return f"orders.v1.la-piazza.{order_id}"


async def test_an_older_copy_under_two_replicas_and_load_loses_no_order(
    database: Database, site: Site
) -> None:
    stores, relays, placed = [], [], []
    for _ in range(2):
        first_events = FirstEvents()
        stores.append(database.replica(first_events))
        relays.append(a_relay(database, site.server, first_events))
    await open_la_piazza(stores[0])

    async def place_at_each() -> None:
        placed.extend([(await store.run(placing())).order_id for store in stores])

    async def load() -> None:
        while True:
            await place_at_each()
            await asyncio.sleep(0.005)

    async with running(relays):
        for _ in range(ROUNDS):
            await eventually(outbox_is_empty(database))
            site.copy_store()
            for _ in range(ORDERS_BETWEEN // 2):
                await place_at_each()
            await eventually(outbox_is_empty(database))
            loading = asyncio.create_task(load())
            await asyncio.to_thread(site.restore_copy)

            async def nothing_is_missing() -> set[str]:
                return {on_the_stream(each) for each in placed} - set(await site.orders())

            await asyncio.sleep(0.5)
            loading.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await loading
            await eventually(nothing_is_missing, lambda missing: not missing)


@pytest.mark.parametrize("fewer", [0, -3, 3], ids=["as long", "longer", "shorter"])
async def test_a_stream_that_was_made_anew_gets_again_what_it_had(
    database: Database, site: Site, fewer: int
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    async with running([a_relay(database, site.server)]):
        orders = [await store.run(placing()) for _ in range(5)]
        await eventually(outbox_is_empty(database))
        await site.make_anew(messages=len(orders) - fewer)

        async def all_is_there() -> bool:
            found = await site.orders()
            return all(on_the_stream(order.order_id) in found for order in orders)

        await eventually(all_is_there)


async def test_nothing_is_forgotten_while_the_broker_is_away(
    database: Database, site: Site
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    relay = a_relay(database, site.server)
    async with running([relay]):
        order = await store.run(placing())
        await eventually(outbox_is_empty(database))
        site.copy_store()
        await store.run(adding(order.order_id))
        await eventually(outbox_is_empty(database))

        site.server.kill()

        async def notices() -> bool:
            return not relay.ready

        await eventually(notices)
        kept = await database.rows(COUNT_KEPT)
        async with database.engine.begin() as connection:
            await connection.execute(text(KEPT_FOR_LONG))
        assert await database.rows(COUNT_KEPT) == kept

        await asyncio.to_thread(site.restore_copy)

        async def all_is_there() -> bool:
            found = await site.orders()
            return found == {on_the_stream(order.order_id): ["placed", "items-added"]}

        await eventually(all_is_there)


async def test_one_partitions_newest_events_do_not_hide_that_anothers_are_lost(
    database: Database, site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    """One replica went on publishing; the other had published, lost it with the tail, and died."""
    monkeypatch.setattr(relayed_stream, "COMPARED_EVENTS", 2)
    await site.make_anew(messages=3)
    kept = [
        *((0, f"strange-{number}", number + 1, 20 * (2 - number)) for number in range(3)),
        *((1, f"lost-{number}", number + 3, 60 + number) for number in range(5)),
    ]
    async with database.engine.begin() as connection:
        for partition, message_id, sequence, age_s in kept:
            values = {"partition": partition, "id": message_id, "sequence": sequence, "age": age_s}
            await connection.execute(KEPT, values)

    stream = RelayedStream(ORDERS.name)
    async with (
        database.engine.begin() as connection,
        connected([site.server.url], "test") as client,
    ):
        await stream.compare(connection, client, {0, 1})

    waiting = "SELECT partition, count(*) FROM outbox WHERE sequence IS NULL GROUP BY partition"
    assert await database.rows(waiting) == [(1, 5)]


async def test_what_another_relay_has_published_again_meanwhile_is_not_lost(
    database: Database,
) -> None:
    async with database.engine.begin() as connection:
        values = {"partition": 0, "id": "lost", "sequence": 7, "age": 60}
        await connection.execute(KEPT, values)
        [seen] = await select_kept(connection, ORDERS.name, [0], AFTER_ALL, 10)
        await connection.execute(text("UPDATE outbox SET published_at = now()"))

        unmarked = await unmark_lost(connection, [Position(seen.published_at, seen.id)])

    assert unmarked == 0
    assert await database.rows("SELECT sequence FROM outbox") == [(7,)]
