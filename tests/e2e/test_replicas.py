"""An evening on two replicas of each service, of which one each is killed in the middle."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from comanda_local.api import connected
from comanda_local.audit.sources import views
from comanda_local.folders import temporary_folder
from comanda_local.services import NAMES, Service
from comanda_local.stack import Stack
from comanda_local.system_urls import SystemUrls

from tests.faults.checks import outcome_of
from tests.faults.load import Load, under_load

pytestmark = [pytest.mark.xdist_group("replicas"), pytest.mark.timeout(600)]

ORDERS = 60


@pytest.fixture
def own_stack() -> Iterator[Stack]:
    with temporary_folder() as folder, Stack(folder, environment={}) as stack:
        yield stack


@pytest.fixture
def seconds(own_stack: Stack) -> dict[str, Service]:
    """The second replica of each service, by the service's name."""
    return {name: own_stack.replica(name) for name in NAMES}


async def test_nothing_is_lost_or_doubled_and_both_sides_of_query_show_the_same(
    own_stack: Stack, seconds: dict[str, Service]
) -> None:
    firsts = own_stack.services
    killed = [firsts["ordering"], seconds["serving"], firsts["query"]]

    async with under_load([*firsts.values(), *seconds.values()], ORDERS, own_stack.issuer) as load:
        await load.reached(1 / 3)
        await asyncio.gather(*(asyncio.to_thread(each.kill) for each in killed))
        await load.reached(2 / 3)  # the others do it all
        await asyncio.gather(*(asyncio.to_thread(each.start) for each in killed))
        await asyncio.gather(*(asyncio.to_thread(each.wait_until_ready) for each in killed))

    outcome = await outcome_of(load, own_stack)
    assert outcome.complaints == []
    assert outcome.acknowledged == load.placed >= ORDERS
    one = await shown(own_stack, firsts["query"], load)
    other = await shown(own_stack, seconds["query"], load)
    assert one == other
    assert None not in one[0].values()


async def shown(stack: Stack, query: Service, load: Load) -> Any:
    """Every order as this replica of query shows it, and all that it lists."""
    order_ids = [answers[0].order_id for answers in load.answers.values()]
    system = replace(SystemUrls.of(stack), query=query.url)
    async with connected(system.addresses, system.auth()) as api:
        orders = await views(api, load.restaurant, order_ids)
        return orders, [view async for view in api.order_views(load.restaurant)]
