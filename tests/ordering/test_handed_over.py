"""A takeaway order that was handed over closes by itself, once nothing can be taken back."""

import asyncio
from datetime import datetime, timedelta
from uuid import UUID

import pytest
from ordering.application.transaction import CommandBlocked
from ordering.domain.order import RECALL_MARGIN, KitchenVerdict, OrderStatus, TicketState
from ordering.outbound.database.handed_over import select_due, watch_handed_over
from ordering.outbound.transaction.command_queue import PendingCommand
from ordering.outbound.transaction.group_commit import GroupCommit

from tests.ordering.builders import ADA, NOON, TABLE_12, a_place_order
from tests.ordering.conftest import Database
from tests.ordering.use_cases import (
    Store,
    closing_handed_over,
    finding,
    open_la_piazza,
    placing,
    taking_verdict,
)

GRACE = timedelta(minutes=15)
OVER = NOON + GRACE + RECALL_MARGIN
SERVED = TicketState(4, NOON)
RECALLED = TicketState(5, NOON)


async def handed_over(store: Store) -> UUID:
    """The id of an order to take away, all of it served at noon."""
    order = await store.run(placing(a_place_order(party=ADA)))
    await store.run(taking_verdict(order.order_id, 1, ticket=SERVED, recall_grace=GRACE))
    return order.order_id


async def status(store: Store, order_id: UUID) -> OrderStatus:
    found = await store.run(finding(order_id))
    assert found is not None
    return found.status


async def due(database: Database, at: datetime) -> list[UUID]:
    async with database.engine.connect() as connection:
        return [order_id for _, order_id in await select_due(connection, until=at)]


async def test_it_stays_open_for_the_grace_and_is_closed_once_after_it(store: Store) -> None:
    await open_la_piazza(store)
    order_id = await handed_over(store)

    early = await store.run(closing_handed_over(order_id, NOON + GRACE, GRACE))
    over = await store.run(closing_handed_over(order_id, OVER, GRACE))
    again = await store.run(closing_handed_over(order_id, OVER, GRACE))

    assert (early.status, early.version) == (OrderStatus.OPEN, 1)
    assert (over.status, over.version) == (OrderStatus.CLOSED, 2)
    assert again == over


async def test_a_round_that_is_recalled_keeps_it_open_until_it_is_handed_over_again(
    store: Store,
) -> None:
    await open_la_piazza(store)
    order_id = await handed_over(store)
    recalled = taking_verdict(order_id, 1, KitchenVerdict.STARTED, RECALLED, GRACE)
    again = taking_verdict(order_id, 1, ticket=TicketState(6, OVER), recall_grace=GRACE)

    await store.run(recalled)
    while_away = await store.run(closing_handed_over(order_id, OVER + GRACE, GRACE))
    await store.run(again)
    early = await store.run(closing_handed_over(order_id, OVER + GRACE, GRACE))
    over = await store.run(closing_handed_over(order_id, OVER + GRACE + RECALL_MARGIN, GRACE))

    assert while_away.status is early.status is OrderStatus.OPEN
    assert over.status is OrderStatus.CLOSED


async def test_what_is_due_is_found_by_when_it_was_handed_over(database: Database) -> None:
    store = database.replica()
    await open_la_piazza(store)
    order_id = await handed_over(store)
    await store.run(placing(a_place_order(party=ADA)))
    table = await store.run(placing(a_place_order(party=TABLE_12)))
    await store.run(taking_verdict(table.order_id, 1, ticket=SERVED, recall_grace=GRACE))

    before, then = await due(database, NOON - GRACE), await due(database, NOON)
    await store.run(taking_verdict(order_id, 1, KitchenVerdict.STARTED, RECALLED, GRACE))

    assert (before, then, await due(database, NOON)) == ([], [order_id], [])


async def test_what_is_due_is_closed_in_groups_and_each_order_by_itself(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    order_ids = [await handed_over(store) for _ in range(4)]
    looked, groups = asyncio.Event(), []
    commit = GroupCommit._commit

    async def counted(store: GroupCommit, group: list[PendingCommand]) -> None:
        groups.append(len(group))
        await commit(store, group)

    monkeypatch.setattr(GroupCommit, "_commit", counted)

    async def close(restaurant: str, due_id: UUID) -> None:
        if due_id == order_ids[0]:
            raise CommandBlocked("another replica is at it")
        await store.run(closing_handed_over(due_id, OVER, GRACE), restaurant=restaurant)

    def note(failing: str | None = None) -> None:
        looked.set()

    watching = asyncio.create_task(
        watch_handed_over(
            database.engine, note, close=close, heard_until=lambda: OVER, recall_grace=GRACE
        )
    )
    await looked.wait()
    watching.cancel()

    statuses = [await status(store, order_id) for order_id in order_ids]
    assert statuses == [OrderStatus.OPEN] + [OrderStatus.CLOSED] * 3
    assert groups[0] == 3


@pytest.mark.parametrize(
    ("heard", "closes"), [(OVER, True), (OVER - timedelta(seconds=1), False), (None, False)]
)
async def test_it_is_closed_only_if_all_words_of_the_kitchen_were_heard_until_its_grace_was_over(
    database: Database, *, heard: datetime | None, closes: bool
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    order_id = await handed_over(store)
    looked = asyncio.Event()

    async def close(restaurant: str, due_id: UUID) -> None:
        assert (restaurant, due_id) == ("la-piazza", order_id)
        await store.run(closing_handed_over(due_id, OVER + GRACE, GRACE))

    def note(failing: str | None = None) -> None:
        looked.set()

    watching = asyncio.create_task(
        watch_handed_over(
            database.engine,
            note,
            close=close,
            heard_until=lambda: heard,
            recall_grace=GRACE,
        )
    )
    await looked.wait()
    watching.cancel()

    assert (await status(store, order_id) is OrderStatus.CLOSED) == closes
