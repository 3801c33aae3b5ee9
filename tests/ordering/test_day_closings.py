"""A business day is closed: what was forgotten on it is settled, once, and nothing else."""

import asyncio
from datetime import timedelta
from uuid import UUID

import pytest
from ordering.application.transaction import StoreUnavailable
from ordering.domain.day_closing import END_OF_DAY
from ordering.domain.order import (
    END_AGAIN_AFTER,
    KitchenVerdict,
    OrderStatus,
    TicketState,
)
from ordering.domain.refusals import DayNotBegun, UnknownRestaurant
from ordering.domain.restaurant import ONE_DAY
from ordering.outbound.transaction.day_closings import (
    DayClosings,
    count_unfinished,
    select_forgotten,
    select_running,
    select_to_end,
    watch_day_closings,
)

from tests.ordering.builders import ADA, NOON, TABLE_12, a_place_order, a_restaurant, an_item
from tests.ordering.conftest import Database
from tests.ordering.use_cases import (
    NO_GRACE,
    Store,
    cancelling,
    closing_day,
    ending,
    finding,
    finishing_day,
    offering,
    open_la_piazza,
    placing,
    setting,
    taking_verdict,
)

TODAY = a_restaurant().business_day(NOON)
EARLIER = NOON - timedelta(hours=1)
GRACE = timedelta(minutes=15)


async def test_what_is_in_the_kitchen_is_asked_for_and_the_order_closes_once_it_is_settled(
    store: Store,
) -> None:
    await open_la_piazza(store)
    order = await store.run(placing(a_place_order(party=TABLE_12)))

    asked = await store.run(ending(order.order_id))
    again = await store.run(ending(order.order_id))
    begun = await store.run(taking_verdict(order.order_id, 1, KitchenVerdict.STARTED))
    over = await store.run(
        taking_verdict(order.order_id, 1, KitchenVerdict.ABANDONED, TicketState(3))
    )

    assert asked.cancellation is not None
    assert (asked.status, asked.cancellation.closes) == (OrderStatus.CANCELLING, True)
    assert (again, begun.version) == (asked, asked.version)
    assert (over.status, over.total) == (OrderStatus.CLOSED, order.total)
    assert await store.run(finding(order.order_id)) == over  # an abandoned round stays so, stored


async def test_a_table_that_is_served_is_closed_at_once_and_says_why(store: Store) -> None:
    await open_la_piazza(store)
    order = await store.run(placing(a_place_order(party=TABLE_12)))
    await store.run(taking_verdict(order.order_id, 1))

    closed = await store.run(ending(order.order_id))

    assert closed.status is OrderStatus.CLOSED
    assert closed.end(reason="again", at=NOON, actor=None) is None


async def test_an_order_of_which_nothing_was_made_is_cancelled(store: Store) -> None:
    await open_la_piazza(store)
    order = await store.run(placing(a_place_order(party=TABLE_12)))
    await store.run(ending(order.order_id))

    over = await store.run(taking_verdict(order.order_id, 1, KitchenVerdict.VOIDED))

    assert (over.status, over.total) == (OrderStatus.CANCELLED, 0)


async def test_what_was_recalled_as_its_day_was_closed_is_asked_for_again_after_a_while(
    store: Store,
) -> None:
    await open_la_piazza(store)
    order = await store.run(placing(a_place_order(party=TABLE_12)))
    asked = await store.run(ending(order.order_id))
    recalled = taking_verdict(order.order_id, 1, KitchenVerdict.STARTED, TicketState(5, NOON))
    await store.run(recalled)

    early = await store.run(ending(order.order_id))
    late = await store.run(ending(order.order_id, NOON + END_AGAIN_AFTER))

    assert (early.version, late.version) == (asked.version, asked.version + 1)


async def test_to_close_a_past_day_again_while_it_is_being_closed_changes_nothing(
    store: Store,
) -> None:
    await open_la_piazza(store)

    first = await store.run(closing_day(TODAY - ONE_DAY, reason="we are closing"))
    again = await store.run(closing_day(TODAY - ONE_DAY, NOON + timedelta(minutes=1)))
    for_an_earlier_day = await store.run(closing_day(TODAY - 2 * ONE_DAY))
    over = await store.run(finishing_day(first.version))
    twice = await store.run(finishing_day(first.version))
    anew = await store.run(closing_day(at=NOON + timedelta(hours=1)))

    assert (first.reason, first.version) == ("we are closing", 1)
    assert again == for_an_earlier_day == first
    assert (over.finished_at, twice) == (NOON, over)
    assert (anew.finished_at, anew.reason, anew.version) == (None, END_OF_DAY, 3)


async def test_to_close_the_running_day_again_ends_what_was_ordered_since(
    database: Database,
) -> None:
    """Though an order of the first time is left unanswered by the kitchen."""
    store, later = database.replica(), NOON + timedelta(minutes=2)
    await open_la_piazza(store)
    stuck = await store.run(placing(a_place_order(party=TABLE_12), EARLIER))
    await store.run(closing_day())
    await store.run(ending(stuck.order_id))
    order = await store.run(placing(a_place_order(party=TABLE_12), NOON + timedelta(minutes=1)))

    again = await store.run(closing_day(at=later))

    async with database.engine.connect() as connection:
        assert await select_to_end(connection, again, at=later) == [order.order_id]


