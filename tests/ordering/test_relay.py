"""The relay between a real PostgreSQL and a real NATS."""

import asyncio
import shutil

import pytest
from comanda_contracts import Message, subjects
from comanda_contracts.streams import MENU, ORDERS, RESTAURANTS
from comanda_local.folders import temporary_folder
from comanda_local.servers import Nats
from hypothesis import given
from hypothesis import strategies as st
from nats.aio.client import Client
from nats.js import JetStreamContext
from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.outbox.outbox import PARTITIONS
from ordering.outbound.relay import partitions, relay, session
from ordering.outbound.relay import publisher as publishing
from ordering.outbound.relay.partitions import Partitions
from ordering.outbound.relay.publisher import waves
from service_kit.nats.jetstream import connected, publish_all
from service_kit.runtime.components import running
from sqlalchemy import text

from tests.ordering.conftest import Database
from tests.ordering.relaying import (
    a_relay,
    messages,
    outbox_is_empty,
    set_up_streams,
    subjects_parked,
    versions,
)
from tests.ordering.use_cases import Store, adding, open_la_piazza, placing
from tests.support.eventually import eventually

UNPUBLISHABLE = text("""
    INSERT INTO outbox (partition, aggregate, subject, headers, body)
    SELECT partition, aggregate, 'no.stream.takes.this', headers, body
    FROM outbox WHERE sequence IS NULL ORDER BY id LIMIT 1
""")


