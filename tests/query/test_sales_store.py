"""Sales on a real MongoDB: whatever is delivered and summed up when, the sums are the orders'."""

import asyncio
import functools
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.monitoring import CommandListener, CommandStartedEvent
from query.storage.client import Client, Database, connect
from query.storage.generations import Generation, Generations
from query.storage.orders.store import MongoOrders
from query.storage.sales import roll_up
from query.storage.sales.roll_up import RollUp, roll_up_all, roll_up_next
from query.storage.sales.store import MongoSales
from query.views.board.estimate import SAMPLES_MIN
from query.views.orders.view import document, merge, view_of
from query.views.sales.view import Hour, Sales, SalesSummary, Span

from tests.query.builders import a_restaurant, after, an_order, its_ticket, news_of, placed
from tests.query.conftest import project
from tests.query.histories import History, deliveries, histories
from tests.query.test_order_store import in_batches
from tests.support.eventually import eventually

DAY = "2026-11-23"
Stored = dict[str, Any]


def a_day(restaurant: str) -> Span:
    return Span(restaurant, DAY, DAY)


async def stored_sales(generation: Generation) -> tuple[list[Stored], list[Stored]]:
    """The sums of all hours and of all days, without their stamps."""
    found = []
    for collection in (generation.sales_hours, generation.sales_days):
        sums = await collection.find(sort=[("_id", 1)]).to_list()
        found.append([{**each["summary"], "stamp": None} for each in sums])
    return found[0], found[1]


def expected_sales(told: list[History]) -> tuple[list[Stored], list[Stored]]:
    """What the sums should be: directly from the orders as they are in the end."""
    orders = [document(functools.reduce(merge, map(view_of, history))) for history in told]
    hours = {Hour.of(each["restaurant"], each["order"]) for each in orders}

    def of_those(**fields: Any) -> Stored:
        counted = [
            each
            for each in orders
            if all(
                getattr(Hour.of(each["restaurant"], each["order"]), name) == value
                for name, value in fields.items()
            )
        ]
        return {"stamp": None, **Sales.of(counted).document()}

    return (
        [
            of_those(day=day, start=start)
            for day, start in sorted({(h.day, h.start) for h in hours})
        ],
        [of_those(day=day) for day in sorted({hour.day for hour in hours})],
    )


