"""Group commit on a real PostgreSQL: what shares a transaction, and what fails alone."""

import asyncio
import json
import time

import pytest
from comanda_contracts import OrderPlaced, read
from comanda_local.folders import temporary_folder
from comanda_local.servers import Postgres
from ordering.application.keyed_request import Answer, KeyedRequest
from ordering.application.transaction import StoreUnavailable, Transaction
from ordering.domain.order import Order
from ordering.domain.refusals import CannotOrder
from ordering.outbound.database import engine as ordering_database
from ordering.outbound.database.engine import connect
from ordering.outbound.database.migration import migrate
from ordering.outbound.transaction import group_commit
from ordering.outbound.transaction.idempotency import delete_expired_answers
from prometheus_client import REGISTRY
from service_kit.runtime.components import Component, Ready, running
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.ordering.builders import a_place_order, a_requested_line, an_item
from tests.ordering.conftest import Database
from tests.ordering.use_cases import adding, finding, offering, open_la_piazza, placing


async def test_commands_that_arrive_together_share_transactions(database: Database) -> None:
    store = database.replica()
    await open_la_piazza(store)
    before = database.commits

    orders = await asyncio.gather(*(store.run(placing()) for _ in range(100)))

    assert len({order.number for order in orders}) == 100
    assert database.commits - before < 20


async def test_commands_that_come_while_others_wait_are_gathered(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "GROUP_INTERVAL_S", 1.0)
    store = database.replica()
    await open_la_piazza(store)
    before = database.commits

    first = asyncio.create_task(store.run(placing()))
    await asyncio.sleep(0)  # it goes by itself
    meanwhile = asyncio.create_task(store.run(placing()))
    await first
    await asyncio.gather(meanwhile, store.run(placing()))

    assert database.commits - before == 2


