"""Generations of the views on a real MongoDB: which is read, which are written, which is next."""

import asyncio
import contextlib
from collections.abc import Callable
from typing import Any

import pytest
from pymongo.asynchronous.collection import AsyncCollection
from pymongo.errors import AutoReconnect
from query.maintenance import switchover as switchovers
from query.maintenance.switchover import NotPossible, Switchover
from query.storage.client import Database, connect
from query.storage.generations import Generation, Generations
from query.storage.orders.store import MongoOrders
from query.views.ports import StoreUnavailable

from tests.query.builders import an_order, its_ticket, news_of, placed
from tests.query.conftest import store

AsHolder = Callable[[str], Switchover]


@pytest.fixture
def as_holder(database: Database, monkeypatch: pytest.MonkeyPatch) -> AsHolder:
    """The switchover as one process sees it; a silent one counts as dead very soon."""
    monkeypatch.setattr(switchovers, "HOLDER_LEASE_S", 0.2)
    return lambda holder: Switchover(database, holder)


async def count(database: Database, number: int) -> int:
    return await Generation(database, number).orders.count_documents({})


async def switched(switchover: Switchover) -> None:
    candidate = await switchover.begin()
    await switchover.switch(candidate.number, {})


async def test_what_comes_during_a_rebuild_is_written_to_both_generations(
    database: Database, orders: MongoOrders, as_holder: AsHolder
) -> None:
    await store(orders, placed(an_order()))
    await as_holder("one").begin()

    await store(orders, placed(an_order()))

    assert (await count(database, 1), await count(database, 2)) == (2, 1)