@pytest.fixture(params=[1, 1000], ids=["as batches", "one by one"])
def min_batch_events(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """From how many events on they are stored together: always, and never here."""
    monkeypatch.setattr(publishing, "MIN_BATCH_EVENTS", request.param)


async def test_every_event_reaches_its_stream_and_leaves_the_outbox(
    database: Database, nats_server: Nats, js: JetStreamContext
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    orders = await asyncio.gather(*(store.run(placing()) for _ in range(50)))
    await asyncio.gather(*(store.run(adding(order.order_id)) for order in orders))

    async with running([a_relay(database, nats_server)]):
        await eventually(outbox_is_empty(database))

    assert list((await versions(js)).values()) == [["placed", "items-added"]] * 50
    assert len(await messages(js, MENU)) == 2
    (restaurant,) = await messages(js, RESTAURANTS)
    assert restaurant.subject == subjects.restaurant("la-piazza", "set")


async def test_what_is_committed_while_the_broker_is_away_is_published_when_it_is_back(
    database: Database, nats_server: Nats
) -> None:
    store = database.replica()
    async with running([a_relay(database, nats_server)]):
        await open_la_piazza(store)
        await eventually(outbox_is_empty(database))

        nats_server.kill()
        orders = await asyncio.gather(*(store.run(placing()) for _ in range(20)))
        await asyncio.gather(*(store.run(adding(order.order_id)) for order in orders))
        nats_server.start()
        await eventually(outbox_is_empty(database))

    async with connected([nats_server.url], "test") as client:
        found = await versions(client.jetstream())
    assert list(found.values()) == [["placed", "items-added"]] * 20


@pytest.mark.usefixtures("min_batch_events")
async def test_an_event_published_before_its_relay_died_is_on_the_stream_once(
    database: Database, nats_server: Nats, client: Client, js: JetStreamContext
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    await store.run(placing())
    rows = await database.rows("SELECT subject, headers, body FROM outbox ORDER BY id")
    await publish_all(client, [Message(*row) for row in rows])  # type: ignore[arg-type]

    async with running([a_relay(database, nats_server)]):
        await eventually(outbox_is_empty(database))

    assert [len(await messages(js, stream)) for stream in (RESTAURANTS, MENU, ORDERS)] == [1, 2, 1]


@pytest.mark.usefixtures("min_batch_events")
async def test_nothing_overtakes_an_event_that_can_not_be_published(
    database: Database, nats_server: Nats, js: JetStreamContext
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    async with running([a_relay(database, nats_server)]):
        await eventually(outbox_is_empty(database))
    stuck = await store.run(placing())
    async with database.engine.begin() as connection:
        await connection.execute(UNPUBLISHABLE)
    await store.run(adding(stuck.order_id))
    free = await store.run(placing())

    aggregate = f"orders.v1.la-piazza.{stuck.order_id}"
    parked = ["no.stream.takes.this", f"{aggregate}.items-added"]

    async with running([a_relay(database, nats_server)]):
        await eventually(lambda: subjects_parked(database), lambda found: found == parked)
        await eventually(outbox_is_empty(database))

    found = await versions(js)
    assert found[aggregate] == ["placed"]
    assert found[f"orders.v1.la-piazza.{free.order_id}"] == ["placed"]


async def test_what_the_broker_acknowledged_and_lost_is_published_again(database: Database) -> None:
    store = database.replica()
    with temporary_folder() as folder:
        server, copy = Nats(folder / "nats"), folder / "copy"
        server.start()
        await set_up_streams(server)
        async with running([a_relay(database, server)]):
            await open_la_piazza(store)
            kept = await store.run(placing())
            await eventually(outbox_is_empty(database))
            server.stop()
            shutil.copytree(folder / "nats", copy)
            server.start()
            lost = [await store.run(placing()) for _ in range(3)]
            await store.run(adding(kept.order_id))
            await eventually(outbox_is_empty(database))

            server.kill()
            shutil.rmtree(folder / "nats")
            shutil.copytree(copy, folder / "nats")
            server.start()

            async def all_is_there() -> bool:
                async with connected([server.url], "test") as client:
                    return (await client.jetstream().stream_info("ORDERS")).state.messages == 5

            await eventually(all_is_there)

        async with connected([server.url], "test") as client:
            found = await versions(client.jetstream())
        server.stop()
    assert found == {f"orders.v1.la-piazza.{kept.order_id}": ["placed", "items-added"]} | {
        f"orders.v1.la-piazza.{order.order_id}": ["placed"] for order in lost
    }


async def test_what_was_published_is_forgotten_after_a_while(
    database: Database, nats_server: Nats
) -> None:
    store = database.replica()
    async with running([a_relay(database, nats_server)]):
        await open_la_piazza(store)
        await eventually(outbox_is_empty(database))
        async with database.engine.begin() as connection:
            await connection.execute(
                text("UPDATE outbox SET published_at = now() - interval '1 hour' WHERE id < 3")
            )

        async def is_forgotten() -> bool:
            return await database.rows("SELECT id FROM outbox ORDER BY id") == [(3,)]

        await eventually(is_forgotten)


async def test_relays_share_the_partitions_and_take_over_those_of_a_dead_one(
    database: Database, nats_server: Nats, js: JetStreamContext
) -> None:
    async def locks() -> list[int]:
        per_session = await database.rows(f"""
            SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid < {PARTITIONS}
            AND database = (SELECT oid FROM pg_database WHERE datname = current_database())
            GROUP BY pid ORDER BY pid
        """)
        return [int(str(count)) for (count,) in per_session]

    async def share(*shares: int) -> None:
        async def is_shared() -> bool:
            return await locks() == list(shares)

        await eventually(is_shared)

    store = database.replica()
    await open_la_piazza(store)
    async with running([a_relay(database, nats_server)]):
        await share(PARTITIONS)
        async with running([a_relay(database, nats_server)]):
            await share(PARTITIONS // 2, PARTITIONS // 2)
            orders = await asyncio.gather(*(store.run(placing()) for _ in range(40)))
            await eventually(outbox_is_empty(database))
        await share(PARTITIONS)
        await asyncio.gather(*(store.run(adding(order.order_id)) for order in orders))
        await eventually(outbox_is_empty(database))

    assert list((await versions(js)).values()) == [["placed", "items-added"]] * 40


async def test_what_a_relay_holds_that_is_not_heard_of_any_more_is_relayed_by_another(
    database: Database, nats_server: Nats, js: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    await open_la_piazza(database.replica())
    async with database.engine.connect() as pooled:
        connection = await pooled.execution_options(isolation_level="AUTOCOMMIT")
        silent = Partitions(connection)
        with monkeypatch.context() as patched:
            patched.setattr(partitions, "IDLE_SESSION_TIMEOUT_S", 0.5)
            await silent.appear()
        await silent.balance()
        assert len(silent.held) == PARTITIONS

        async with running([a_relay(database, nats_server)]):
            await eventually(outbox_is_empty(database))
        await connection.invalidate()

    assert await messages(js, RESTAURANTS)


async def test_a_commit_wakes_the_relay_of_any_replica(
    database: Database, nats_server: Nats, js: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "POLL_INTERVAL_S", 3600.0)
    store = database.replica()
    await open_la_piazza(store)

    async with running([a_relay(database, nats_server)]):
        await eventually(outbox_is_empty(database))
        await store.run(placing())
        await eventually(outbox_is_empty(database))

    assert len(await messages(js, ORDERS)) == 1


async def test_first_events_of_the_same_process_are_relayed_although_nobody_is_notified(
    database: Database, nats_server: Nats, js: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "POLL_INTERVAL_S", 3600.0)
    monkeypatch.setattr(relay, "CHANNEL", "elsewhere")
    first_events = FirstEvents()
    store = database.replica(first_events)
    await open_la_piazza(store)

    async with running([a_relay(database, nats_server, first_events)]):
        await eventually(outbox_is_empty(database))
        orders = await asyncio.gather(*(store.run(placing()) for _ in range(20)))
        await eventually(outbox_is_empty(database))

    placed = {f"orders.v1.la-piazza.{order.order_id}": ["placed"] for order in orders}
    assert await versions(js) == placed


async def test_what_is_handed_over_and_what_is_found_keep_each_orders_events_in_order(
    database: Database, nats_server: Nats, js: JetStreamContext
) -> None:
    first_events = FirstEvents()
    store, other = database.replica(first_events), database.replica()
    await open_la_piazza(store)

    async def order_and_order_again(one: Store, another: Store) -> None:
        order = await one.run(placing())
        await another.run(adding(order.order_id))
        await one.run(adding(order.order_id))

    async with running([a_relay(database, nats_server, first_events)]):
        pairs = [(store, other), (other, store), (store, store)] * 20
        await asyncio.gather(*(order_and_order_again(*pair) for pair in pairs))
        await eventually(outbox_is_empty(database))

    events = ["placed", "items-added", "items-added"]
    assert list((await versions(js)).values()) == [events] * 60


async def test_what_is_handed_over_while_the_broker_is_away_is_published_when_it_is_back(
    database: Database, nats_server: Nats
) -> None:
    first_events = FirstEvents()
    store = database.replica(first_events)
    async with running([a_relay(database, nats_server, first_events)]):
        await open_la_piazza(store)
        await eventually(outbox_is_empty(database))

        nats_server.kill()
        await asyncio.gather(*(store.run(placing()) for _ in range(20)))
        nats_server.start()
        await eventually(outbox_is_empty(database))

    async with connected([nats_server.url], "test") as client:
        found = await versions(client.jetstream())
    assert list(found.values()) == [["placed"]] * 20


@pytest.mark.usefixtures("min_batch_events")
async def test_a_backlog_of_many_batches_is_published_whole_and_in_order(
    database: Database, nats_server: Nats, js: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(session, "SMALL_READ_EVENTS", 1)
    monkeypatch.setattr(session, "BACKLOG_READ_EVENTS", 3)
    store = database.replica()
    await open_la_piazza(store)
    orders = await asyncio.gather(*(store.run(placing()) for _ in range(40)))
    for _ in range(2):
        await asyncio.gather(*(store.run(adding(order.order_id)) for order in orders))

    async with running([a_relay(database, nats_server)]):
        await eventually(outbox_is_empty(database))

    events = ["placed", "items-added", "items-added"]
    assert list((await versions(js)).values()) == [events] * 40


@given(st.lists(st.sampled_from("abcde")))
def test_a_wave_holds_one_event_of_an_aggregate_at_most_and_waves_keep_its_order(
    aggregates: list[str],
) -> None:
    groups = waves(aggregates)

    for group in groups:
        assert len({aggregates[position] for position in group}) == len(group)
    for aggregate in set(aggregates):
        sent = [n for group in groups for n in group if aggregates[n] == aggregate]
        assert sent == [n for n, each in enumerate(aggregates) if each == aggregate]
