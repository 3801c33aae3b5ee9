"""An evening over midnight, from ordering's PostgreSQL to the answers of query: it is one day."""

import asyncio
import uuid
from datetime import UTC, datetime, time, timedelta

import httpx
from comanda_contracts import OrderEvent, RestaurantEvent, read
from ordering.outbound.database.engine import connect as connect_postgres
from ordering.outbound.database.migration import migrate
from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.transaction.group_commit import GroupCommit
from query.storage.client import connect as connect_mongodb
from query.storage.generations import Generations
from query.storage.menus import MongoMenus
from query.storage.sales.roll_up import roll_up_all
from query.views.menu import view_of
from sqlalchemy import text

from tests.ordering.builders import a_restaurant
from tests.ordering.use_cases import open_la_piazza, placing, setting
from tests.query.conftest import answering, project

NINE = datetime(2026, 5, 4, 19, 0, tzinfo=UTC)
"""Nine o'clock in the evening in Rome."""
AN_HOUR = timedelta(hours=1)
HERE = "/v1/restaurants/la-piazza"


async def evening(database_url: str, day_begins: time) -> list[OrderEvent | RestaurantEvent]:
    """What ordering tells of six hours with an order each; its day may begin at another hour."""
    await asyncio.to_thread(migrate, database_url)
    engine = connect_postgres(database_url)
    store = GroupCommit(engine, new_id=uuid.uuid4, first_events=FirstEvents())
    await open_la_piazza(store)
    await store.run(setting(a_restaurant(day_begins=day_begins), at=NINE))
    for hour in range(6):
        await store.run(placing(at=NINE + hour * AN_HOUR))
    async with engine.connect() as connection:
        rows = await connection.execute(text("SELECT headers, body FROM outbox ORDER BY id"))
        events = [read(row.headers, row.body) for row in rows]
    await engine.dispose()
    return [each for each in events if isinstance(each, OrderEvent | RestaurantEvent)]


async def show(mongodb_url: str, events: list[OrderEvent | RestaurantEvent]) -> None:
    """Bring the events into query's views, and its sums up to date."""
    client, database = connect_mongodb(mongodb_url)
    async with client:
        generations = Generations(database)
        await project(generations, *(each for each in events if isinstance(each, OrderEvent)))
        venues = [view_of(each) for each in events if isinstance(each, RestaurantEvent)]
        await MongoMenus(generations).merge_restaurants(venues[-1:])
        await roll_up_all(generations.live)


async def numbers_on_the_board(query: httpx.AsyncClient) -> list[str]:
    board = (await query.get(f"{HERE}/board")).json()
    return [order["number"] for order in board["preparing"]]


async def sales_by_day(query: httpx.AsyncClient) -> list[tuple[str, int]]:
    report = await query.get(f"{HERE}/sales?from=2026-05-03&to=2026-05-06&by=day")
    return [(each["day"], each["orders"]) for each in report.json()["groups"] if each["orders"]]


async def test_an_evening_over_midnight_is_one_day_with_numbers_of_its_own(
    fresh_database: str, fresh_mongodb_url: str
) -> None:
    await show(fresh_mongodb_url, await evening(fresh_database, time(4)))

    async with answering(fresh_mongodb_url) as query:
        assert await numbers_on_the_board(query) == [f"A-00{number}" for number in range(1, 7)]
        assert await sales_by_day(query) == [("2026-05-04", 6)]
        found = await query.get(f"{HERE}/orders/by-number/2026-05-04/A-006")
        assert found.json()["placed_at"] == "2026-05-05T00:00:00.000000Z"


async def test_a_restaurant_that_sets_no_hour_has_calendar_days(
    fresh_database: str, fresh_mongodb_url: str
) -> None:
    await show(fresh_mongodb_url, await evening(fresh_database, time(0)))

    async with answering(fresh_mongodb_url) as query:
        assert await sales_by_day(query) == [("2026-05-04", 3), ("2026-05-05", 3)]