async def test_after_the_switch_readers_see_the_new_generation_and_both_are_written_for_a_while(
    database: Database, as_holder: AsHolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    generations = Generations(database)
    orders = MongoOrders(generations)
    await switched(as_holder("one"))

    await store(orders, placed(an_order()))
    assert generations.live.number == 2
    assert (await count(database, 1), await count(database, 2)) == (1, 1)

    monkeypatch.setattr(switchovers, "DOUBLE_WRITE_S", 0.0)
    await switched(as_holder("one"))
    await store(orders, placed(an_order()))
    assert (await count(database, 2), await count(database, 3)) == (1, 1)


async def test_generations_change_at_the_same_instant(
    database: Database, orders: MongoOrders, as_holder: AsHolder, fresh_mongodb_url: str
) -> None:
    """Whoever sees an order in one sees it in the other: looked at while projectors race."""
    await as_holder("one").begin()
    await orders.set_up()
    new = [an_order() for _ in range(300)]

    async def project(version: int) -> None:
        client, own = connect(fresh_mongodb_url)
        async with client:
            replica = MongoOrders(Generations(own))
            for start in range(0, len(new), 50):
                batch = new[start : start + 50]
                await store(
                    replica, *(news_of(its_ticket(each, version=version)) for each in batch)
                )

    async def torn() -> list[tuple[int, int]]:
        """Pairs of counts that differ, of one instant."""
        seen = []
        while not writing.done():
            async with database.client.start_session(snapshot=True) as session:
                one, two = [
                    await generation.orders.count_documents({}, session=session)
                    for generation in (Generation(database, 1), Generation(database, 2))
                ]
            seen.append((one, two))
        return [pair for pair in seen if pair[0] != pair[1]]

    writing = asyncio.ensure_future(asyncio.gather(*map(project, (1, 2, 3))))
    assert await torn() == []

    await writing
    for number in (1, 2):
        stored = await Generation(database, number).orders.find().to_list()
        assert len(stored) == len(new)
        assert {len(each["timeline"]) for each in stored} == {3}


async def test_two_processes_do_not_fill_one_generation(as_holder: AsHolder) -> None:
    one, other = as_holder("one"), as_holder("other")
    await one.begin()

    async def living() -> None:
        while True:
            await one.beat({"ORDERS": 1})
            await asyncio.sleep(0.02)

    alive = asyncio.create_task(living())
    with pytest.raises(NotPossible, match="Another process"):
        await other.begin()
    with pytest.raises(NotPossible, match="Another process"):
        await other.abandon()
    alive.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await alive


async def test_what_a_dead_process_has_filled_is_gone_on_with(as_holder: AsHolder) -> None:
    dead, heir = as_holder("dead"), as_holder("heir")
    await dead.begin()
    await dead.beat({"ORDERS": 700})

    candidate = await heir.begin()

    assert (candidate.number, candidate.read, candidate.holder) == (2, {"ORDERS": 700}, "heir")
    with pytest.raises(NotPossible, match="taken over"):
        await dead.beat({"ORDERS": 800})
    with pytest.raises(NotPossible, match="taken over"):
        await dead.switch(2, {})


async def test_a_switch_whose_answer_was_lost_can_be_repeated(
    as_holder: AsHolder, monkeypatch: pytest.MonkeyPatch
) -> None:
    switchover = as_holder("one")
    candidate = await switchover.begin()
    replace_one = AsyncCollection.replace_one

    async def replace_and_lose_the_answer(*given: Any, **named: Any) -> None:
        await replace_one(*given, **named)
        raise AutoReconnect("connection closed")

    with monkeypatch.context() as away:
        away.setattr(AsyncCollection, "replace_one", replace_and_lose_the_answer)
        with pytest.raises(StoreUnavailable):
            await switchover.switch(candidate.number, {"ORDERS": 40})

    await switchover.switch(candidate.number, {"ORDERS": 40})

    pointer = await switchover.pointer()
    assert (pointer.live, pointer.next) == (2, None)
    assert pointer.previous is not None
    assert (pointer.previous.number, pointer.previous.read) == (1, {"ORDERS": 40})


async def test_many_who_begin_at_once_are_one(as_holder: AsHolder) -> None:
    everybody = [as_holder(f"process {number}") for number in range(8)]
    others_gave_up = asyncio.Event()
    refused = 0

    async def begin(switchover: Switchover) -> bool:
        nonlocal refused
        try:
            await switchover.begin()
        except NotPossible:
            refused += 1
            if refused == len(everybody) - 1:
                others_gave_up.set()
            return False
        while not others_gave_up.is_set():
            await switchover.beat({})
            await asyncio.sleep(0.02)
        return True

    assert sum(await asyncio.gather(*map(begin, everybody))) == 1


async def test_the_previous_generation_can_become_the_next_and_is_kept_if_that_is_given_up(
    as_holder: AsHolder,
) -> None:
    switchover = as_holder("one")
    with pytest.raises(NotPossible, match="no previous"):
        await switchover.begin_rollback()
    await switchover.begin()
    await switchover.switch(2, {"ORDERS": 40})

    candidate = await switchover.begin_rollback()
    assert (candidate.number, candidate.read) == (1, {"ORDERS": 40})
    with pytest.raises(NotPossible, match="a rollback under way"):
        await switchover.begin()
    await switchover.beat({"ORDERS": 50})
    await switchover.abandon()

    assert (await switchover.begin_rollback()).read == {"ORDERS": 50}
    await switchover.switch(1, {"ORDERS": 60})
    pointer = await switchover.pointer()
    assert pointer.live == 1
    assert pointer.previous is not None
    assert (pointer.previous.number, pointer.previous.read) == (2, {"ORDERS": 60})


async def test_only_what_nobody_needs_is_swept(database: Database, as_holder: AsHolder) -> None:
    switchover = as_holder("one")
    for _ in range(2):
        await switched(switchover)
    for number in (1, 2, 3):
        await Generation(database, number).orders.insert_one({"_id": "an order"})
    await Generation(database, 1).sales_days.insert_one({"_id": "a day"})

    assert await switchover.sweep() == [1]

    names = await database.list_collection_names()
    assert {"orders-2", "orders-3"} <= set(names)
    assert not {"orders-1", "sales-days-1"} & set(names)


async def test_nothing_is_answered_before_it_is_known_which_generation_is_live(
    database: Database,
) -> None:
    generations = Generations(database, live=None)

    with pytest.raises(StoreUnavailable):
        await MongoOrders(generations).one("an order")

    await generations.refresh()
    assert await MongoOrders(generations).one("an order") is None
