"""The order views on a real MongoDB: the store joins as the pure fold does."""

import asyncio
import contextlib
import functools
import itertools
import uuid
from collections.abc import Sequence

import pytest
from comanda_contracts import OrderStatus, TicketStatus
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from query.storage.client import Database, connect
from query.storage.generations import Generations
from query.storage.orders.store import MongoOrders
from query.views.orders.view import OrderView, document, merge, view_of
from query.views.ports import StoreUnavailable, Unstorable

from tests.query.builders import a_round, after, an_order, closed, its_ticket, news_of, placed
from tests.query.conftest import store
from tests.query.histories import History, deliveries, histories

on_a_real_store = settings(
    max_examples=40,
    deadline=None,
    # the store is shared by the examples, but each is about an order of its own
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)

RACES = 40
"""How often they race: enough for a duplicate key if upserts named more than `_id`."""

TICKET_STATUSES = st.none() | st.sampled_from(TicketStatus)


def fold(history: History) -> OrderView:
    return functools.reduce(merge, map(view_of, history))


def in_batches(events: History, sizes: Sequence[int]) -> list[History]:
    """The events cut into batches of these sizes, which are used over and over."""
    left, size = list(events), itertools.cycle(sizes)
    batches: list[History] = []
    while left:
        count = next(size)
        batches.append(left[:count])
        left = left[count:]
    return batches


@on_a_real_store
@given(data=st.data())
async def test_two_projectors_at_once_store_what_the_pure_fold_gives(
    fresh_mongodb_url: str, data: st.DataObject
) -> None:
    told = [data.draw(histories()) for _ in range(data.draw(st.integers(1, 3)))]
    events = [event for history in told for event in history]
    sizes = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=3))
    deliveries_of_each = [in_batches(data.draw(deliveries(events)), sizes) for _ in range(2)]

    async def project(batches: list[History]) -> None:
        client, database = connect(fresh_mongodb_url)
        async with client:
            for batch in batches:
                await store(MongoOrders(Generations(database)), *batch)

    await asyncio.gather(*map(project, deliveries_of_each))

    client, database = connect(fresh_mongodb_url)
    async with client:
        for history in told:
            expected = document(fold(history))
            assert await MongoOrders(Generations(database)).one(expected["_id"]) == expected


@on_a_real_store
@given(
    status=st.sampled_from(OrderStatus),
    rounds=st.lists(st.tuples(TICKET_STATUSES, st.booleans()), max_size=4),
    beyond=TICKET_STATUSES,
)
async def test_the_store_derives_the_status_that_the_view_derives(
    orders: MongoOrders,
    status: OrderStatus,
    rounds: list[tuple[TicketStatus | None, bool]],
    beyond: TicketStatus | None,
) -> None:
    order = an_order(
        status=status,
        rounds=tuple(
            a_round(number, voided=voided) for number, (_, voided) in enumerate(rounds, start=1)
        ),
    )
    statuses = enumerate([*(each for each, _ in rounds), beyond], start=1)
    news = [news_of(its_ticket(order, round=n, status=each)) for n, each in statuses if each]

    await store(orders, placed(order), *news)

    derived = document(fold([placed(order), *news]))["status"]
    stored = await orders.one(str(order.order_id))
    assert stored is not None
    assert stored["status"] == derived


async def test_projectors_that_race_for_the_same_new_orders_all_succeed(
    fresh_mongodb_url: str,
) -> None:
    async with contextlib.AsyncExitStack() as open_clients:
        replicas = []
        for _ in range(8):
            client, database = connect(fresh_mongodb_url)
            await open_clients.enter_async_context(client)
            replicas.append(MongoOrders(Generations(database)))

        for _ in range(RACES):
            new = [an_order() for _ in range(50)]
            news = [
                [news_of(its_ticket(order, version=version)) for order in new]
                for version, _ in enumerate(replicas, start=1)
            ]
            await asyncio.gather(
                *(store(replica, *each) for replica, each in zip(replicas, news, strict=True))
            )

        stored = await Generations(database).live.orders.find().to_list()
    assert len(stored) == RACES * len(new)
    assert {len(each["timeline"]) for each in stored} == {len(replicas)}


async def test_text_that_looks_like_an_expression_is_kept_as_it_is(orders: MongoOrders) -> None:
    order = an_order(customer="$restaurant", number="$$ROOT")

    await store(orders, placed(order))

    stored = await orders.one(str(order.order_id))
    assert stored is not None
    assert (stored["order"]["customer"], stored["order"]["number"]) == ("$restaurant", "$$ROOT")


async def test_the_board_calls_numbers_out_oldest_first(
    orders: MongoOrders, restaurant: str
) -> None:
    kitchen: list[TicketStatus | None] = [
        None,
        TicketStatus.READY,
        TicketStatus.PREPARING,
        TicketStatus.SERVED,
        TicketStatus.READY,
        TicketStatus.QUEUED,
    ]
    events: History = []
    for number, status in reversed(list(enumerate(kitchen))):
        order = an_order(restaurant=restaurant, number=f"A-00{number}", placed_at=after(number))
        events.append(placed(order))
        if status:
            events.append(news_of(its_ticket(order, status=status)))
    gone = an_order(restaurant=restaurant, number="A-007")
    await store(orders, *events, closed(gone), placed(an_order(number="A-008")))

    board, _ = await orders.board(restaurant)

    assert {name: [each["number"] for each in shown] for name, shown in board.items()} == {
        "preparing": ["A-000", "A-002", "A-005"],
        "ready": ["A-001", "A-004"],
    }


async def test_an_event_beyond_what_the_store_can_hold_is_told_apart(orders: MongoOrders) -> None:
    endless = an_order(guests=2**64)

    with pytest.raises(Unstorable):
        await store(orders, placed(an_order()), placed(endless))


async def test_a_failed_write_says_why_without_what_was_written(
    database: Database, orders: MongoOrders
) -> None:
    order = an_order(customer="Ada Lovelace")
    broken = {"_id": str(order.order_id), "tickets": "broken"}
    await Generations(database).live.orders.insert_one(broken)

    with pytest.raises(RuntimeError, match="1 failed") as failure:
        await store(orders, placed(order))

    assert "Lovelace" not in str(failure.value)


async def test_a_store_that_is_not_there_is_away(no_mongodb: str) -> None:
    client, database = connect(no_mongodb)

    async with client:
        with pytest.raises(StoreUnavailable):
            await MongoOrders(Generations(database)).one(str(uuid.uuid4()))
