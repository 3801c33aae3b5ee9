"""What operators ask for is done although a server is away meanwhile."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from comanda_contracts.streams import ORDERS
from comanda_local.servers import MongoDB, Nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from query.maintenance import retry
from query.maintenance.comparison import Comparison, compare
from query.maintenance.retry import retry_while_away
from query.maintenance.session import open_session
from query.maintenance.stream_reader import events_on_subject, last_sequence
from query.views.ports import StoreUnavailable

from tests.query.builders import an_order, placed
from tests.query.running import publish

ORDER = an_order()
MANY = 500
"""Documents: more than the store answers with at once."""

Question = Callable[[JetStreamContext], Awaitable[object]]


@pytest.fixture
async def nats(nats: Client) -> Client:
    await publish(nats, placed(ORDER))
    return nats


@pytest.mark.parametrize(
    "ask",
    [
        lambda js: last_sequence(js, ORDERS),
        lambda js: events_on_subject(js, ORDERS, f"orders.v1.*.{ORDER.order_id}.*"),
    ],
    ids=["how far a stream goes", "what is on it"],
)
async def test_a_question_to_a_broker_that_is_away_is_answered_once_it_is_back(
    nats: Client, nats_server: Nats, ask: Question
) -> None:
    before = await ask(nats.jetstream())
    await asyncio.to_thread(nats_server.kill)

    asked = asyncio.ensure_future(ask(nats.jetstream()))
    await asyncio.wait([asked], timeout=2 * retry.RETRY_PAUSE_S)
    assert not asked.done()
    await asyncio.to_thread(nats_server.start)

    assert await asked == before


async def test_a_comparison_during_which_mongodb_was_killed_is_done_again(
    nats: Client, nats_server: Nats, own_mongodb: MongoDB
) -> None:
    began: list[Comparison] = []

    def kill_it_in_the_middle(comparison: Comparison) -> None:
        if comparison.documents == 1:
            began.append(comparison)
        if len(began) == 1 and comparison.documents == MANY // 10:
            own_mongodb.kill()
            own_mongodb.start()

    async with open_session([nats_server.url], own_mongodb.url) as session:
        for generation in (1, 2):
            documents = [{"_id": f"{number:04}"} for number in range(MANY)]
            await session.database[f"orders-{generation}"].insert_many(documents)

        found = await retry_while_away(lambda: compare(session, 2, kill_it_in_the_middle))

    assert len(began) == 2
    assert (found.documents, found.deviations) == (MANY, {})


async def test_who_has_worked_for_long_waits_for_a_server_no_less(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(retry, "ABSENCE_TIMEOUT_S", 0.1)
    tries = 0

    async def fail_late_and_once() -> str:
        nonlocal tries
        tries += 1
        if tries == 1:
            await asyncio.sleep(2 * retry.ABSENCE_TIMEOUT_S)
            raise StoreUnavailable("restarted")
        return "done"

    assert await retry_while_away(fail_late_and_once) == "done"


async def test_a_server_that_stays_away_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retry, "ABSENCE_TIMEOUT_S", 0.1)

    async def fail() -> None:
        raise StoreUnavailable("gone")

    with pytest.raises(StoreUnavailable, match="gone"):
        await retry_while_away(fail)
