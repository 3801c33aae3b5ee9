"""One event that can't be published holds back its own order and nothing else."""

import pytest
from comanda_contracts.streams import MENU, ORDERS
from comanda_local.servers import Nats
from nats.js import JetStreamContext
from ordering.outbound.outbox import parked_commands
from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.relay import publisher
from ordering.outbound.relay.relay import Relay
from service_kit.nats.broker import Broker
from service_kit.nats.broker import running as broker_running
from service_kit.runtime.components import Component, Ready, running
from sqlalchemy import text

from tests.ordering.builders import an_item
from tests.ordering.conftest import Database
from tests.ordering.relaying import (
    a_relay,
    messages,
    outbox_is_empty,
    set_up_streams,
    subjects_parked,
    versions,
)
from tests.ordering.use_cases import adding, offering, open_la_piazza, placing
from tests.support.eventually import eventually
from tests.support.operators import run

PARKED = text("""
    INSERT INTO parked_events (id, partition, aggregate, subject, headers, body, reason)
    SELECT n, 0, 'orders.v1.a.' || n, 'orders.v1.a.' || n || '.placed', '{}', '', 'too large'
    FROM generate_series(1, 5) AS n
""")
TOO_LARGE = text("UPDATE outbox SET body = :body WHERE sequence IS NULL AND subject LIKE :subject")


async def enlarge(database: Database, order_id: object, size_bytes: int) -> None:
    """Make the unpublished events of the order so large."""
    values = {"body": b" " * size_bytes, "subject": f"orders.v1.%.{order_id}.%"}
    async with database.engine.begin() as connection:
        await connection.execute(TOO_LARGE, values)


async def test_what_is_said_to_be_released_is_so_already_some_orders_at_a_time(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It is printed once it is committed: a terminal that stands still holds up no relay."""
    async with database.engine.begin() as connection:
        await connection.execute(PARKED)
    monkeypatch.setattr(parked_commands, "RELEASED_AGGREGATES", 2)
    transactions = database.commits
    said: list[tuple[str, int]] = []

    def note(line: str, **_: object) -> None:
        said.append((line, database.commits - transactions))

    monkeypatch.setattr("builtins.print", note)
    async with database.engine.connect() as connection:
        await parked_commands._release(None, "", connection)

    assert [line for line, _ in said] == [f"{number}: released" for number in range(1, 6)]
    assert [count for _, count in said] == [2, 2, 3, 3, 4]
    assert await subjects_parked(database) == []


@pytest.mark.parametrize("size_bytes", [1_040_000, 2_000_000], ids=["stream", "server"])
@pytest.mark.parametrize("min_batch_events", [1, 1000], ids=["as batches", "one by one"])
async def test_an_event_that_is_too_large_is_parked_at_first_sight_and_the_relay_goes_on(
    database: Database,
    nats_server: Nats,
    js: JetStreamContext,
    monkeypatch: pytest.MonkeyPatch,
    min_batch_events: int,
    size_bytes: int,
) -> None:
    monkeypatch.setattr(publisher, "MIN_BATCH_EVENTS", min_batch_events)
    store, states = database.replica(), []
    await open_la_piazza(store)
    orders = [await store.run(placing()) for _ in range(9)]
    bad = orders[4]
    await enlarge(database, bad.order_id, size_bytes)
    for order in orders:
        await store.run(adding(order.order_id))

    async def relay(_: Ready) -> None:
        def note(failing: str | None = None) -> None:
            states.append(failing)

        broker = Broker([nats_server.url], "ordering")
        async with broker_running(broker):
            await Relay(database.engine, broker.client, FirstEvents()).run(note)

    async with running([Component("relay", relay)]):
        await eventually(outbox_is_empty(database))
        await store.run(adding(bad.order_id))
        await eventually(outbox_is_empty(database))

    aggregate = f"orders.v1.la-piazza.{bad.order_id}"
    behind = [f"{aggregate}.items-added"] * 2
    assert await subjects_parked(database) == [f"{aggregate}.placed", *behind]
    assert list((await versions(js)).values()) == [["placed", "items-added"]] * 8
    assert set(states) == {None}


async def test_a_stream_that_is_missing_holds_back_its_own_events_alone(
    database: Database, nats_server: Nats, js: JetStreamContext
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    relay = a_relay(database, nats_server)
    async with running([relay]):
        await eventually(outbox_is_empty(database))
        await js.delete_stream(MENU.name)
        await store.run(offering(an_item(name="Calzone")))
        order = await store.run(placing())

        async def is_placed() -> bool:
            return f"orders.v1.la-piazza.{order.order_id}" in await versions(js)

        await eventually(is_placed)
        await eventually(lambda: database.rows("SELECT 1 FROM outbox WHERE sequence IS NULL"))
        await set_up_streams(nats_server)
        await eventually(outbox_is_empty(database))

    assert len(await messages(js, MENU)) == 3
    assert await subjects_parked(database) == []


async def test_an_operator_lists_parked_events_and_releases_them_in_their_order(
    database: Database, nats_server: Nats, js: JetStreamContext
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    config = (await js.stream_info(ORDERS.name)).config
    await js.update_stream(config.evolve(max_msg_size=100))
    order = await store.run(placing())
    await store.run(adding(order.order_id))
    aggregate = f"orders.v1.la-piazza.{order.order_id}"

    async with running([a_relay(database, nats_server)]):
        await eventually(outbox_is_empty(database))
        listed = await run("ordering", "parked", "list", database_url=database.url)
        await js.update_stream(config)
        number = listed.output.split()[0]
        released = await run("ordering", "parked", "release", number, database_url=database.url)
        await eventually(lambda: versions(js), lambda found: len(found.get(aggregate, ())) == 2)

    first, reason, second, behind = listed.output.splitlines()
    assert (listed.code, released.code, released.notes) == (0, 0, "")
    assert first.endswith(f"{aggregate}.placed")
    assert "message size exceeds maximum allowed" in reason
    assert second.endswith(f"{aggregate}.items-added")
    assert "behind an event" in behind
    assert [line.split(": ")[1] for line in released.output.splitlines()] == ["released"] * 2
    assert await versions(js) == {aggregate: ["placed", "items-added"]}
    assert await subjects_parked(database) == []