async def test_what_is_refused_is_counted_by_its_code_and_what_waits_is_measured(
    database: Database,
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    group_commit.export_queue(store)
    refused = {"code": CannotOrder.code}
    before = REGISTRY.get_sample_value("comanda_command_refusals_total", refused) or 0.0

    sushi = a_place_order("la-piazza", a_requested_line("sushi"))
    refusal = asyncio.create_task(store.run(placing(sushi)))
    others = [asyncio.create_task(store.run(placing())) for _ in range(3)]
    await asyncio.sleep(0)
    queued = REGISTRY.get_sample_value("comanda_queued_commands") or 0.0
    await asyncio.gather(refusal, *others, return_exceptions=True)

    assert isinstance(refusal.exception(), CannotOrder)
    assert REGISTRY.get_sample_value("comanda_command_refusals_total", refused) == before + 1
    assert queued >= 1
    assert REGISTRY.get_sample_value("comanda_queued_commands") == 0.0


async def test_a_refused_command_fails_alone_in_its_group(database: Database) -> None:
    store = database.replica()
    await open_la_piazza(store)
    commands = [
        a_place_order("la-piazza", a_requested_line("sushi" if n == 5 else "cola"))
        for n in range(10)
    ]

    outcomes = await asyncio.gather(
        *(store.run(placing(command)) for command in commands), return_exceptions=True
    )

    assert [n for n, outcome in enumerate(outcomes) if isinstance(outcome, CannotOrder)] == [5]
    assert await database.rows("SELECT count(*) FROM orders") == [(9,)]


async def test_a_broken_command_fails_alone_in_its_group(database: Database) -> None:
    store = database.replica()
    await open_la_piazza(store)

    async def broken(transaction: Transaction) -> Order:
        await placing()(transaction)
        raise ZeroDivisionError

    outcomes = await asyncio.gather(
        *(store.run(broken if n == 5 else placing()) for n in range(10)), return_exceptions=True
    )

    assert [type(outcome) for outcome in outcomes].count(ZeroDivisionError) == 1
    assert await database.rows("SELECT count(*) FROM orders") == [(9,)]
    assert await database.rows("SELECT orders FROM days") == [(9,)]


async def test_state_and_event_are_committed_together(database: Database) -> None:
    store = database.replica()
    await open_la_piazza(store)

    order = await store.run(placing())

    subject, headers, body = (
        await database.rows("SELECT subject, headers, body FROM outbox ORDER BY id DESC LIMIT 1")
    )[0]
    assert isinstance(headers, dict)
    assert isinstance(body, bytes)
    event = read(headers, body)
    assert isinstance(event, OrderPlaced)
    assert event.order.order_id == order.order_id
    assert subject == f"orders.v1.la-piazza.{order.order_id}.placed"
    assert headers["Nats-Msg-Id"] == headers["ce-id"]
    assert json.loads(body)["order"]["total"] == 850


async def test_replicas_serialise_their_changes_to_one_order(database: Database) -> None:
    here, there = database.replica(), database.replica()
    await open_la_piazza(here)
    orders = [await here.run(placing()) for _ in range(3)]

    await asyncio.gather(
        *(
            replica.run(adding(order.order_id))
            for _ in range(10)
            for replica in (here, there)
            for order in orders
        )
    )

    assert await database.rows("SELECT DISTINCT version FROM orders") == [(21,)]
    per_order = "SELECT count(*) FROM outbox WHERE aggregate LIKE 'orders.%' GROUP BY aggregate"
    assert await database.rows(per_order) == [(21,)] * 3


async def test_replicas_number_their_orders_without_gap_or_repetition(database: Database) -> None:
    here, there = database.replica(), database.replica()
    await open_la_piazza(here)

    orders = await asyncio.gather(
        *(replica.run(placing()) for _ in range(50) for replica in (here, there))
    )

    assert sorted(order.number for order in orders) == [f"A-{n:03}" for n in range(1, 101)]


async def test_one_request_sent_many_times_at_once_to_every_replica_has_one_effect(
    database: Database,
) -> None:
    here, there = database.replica(), database.replica()
    await open_la_piazza(here)

    async def place(transaction: Transaction) -> Answer:
        order = await placing()(transaction)
        return Answer(status=201, version=1, body=str(order.order_id))

    requests = [KeyedRequest("la-piazza", f"key-{n}", "same") for n in range(10)]
    answers = await asyncio.gather(
        *(
            replica.run_once(request, place)
            for _ in range(3)
            for replica in (here, there)
            for request in requests
        )
    )

    assert len({answer.body for answer in answers}) == 10
    assert await database.rows("SELECT count(*), max(number) FROM orders") == [(10, "A-010")]


async def test_answers_are_forgotten_after_a_day(database: Database) -> None:
    store = database.replica()
    await open_la_piazza(store)

    async def place(transaction: Transaction) -> Answer:
        return Answer(status=201, version=1, body=(await placing()(transaction)).number)

    await store.run_once(KeyedRequest("la-piazza", "old", ""), place)
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE answers SET at = now() - interval '25 hours'"))
    await store.run_once(KeyedRequest("la-piazza", "new", ""), place)

    swept = asyncio.Event()

    def ready(failing: str | None = None) -> None:
        assert failing is None
        swept.set()

    async def sweep(_: Ready) -> None:
        await delete_expired_answers(database.engine, ready)

    async with running([Component("sweep", sweep)]):
        await asyncio.wait_for(swept.wait(), 60)

    assert await database.rows("SELECT key FROM answers") == [("new",)]
    kept_at = REGISTRY.get_sample_value("comanda_ordering_oldest_answer_timestamp_seconds")
    assert time.time() - (kept_at or 0) < 3600, "of the one that is kept"


async def test_a_new_item_set_by_two_replicas_at_once_is_one_item(database: Database) -> None:
    here, there = database.replica(), database.replica()
    await open_la_piazza(here)

    items = await asyncio.gather(
        *(
            replica.run(offering(an_item("tiramisu", price=price)))
            for price in range(500, 510)
            for replica in (here, there)
        )
    )

    versions = {item.version for item in items}
    assert versions == set(range(1, max(versions) + 1))


async def test_a_replica_that_falls_silent_in_a_transaction_keeps_no_other_waiting(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    order = await store.run(placing())
    monkeypatch.setattr(ordering_database, "IDLE_TRANSACTION_TIMEOUT_S", 0.5)
    silent = Database(database.url, connect(database.url))
    has_it, goes_on = asyncio.Event(), asyncio.Event()

    async def fall_silent(transaction: Transaction) -> None:
        await finding(order.order_id)(transaction)
        has_it.set()
        await goes_on.wait()

    gone = asyncio.create_task(silent.replica().run(fall_silent))
    await has_it.wait()

    added = await store.run(adding(order.order_id))
    goes_on.set()

    assert added.version == 2
    with pytest.raises(StoreUnavailable):
        await gone
    await silent.engine.dispose()


async def test_no_guest_is_named_by_an_error_of_the_database(database: Database) -> None:
    with pytest.raises(DBAPIError) as failed:
        async with database.engine.connect() as connection:
            await connection.execute(text("SELECT 1 / (:guest = 'Ada')::int"), {"guest": "Bob"})

    assert "Bob" not in str(failed.value)


@pytest.mark.servers
async def test_without_its_database_it_says_so_and_goes_on_once_it_is_back() -> None:
    with temporary_folder() as folder:
        server = Postgres(folder)
        server.start()
        await asyncio.to_thread(migrate, server.url)
        engine = connect(server.url)
        store = Database(server.url, engine).replica()
        await open_la_piazza(store)
        placed = await store.run(placing())

        server.kill()
        with pytest.raises(StoreUnavailable):
            await store.run(placing())
        server.start()
        found = await store.run(finding(placed.order_id))

        assert found == placed
        await engine.dispose()
        server.stop()
