"""How long the oldest cancellation has waited is measured."""

import asyncio
from datetime import timedelta

from ordering.domain.order import KitchenVerdict
from ordering.outbound.database.cancellations import cancelling as still_cancelling
from ordering.outbound.database.cancellations import watch_cancellations
from prometheus_client import REGISTRY

from tests.ordering.builders import NOON
from tests.ordering.conftest import Database
from tests.ordering.use_cases import cancelling, open_la_piazza, placing, taking_verdict


async def test_it_is_the_time_since_the_oldest_request_that_the_kitchen_has_not_answered(
    database: Database,
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    for _ in range(2):
        order = await store.run(placing())
        await store.run(cancelling(order.order_id))
        await store.run(cancelling(order.order_id))
    measured = asyncio.Event()

    def note(failing: str | None = None) -> None:
        assert failing is None
        measured.set()

    an_hour_later = NOON + timedelta(hours=1)
    watching = asyncio.create_task(
        watch_cancellations(database.engine, note, clock=lambda: an_hour_later)
    )
    await measured.wait()
    watching.cancel()

    assert REGISTRY.get_sample_value("comanda_ordering_cancelling_oldest_seconds") == 3600.0
    assert REGISTRY.get_sample_value("comanda_ordering_cancelling_orders") == 2.0


async def test_an_order_that_is_settled_has_no_age(database: Database) -> None:
    store = database.replica()
    await open_la_piazza(store)
    order = await store.run(placing())
    await store.run(cancelling(order.order_id))
    await store.run(taking_verdict(order.order_id, 1, KitchenVerdict.VOIDED))

    async with database.engine.connect() as connection:
        assert await still_cancelling(connection) == (None, 0)