async def test_only_what_is_begun_anew_is_asked_for_again(database: Database) -> None:
    store, late = database.replica(), NOON + END_AGAIN_AFTER
    await open_la_piazza(store)
    order = await store.run(placing(a_place_order(party=TABLE_12), EARLIER))
    closing = await store.run(closing_day())
    await store.run(ending(order.order_id))

    async with database.engine.connect() as connection:
        unanswered = await select_to_end(connection, closing, at=late)
        await connection.rollback()
        await store.run(taking_verdict(order.order_id, 1, KitchenVerdict.STARTED))
        begun = await select_to_end(connection, closing, at=late)

    assert (unanswered, begun) == ([], [order.order_id])


async def test_what_one_restaurants_orders_meet_keeps_no_others_open(database: Database) -> None:
    store = database.replica()
    await open_la_piazza(store)
    await store.run(setting(a_restaurant(slug="da-mario")))
    await store.run(offering(an_item(restaurant="da-mario")))
    held = await store.run(placing(a_place_order(party=TABLE_12), EARLIER))
    after = await store.run(placing(a_place_order(party=TABLE_12), EARLIER))
    others = await store.run(placing(a_place_order("da-mario", party=TABLE_12), EARLIER))
    await store.run(closing_day())
    await store.run(closing_day(restaurant="da-mario"))
    ended = []

    async def end(_: object, order_id: UUID) -> None:
        if order_id == held.order_id:
            raise StoreUnavailable("something is in the way of its restaurant's commands")
        ended.append(order_id)

    async def do_nothing(*_: object) -> None: ...

    def note(failing: str | None = None) -> None:
        raise AssertionError("what was met is not told")

    with pytest.raises(StoreUnavailable):
        await watch_day_closings(
            database.engine, note, DayClosings(do_nothing, end, do_nothing), clock=lambda: NOON
        )

    assert set(ended) == {after.order_id, others.order_id}


async def test_a_closing_that_was_widened_meanwhile_is_not_over(store: Store) -> None:
    await open_la_piazza(store)
    yesterday = await store.run(closing_day(TODAY - ONE_DAY))
    today = await store.run(closing_day())

    assert await store.run(finishing_day(yesterday.version)) == today


async def test_a_day_that_has_not_begun_or_of_nowhere_is_not_closed(store: Store) -> None:
    with pytest.raises(UnknownRestaurant):
        await store.run(closing_day())
    await open_la_piazza(store)

    with pytest.raises(DayNotBegun):
        await store.run(closing_day(TODAY + ONE_DAY))


async def test_only_the_orders_of_the_day_that_were_placed_before_it_was_closed_are_ended(
    database: Database,
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    yesterdays = await store.run(placing(a_place_order(party=TABLE_12), NOON - ONE_DAY))
    todays = await store.run(placing(a_place_order(party=ADA), EARLIER))
    handed_over = await store.run(placing(a_place_order(party=ADA), EARLIER))
    await store.run(taking_verdict(handed_over.order_id, 1, recall_grace=GRACE))
    negotiated = await store.run(placing(a_place_order(party=TABLE_12), EARLIER))
    await store.run(cancelling(negotiated.order_id))
    await store.run(placing(a_place_order(party=ADA), NOON + timedelta(minutes=1)))
    past = await store.run(closing_day(TODAY - ONE_DAY))

    async with database.engine.connect() as connection:
        of_yesterday = await select_to_end(connection, past, at=NOON)
        closing = await store.run(closing_day())
        of_today = await select_to_end(connection, closing, at=NOON)
        unfinished = await count_unfinished(connection, closing)

    assert of_yesterday == [yesterdays.order_id]
    assert set(of_today) == {yesterdays.order_id, todays.order_id}
    assert unfinished == 4


@pytest.mark.parametrize("closes_days", [True, False])
async def test_a_day_closes_by_itself_once_the_next_begins_if_the_restaurant_wants_that(
    database: Database, *, closes_days: bool
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    await store.run(setting(a_restaurant(closes_days=closes_days)))
    await store.run(placing(a_place_order(party=TABLE_12), NOON))

    async with database.engine.connect() as connection:
        today = await select_forgotten(connection, at=NOON)
        tomorrow = await select_forgotten(connection, at=NOON + ONE_DAY)

    assert (today, tomorrow) == ([], [("la-piazza", TODAY)] if closes_days else [])


async def test_two_replicas_end_each_order_once_and_go_on_after_a_crash(
    database: Database,
) -> None:
    """The first is killed as it has ended one of the orders; two others take it up."""
    store = database.replica()
    await open_la_piazza(store)
    orders = [await store.run(placing(a_place_order(party=TABLE_12), EARLIER)) for _ in range(5)]
    for order in orders:
        await store.run(taking_verdict(order.order_id, 1, recall_grace=NO_GRACE))
    await store.run(closing_day())
    await store.run(ending(orders[0].order_id))
    over = asyncio.Event()

    async def end(_: object, order_id: UUID) -> None:
        await database.replica().run(ending(order_id))

    async def finish(closing: object) -> None:
        await database.replica().run(finishing_day(1))
        over.set()

    async def close_day(*_: object) -> None:
        raise AssertionError("no restaurant closes its days")

    def note(failing: str | None = None) -> None:
        assert failing is None

    replicas = [
        asyncio.create_task(
            watch_day_closings(
                database.engine,
                note,
                DayClosings(close_day, end, finish),
                clock=lambda: NOON,
            )
        )
        for _ in range(2)
    ]
    await over.wait()
    for each in replicas:
        each.cancel()

    async with database.engine.connect() as connection:
        assert await select_running(connection) == []
    for order in orders:
        ended = await store.run(finding(order.order_id))
        assert ended is not None
        assert (ended.status, ended.version) == (OrderStatus.CLOSED, order.version + 1)
