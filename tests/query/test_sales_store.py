"""Sales on a real MongoDB: whatever is delivered and summed up when, the sums are the orders'."""

import asyncio
import functools
import itertools
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pymongo.monitoring import CommandListener, CommandStartedEvent, CommandSucceededEvent
from query.storage.client import CHUNK_DOCUMENTS, Client, Database, connect, store_call
from query.storage.generations import Generation, Generations
from query.storage.orders.store import MongoOrders
from query.storage.sales import roll_up
from query.storage.sales.roll_up import RollUp, roll_up_all, roll_up_next
from query.storage.sales.store import MongoSales
from query.views.board.estimate import SAMPLES_MIN
from query.views.orders.view import document, merge, view_of
from query.views.ports import TimedOut
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
    """Counts what a client asks of the store, and the most documents that it was answered."""

    def __init__(self) -> None:
        self.count = 0
        self.largest_answer = 0

    def started(self, event: CommandStartedEvent) -> None:
        self.count += 1

    def succeeded(self, event: CommandSucceededEvent) -> None:
        found = event.reply.get("cursor", {}).get("firstBatch", ())
        self.largest_answer = max(self.largest_answer, len(found))

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


async def test_days_that_take_too_long_together_are_summed_up_by_themselves(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    generations = Generations(database)
    restaurants = [a_restaurant() for _ in range(8)]
    await project(generations, *(placed(an_order(restaurant=each)) for each in restaurants))
    sales_of, endless = roll_up._sales_of, restaurants[0]

    async def slow_sales_of(read_by: Any, hours: list[Hour]) -> Any:
        if len(hours) > 2 or endless in {hour.restaurant for hour in hours}:
            async with store_call(0):
                await asyncio.Event().wait()
        return await sales_of(read_by, hours)

    monkeypatch.setattr(roll_up, "_sales_of", slow_sales_of)

    await roll_up_next(generations.live)

    summed_up = [(await orders_and_waits(generations, each))[0] for each in restaurants]
    assert summed_up == [0] + [1] * 7


async def test_a_store_that_answers_nothing_is_not_asked_for_each_day(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    generations = Generations(database)
    await project(generations, *(placed(an_order(restaurant=a_restaurant())) for _ in range(8)))
    asked = []

    async def never(_: Any, hours: list[Hour]) -> Any:
        asked.append(hours)
        for bound in ("CLAIM_RENEWAL_INTERVAL_S", "CLAIM_RENEWAL_TIMEOUT_S"):
            monkeypatch.setattr(roll_up, bound, 0.0)  # the claim can't be renewed any more either
        async with store_call(0):
            await asyncio.Event().wait()

    monkeypatch.setattr(roll_up, "_sales_of", never)

    with pytest.raises(TimedOut):
        await roll_up_next(generations.live)

    assert len(asked) == 1


class PassingTime:
    """The time of a loop, which passes as told."""

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self._time = loop.time
        self.passed_s = 0.0

    def now(self) -> float:
        return self._time() + self.passed_s

    async def passes(self, seconds: float) -> None:
        self.passed_s += seconds
        for _ in range(3):  # in which what is due is done
            await asyncio.sleep(0)


class SlowCursor:
    """Takes its time for each chunk of its documents."""

    def __init__(self, documents: list[Stored], time: PassingTime, chunk_s: float) -> None:
        self._left = documents
        self._time = time
        self._chunk_s = chunk_s

    async def to_list(self, length: int) -> list[Stored]:
        await self._time.passes(self._chunk_s)
        some, self._left = self._left[:length], self._left[length:]
        return some

    async def __aiter__(self) -> AsyncIterator[Stored]:
        while some := await self.to_list(CHUNK_DOCUMENTS):
            for each in some:
                yield each


def test_orders_are_summed_up_however_long_that_takes_and_the_claim_is_kept_meanwhile() -> None:
    """On a loop of its own, whose time is told it."""
    orders = [document(view_of(placed(an_order(restaurant="r")))) for _ in range(2000)]
    hour = Hour.of("r", orders[0]["order"])
    renewals: list[float] = []

    async def sum_up() -> tuple[Sales, float]:
        loop = asyncio.get_running_loop()
        time = PassingTime(loop)
        loop.time = time.now  # type: ignore[method-assign]
        cursor = SlowCursor(orders, time, chunk_s=roll_up.CHUNK_TIMEOUT_S * 0.9)

        async def renew(*_: Any) -> None:
            renewals.append(time.passed_s)
            await time.passes(roll_up.CLAIM_RENEWAL_TIMEOUT_S * 0.9)

        generation: Any = SimpleNamespace(
            orders=SimpleNamespace(find=lambda *_, **__: cursor),
            sales_days=SimpleNamespace(update_many=renew),
        )
        claim = roll_up._Claim(generation, [{"_id": f"r/{DAY}"}], "ours", loop.time())
        sales = await roll_up._sales_of(claim, [hour])
        return sales[hour], time.passed_s

    sales, took_s = asyncio.run(sum_up())

    assert sales.total.orders == len(orders)
    assert took_s > 10 * roll_up.CLAIM_TIMEOUT_S
    waits = [after - before for before, after in itertools.pairwise([0.0, *renewals, took_s])]
    assert max(waits) + roll_up.CLAIM_RENEWAL_TIMEOUT_S < roll_up.CLAIM_TIMEOUT_S
    assert min(waits[:-1]) >= roll_up.CLAIM_RENEWAL_INTERVAL_S


async def test_whatever_was_written_is_looked_for_a_batch_at_a_time(
    fresh_mongodb_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(roll_up, "BATCH_DAYS", 2)
    commands = Commands()
    async with Client(fresh_mongodb_url, event_listeners=[commands]) as client:
        generations = Generations(client.get_default_database())
        await project(generations, *(placed(an_order(restaurant=a_restaurant())) for _ in range(5)))

        await roll_up_all(generations.live)

        assert commands.largest_answer == 2
        assert await generations.live.sales_days.count_documents({"dirty": True}) == 0


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

    board, _ = await MongoOrders(generations).board(restaurant)

    estimate = board["preparing"][0]["estimated_ready_at"]
    assert timedelta(seconds=59) < estimate - began < timedelta(seconds=90)