@settings(
    max_examples=30,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
@given(data=st.data())
async def test_any_delivery_and_any_sums_between_end_in_the_sums_of_the_orders(
    fresh_mongodb_url: str, data: st.DataObject
) -> None:
    told = [data.draw(histories()) for _ in range(data.draw(st.integers(1, 4)))]
    events = [event for history in told for event in history]
    sizes = data.draw(st.lists(st.integers(1, 7), min_size=1, max_size=3))
    deliveries_of_each = [in_batches(data.draw(deliveries(events)), sizes) for _ in range(2)]
    sums_of_each = [data.draw(st.lists(st.booleans(), max_size=12)) for _ in range(2)]
    client, database = connect(fresh_mongodb_url)

    async def replica(batches: list[History], sums: list[bool]) -> None:
        own_client, own_database = connect(fresh_mongodb_url)
        async with own_client:
            generations = Generations(own_database)
            for number, batch in enumerate(batches):
                await project(generations, *batch)
                if sums[number % len(sums)] if sums else False:
                    await roll_up_all(generations.live)

    async with client:
        live = Generations(database).live
        for collection in (live.orders, live.sales_hours, live.sales_days):
            await collection.delete_many({})  # of the example before

        await asyncio.gather(*map(replica, deliveries_of_each, sums_of_each))
        await roll_up_all(live)

        assert await stored_sales(live) == expected_sales(told)
        assert await live.sales_days.count_documents({"dirty": True}) == 0


async def test_a_sum_that_is_overtaken_by_a_write_is_made_again(
    database: Database, restaurant: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    generations = Generations(database)
    await project(generations, placed(an_order(restaurant=restaurant)))
    claim = roll_up._claim

    async def claim_and_be_overtaken(*arguments: Any) -> Any:
        days = await claim(*arguments)
        await project(generations, placed(an_order(restaurant=restaurant)))
        return days

    monkeypatch.setattr(roll_up, "_claim", claim_and_be_overtaken)
    await roll_up_all(generations.live)
    monkeypatch.setattr(roll_up, "_claim", claim)
    await roll_up_all(generations.live)

    assert (await orders_and_waits(generations, restaurant))[0] == 2


async def orders_and_waits(generations: Generations, restaurant: str) -> tuple[int, int]:
    kept = await MongoSales(generations).days(a_day(restaurant), items=False)
    total = Sales()
    for period in kept.periods:
        total.add(period.sales)
    return total.total.orders, sum(total.total.ready.values())


async def test_a_ticket_counts_in_the_hour_of_its_order_whichever_comes_first(
    database: Database, restaurant: str
) -> None:
    generations = Generations(database)
    first, second = (an_order(restaurant=restaurant) for _ in range(2))
    ready_first, ready_second = (
        news_of(its_ticket(order, status="ready", version=3, ready_at=after(7200)))
        for order in (first, second)
    )

    await project(generations, placed(first))
    await roll_up_all(generations.live)
    await project(generations, ready_first, ready_second)
    await roll_up_all(generations.live)
    await project(generations, placed(second))
    await roll_up_all(generations.live)

    assert await orders_and_waits(generations, restaurant) == (2, 2)


async def test_a_running_roll_up_keeps_up_with_what_is_written(
    database: Database, restaurant: str
) -> None:
    generations = Generations(database)
    rolling = asyncio.create_task(RollUp(generations).run(lambda _=None: None))

    try:
        for number in range(1, 4):
            await project(generations, placed(an_order(restaurant=restaurant)))
            await eventually(
                lambda: orders_and_waits(generations, restaurant),
                lambda seen, number=number: seen[0] == number,  # type: ignore[misc]
            )
    finally:
        rolling.cancel()


class Commands(CommandListener):
    """Counts what a client asks of the store."""

    def __init__(self) -> None:
        self.count = 0

    def started(self, event: CommandStartedEvent) -> None:
        self.count += 1

    def succeeded(self, event: object) -> None: ...
    def failed(self, event: object) -> None: ...


async def test_a_thousand_restaurants_are_summed_up_by_a_few_questions_a_hundred(
    fresh_mongodb_url: str,
) -> None:
    commands = Commands()
    async with Client(fresh_mongodb_url, event_listeners=[commands]) as client:
        generations = Generations(client.get_default_database())
        await MongoSales(generations).set_up()
        restaurants = [a_restaurant() for _ in range(1000)]
        await project(generations, *(placed(an_order(restaurant=each)) for each in restaurants))
        before = commands.count

        while await roll_up_next(generations.live):
            pass

        assert commands.count - before <= 10 * 12
        assert await generations.live.sales_days.count_documents({"dirty": True}) == 0
        for restaurant in restaurants[::100]:
            assert (await orders_and_waits(generations, restaurant))[0] == 1


async def test_a_day_that_was_just_summed_up_is_left_to_settle(
    database: Database, restaurant: str
) -> None:
    generations = Generations(database)
    await project(generations, placed(an_order(restaurant=restaurant)))
    assert await roll_up_next(generations.live) > 0

    await project(generations, placed(an_order(restaurant=restaurant)))

    assert await roll_up_next(generations.live) == 0


async def test_a_day_that_cannot_be_summed_up_stands_in_nobodys_way(
    database: Database, restaurant: str
) -> None:
    generations = Generations(database)
    endless = an_order(restaurant=a_restaurant(), total=2**53 - 1)
    priceless = endless.rounds[0].lines[0].model_copy(update={"unit_price": 2**62, "quantity": 1})
    rounds = tuple(
        endless.rounds[0].model_copy(update={"round": number, "lines": (priceless,)})
        for number in (1, 2)
    )
    await project(generations, placed(endless.model_copy(update={"rounds": rounds})))
    await project(generations, placed(an_order(restaurant=restaurant)))

    await roll_up_next(generations.live)
    await roll_up_next(generations.live)

    assert await orders_and_waits(generations, endless.restaurant) == (0, 0)
    assert (await orders_and_waits(generations, restaurant))[0] == 1


async def test_what_is_not_summed_up_yet_is_told_by_the_time_until_which_it_is(
    database: Database, restaurant: str
) -> None:
    generations, sales = Generations(database), MongoSales(Generations(database))

    async def kept() -> SalesSummary:
        return await sales.days(a_day(restaurant), items=False)

    await project(generations, placed(an_order(restaurant=restaurant)))
    before = (await kept()).as_of
    await asyncio.sleep(0.01)
    assert (await kept()).as_of == before

    await roll_up_all(generations.live)

    assert (await kept()).as_of > before


async def test_the_board_estimates_by_the_rounds_that_were_summed_up(
    database: Database, restaurant: str
) -> None:
    generations = Generations(database)
    for number in range(SAMPLES_MIN):
        order = an_order(restaurant=restaurant, status="closed", version=2)
        made = {"started_at": after(60 * number), "ready_at": after(60 * number + 60)}
        await project(
            generations, placed(order), news_of(its_ticket(order, status="ready", **made))
        )
    await roll_up_all(generations.live)
    await project(generations, placed(an_order(restaurant=restaurant)))
    began = datetime.now(UTC)

    board = await MongoOrders(generations).board(restaurant)

    estimate = board["preparing"][0]["estimated_ready_at"]
    assert timedelta(seconds=59) < estimate - began < timedelta(seconds=90)
