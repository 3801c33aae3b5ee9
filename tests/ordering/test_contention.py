"""Commands in each other's way on a real PostgreSQL: each is carried out, or fails, by itself."""

import asyncio
import uuid
from collections.abc import AsyncIterator

import asyncpg
import pytest
from ordering.application.transaction import Decision, StoreUnavailable, Transaction
from ordering.domain.order import Order
from ordering.outbound.database.engine import connect
from ordering.outbound.database.errors import (
    BLOCKED,
    FAULT,
    LOST_RACE,
    UNAVAILABLE,
    Failure,
    failure_of,
)
from sqlalchemy import text
from sqlalchemy.exc import DBAPIError

from tests.ordering.builders import a_restaurant, an_item
from tests.ordering.conftest import Database
from tests.ordering.use_cases import adding, offering, open_la_piazza, placing, setting

PAIRS = 15


@pytest.fixture
async def elsewhere(database: Database) -> AsyncIterator[Database]:
    """The same database, from another process."""
    engine = connect(database.url)
    yield Database(database.url, engine)
    await engine.dispose()


@pytest.mark.parametrize(
    ("error", "failure"),
    [
        (asyncpg.SerializationError(), LOST_RACE),
        (asyncpg.DeadlockDetectedError(), LOST_RACE),
        (asyncpg.UniqueViolationError(), LOST_RACE),
        (asyncpg.InvalidCachedStatementError(), LOST_RACE),
        (asyncpg.FeatureNotSupportedError(), FAULT),
        (asyncpg.ForeignKeyViolationError(), FAULT),
        (asyncpg.CharacterNotInRepertoireError(), FAULT),
        (ZeroDivisionError(), FAULT),
        (asyncpg.LockNotAvailableError(), BLOCKED),
        (asyncpg.QueryCanceledError(), BLOCKED),
        (asyncpg.ReadOnlySQLTransactionError(), UNAVAILABLE),
        (asyncpg.TooManyConnectionsError(), UNAVAILABLE),
        (asyncpg.DiskFullError(), UNAVAILABLE),
        (asyncpg.AdminShutdownError(), UNAVAILABLE),
        (asyncpg.CannotConnectNowError(), UNAVAILABLE),
        (asyncpg.PostgresIOError(), UNAVAILABLE),
        (ConnectionRefusedError(), UNAVAILABLE),
        (TimeoutError(), UNAVAILABLE),
    ],
    ids=lambda each: type(each).__name__ if isinstance(each, Exception) else "",
)
def test_each_error_says_whose_it_is_and_whether_it_passes(
    error: Exception, failure: Failure
) -> None:
    assert failure_of(error) is failure


async def test_the_errors_of_the_database_are_told_apart_below_sqlalchemys(
    database: Database,
) -> None:
    statement = "DO $$ BEGIN RAISE EXCEPTION 'full' USING ERRCODE = '53100'; END $$"

    with pytest.raises(DBAPIError) as failed:
        async with database.engine.connect() as connection:
            await connection.execute(text(statement))

    assert failure_of(failed.value) is UNAVAILABLE


async def test_a_new_item_put_on_two_replicas_at_once_is_put_by_both(
    database: Database, elsewhere: Database
) -> None:
    here, there = database.replica(), elsewhere.replica()
    await open_la_piazza(here)

    for pair in range(PAIRS):
        items = await asyncio.gather(
            here.run(offering(an_item(f"dolce-{pair}", price=500))),
            there.run(offering(an_item(f"dolce-{pair}", price=600))),
        )

        assert sorted(item.version for item in items) == [1, 2]


async def test_a_new_restaurant_put_on_two_replicas_at_once_is_put_by_both(
    database: Database, elsewhere: Database
) -> None:
    here, there = database.replica(), elsewhere.replica()

    for pair in range(PAIRS):
        restaurants = await asyncio.gather(
            here.run(setting(a_restaurant(slug=f"venue-{pair}", name="Here"))),
            there.run(setting(a_restaurant(slug=f"venue-{pair}", name="There"))),
        )

        assert sorted(restaurant.version for restaurant in restaurants) == [1, 2]


async def test_orders_are_placed_beside_changes_of_their_restaurant(
    database: Database, elsewhere: Database
) -> None:
    here, there = database.replica(), elsewhere.replica()
    await open_la_piazza(here)

    async def place_many() -> None:
        for _ in range(20):
            await asyncio.gather(*(here.run(placing()) for _ in range(5)))

    async def rename_many() -> None:
        for n in range(40):
            await there.run(setting(a_restaurant(name=f"Name {n}")))

    await asyncio.gather(place_many(), rename_many())

    assert await database.rows("SELECT count(*) FROM orders") == [(100,)]
    assert await database.rows("SELECT version FROM restaurants") == [(41,)]


async def test_two_commands_that_would_wait_for_each_other_both_succeed(
    database: Database, elsewhere: Database
) -> None:
    here, there = database.replica(), elsewhere.replica()
    await open_la_piazza(here)
    one, other = [(await here.run(placing())).order_id for _ in range(2)]
    both_hold_one = asyncio.Barrier(2)
    attempts = []

    def touch_both(first: uuid.UUID, second: uuid.UUID) -> object:
        def same(order: Order | None) -> Decision[Order]:
            assert order is not None
            return Decision(order)

        async def touch(transaction: Transaction) -> None:
            attempts.append(first)
            await transaction.order_to_change(first).change(same)
            if len(attempts) <= 2:
                await both_hold_one.wait()
            await transaction.order_to_change(second).change(same)

        return touch

    await asyncio.gather(
        here.run(touch_both(one, other)),  # type: ignore[arg-type]
        there.run(touch_both(other, one)),  # type: ignore[arg-type]
    )

    assert len(attempts) > 2


async def test_the_next_command_after_a_migration_that_changes_a_columns_type_succeeds(
    database: Database,
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    await store.run(placing())
    for column in ("restaurants ALTER name TYPE varchar(400)", "menu_items ALTER name TYPE text"):
        await database.administer(f"ALTER TABLE {column}")

        order = await store.run(placing())

        assert order.version == 1


class connect_once:  # noqa: N801 - reads as a function
    """A session of somebody else's."""

    def __init__(self, database: Database) -> None:
        self._url = database.url.replace("+asyncpg", "")

    async def __aenter__(self) -> asyncpg.Connection:
        self._connection = await asyncpg.connect(self._url)
        return self._connection

    async def __aexit__(self, *_: object) -> None:
        await self._connection.close()


async def test_a_row_that_a_stalled_session_holds_fails_only_who_needs_it(
    database: Database,
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    held = await store.run(placing())

    async with connect_once(database) as stalled, stalled.transaction():
        await stalled.execute("SELECT 1 FROM orders WHERE id = $1 FOR UPDATE", held.order_id)
        began = asyncio.get_running_loop().time()
        waiting = asyncio.create_task(store.run(adding(held.order_id)))
        strangers = await asyncio.gather(*(store.run(placing()) for _ in range(20)))
        later = await store.run(placing())
        took_s = asyncio.get_running_loop().time() - began

        with pytest.raises(StoreUnavailable):
            await waiting

    assert len({order.number for order in [*strangers, later]}) == 21
    assert took_s < 4.0
    assert (await store.run(adding(held.order_id))).version == 2
