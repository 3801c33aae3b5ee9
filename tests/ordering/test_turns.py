"""One restaurant sends commands without end: the others have their turns, counted and not timed."""

import asyncio
import contextvars
import json
import uuid
from collections import Counter
from collections.abc import Awaitable
from typing import cast

import pytest
from comanda_contracts import subjects
from nats.aio.client import Client
from nats.aio.msg import Msg
from ordering.application.keyed_request import KeyedRequest
from ordering.application.take_verdict import TakeVerdict
from ordering.application.transaction import StoreUnavailable
from ordering.domain.order import KitchenVerdict, Order
from ordering.inbound.nats.command_message import CommandMessage, read_command
from ordering.inbound.nats.command_subscriber import command_router
from ordering.inbound.nats.failures import FAILURES
from ordering.inbound.nats.verdict_subscriber import verdict_router
from ordering.outbound.database.errors import BLOCKED, failure_of
from ordering.outbound.transaction import group_commit
from ordering.outbound.transaction.command_queue import (
    MAX_GROUP_COMMANDS,
    CommandQueue,
    PendingCommand,
)
from ordering.outbound.transaction.group_commit import (
    MAX_LONE_OF_RESTAURANT,
    MAX_LONE_TRANSACTIONS,
    GroupCommit,
)
from service_kit.nats.broker import Broker
from service_kit.nats.failures import BatchFailed, Failure, Fate, end_of
from service_kit.nats.router import Router
from service_kit.nats.subscriber import Handler, Received
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncConnection

from tests.ordering.builders import NOON, a_place_order, a_restaurant, an_item
from tests.ordering.conftest import Database
from tests.ordering.use_cases import NO_GRACE, adding, offering, open_la_piazza, placing, setting
from tests.support.commands import anybody

LINE = {"sku": "margherita", "quantity": 1}
SOON = "2026-05-04T12:00:01Z"
FLOOD = "r-flood"
OTHERS = [f"r-{number}" for number in range(10)]


class Waiting:
    """A queue, and commands in it that nobody will carry out."""

    def __init__(self) -> None:
        self.queue = CommandQueue()
        self.give_up_at = asyncio.get_running_loop().time() + 3600

    def put(self, restaurant: str, key: str | None = None) -> PendingCommand:
        request = KeyedRequest(restaurant, key, "") if key else None
        each = PendingCommand(
            _never,
            asyncio.get_running_loop().create_future(),
            contextvars.copy_context(),
            restaurant,
            request,
            self.give_up_at,
        )
        self.queue.put(each)
        return each


def _never(_: object) -> Awaitable[object]:
    raise AssertionError("nothing is carried out here")


def counted(group: list[PendingCommand]) -> Counter[str]:
    return Counter(each.restaurant for each in group)


async def test_the_next_group_has_a_command_of_each_restaurant_however_many_one_has_sent() -> None:
    waiting = Waiting()
    for _ in range(1000):
        waiting.put(FLOOD)
    for restaurant in OTHERS:
        waiting.put(restaurant)

    group = counted(waiting.queue.next_group())

    assert {restaurant: group[restaurant] for restaurant in OTHERS} == dict.fromkeys(OTHERS, 1)
    assert group[FLOOD] == MAX_GROUP_COMMANDS - len(OTHERS)


async def test_restaurants_that_all_send_without_end_have_equal_shares() -> None:
    waiting = Waiting()
    for _ in range(100):
        for restaurant in (FLOOD, *OTHERS[:6]):
            waiting.put(restaurant)

    groups = sum((counted(waiting.queue.next_group()) for _ in range(7)), Counter())

    assert set(groups.values()) == {MAX_GROUP_COMMANDS}


async def test_of_one_restaurant_the_oldest_command_is_taken_first() -> None:
    waiting = Waiting()
    commands = [waiting.put(restaurant) for _ in range(70) for restaurant in (FLOOD, "r-0")]

    groups = [waiting.queue.next_group() for _ in range(3)]

    assert len(waiting.queue) == 0
    for restaurant in (FLOOD, "r-0"):
        taken = [each for group in groups for each in group if each.restaurant == restaurant]
        assert taken == [each for each in commands if each.restaurant == restaurant]


async def test_requests_with_one_key_are_in_one_group_after_the_other() -> None:
    waiting = Waiting()
    commands = [waiting.put(FLOOD, "key") for _ in range(3)]
    waiting.put("r-0", "key")

    groups = [waiting.queue.next_group() for _ in range(3)]

    assert [[each for each in group if each.restaurant == FLOOD] for group in groups] == [
        [each] for each in commands
    ]
    assert [len(group) for group in groups] == [2, 1, 1]
    assert len(waiting.queue) == 0


async def test_who_has_the_most_in_a_full_queue_makes_room_for_who_has_less() -> None:
    waiting = Waiting()
    flood = [waiting.put(FLOOD) for _ in range(5)]
    modest = waiting.put("r-0")

    assert not waiting.queue.make_room_for(FLOOD)
    assert waiting.queue.make_room_for("r-1")

    assert isinstance(flood[-1].answer.exception(), StoreUnavailable)
    assert [each.answer.done() for each in (*flood[:-1], modest)] == [False] * 5
    assert len(waiting.queue) == 5


async def test_nobody_is_refused_for_one_who_would_have_as_many() -> None:
    waiting = Waiting()
    waiting.put("r-0")

    assert not waiting.queue.make_room_for("r-1")
    assert not Waiting().queue.make_room_for("r-1")


async def test_commands_that_wait_too_long_leave_the_queue_whichever_restaurants_they_are() -> None:
    waiting = Waiting()
    waiting.give_up_at = asyncio.get_running_loop().time()
    late = [waiting.put(restaurant) for restaurant in (FLOOD, FLOOD, "r-0")]

    outcomes = await asyncio.gather(*(each.answer for each in late), return_exceptions=True)

    assert {type(outcome) for outcome in outcomes} == {StoreUnavailable}
    assert len(waiting.queue) == 0
    assert waiting.queue.next_group() == []


async def test_a_flood_that_fills_the_queue_is_refused_and_no_order_of_another_restaurant(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MAX_QUEUE_COMMANDS", 50)
    store = database.replica()
    await open_la_piazza(store)
    for restaurant in OTHERS:
        await store.run(setting(a_restaurant(slug=restaurant)))
        await store.run(offering(an_item(restaurant=restaurant)))

    commands = [
        asyncio.create_task(store.run(placing(a_place_order(restaurant)), restaurant=restaurant))
        for restaurant in ["la-piazza"] * 500 + OTHERS
    ]  # all of them come before the first is taken
    others = await asyncio.gather(*commands[500:])
    outcomes = await asyncio.gather(*commands[:500], return_exceptions=True)

    assert [order.number for order in others] == ["A-001"] * len(OTHERS)
    taken = [outcome for outcome in outcomes if not isinstance(outcome, StoreUnavailable)]
    assert len(taken) == 50 - len(OTHERS)


async def test_what_is_in_the_way_of_one_restaurants_commands_is_not_in_anothers(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A session holds a row, and each order of another restaurant meets a command that needs it."""
    monkeypatch.setattr(group_commit, "MAX_WAIT_S", 60.0)
    monkeypatch.setattr(group_commit, "MAX_LONE_COMMANDS_OF_RESTAURANT", 10)
    tried, most = Counter[str](), Counter[str]()
    try_alone = GroupCommit._failure_alone

    async def count(store: GroupCommit, each: PendingCommand) -> Exception | None:
        tried[each.restaurant] += 1
        most[each.restaurant] = max(most[each.restaurant], tried[each.restaurant])
        try:
            return await try_alone(store, each)
        finally:
            tried[each.restaurant] -= 1

    monkeypatch.setattr(GroupCommit, "_failure_alone", count)
    store = database.replica()
    await open_la_piazza(store)
    await store.run(setting(a_restaurant(slug="r-0")))
    await store.run(offering(an_item(restaurant="r-0")))
    held = await store.run(placing())
    lock = text("SELECT 1 FROM orders WHERE id = :id FOR UPDATE").bindparams(id=held.order_id)

    def block() -> "asyncio.Task[object]":
        return asyncio.create_task(store.run(adding(held.order_id), restaurant="la-piazza"))

    async with database.engine.connect() as stalled:
        await stalled.execute(lock)
        blocked = [block() for _ in range(20)]
        await asyncio.wait(blocked, return_when=asyncio.FIRST_COMPLETED)
        orders = []
        for _ in range(3):
            blocked.append(block())
            order = placing(a_place_order("r-0"))
            orders.append(await store.run(order, restaurant="r-0"))
        await stalled.rollback()
    outcomes = await asyncio.gather(*blocked, return_exceptions=True)

    assert [order.number for order in orders] == ["A-001", "A-002", "A-003"]
    assert most == {"la-piazza": MAX_LONE_OF_RESTAURANT, "r-0": 1}
    assert MAX_LONE_OF_RESTAURANT < MAX_LONE_TRANSACTIONS, "there is a turn for another"
    refused = [outcome for outcome in outcomes if isinstance(outcome, BaseException)]
    assert {type(outcome) for outcome in refused} == {StoreUnavailable}


async def test_the_next_commands_of_a_restaurant_that_is_blocked_are_in_no_group(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MAX_WAIT_S", 60.0)
    monkeypatch.setattr(group_commit, "BLOCKED_MEMORY_S", 60.0)
    monkeypatch.setattr(group_commit, "MAX_LONE_COMMANDS_OF_RESTAURANT", 10)
    watched = Watched(monkeypatch)
    store = database.replica()
    await open_with_another(store)
    held = await store.run(placing())

    async with database.engine.connect() as stalled:
        await hold(held, stalled)
        blocked = [asyncio.create_task(store.run(adding(held.order_id), restaurant="la-piazza"))]
        await watched.blocked.wait()
        watched.groups.clear()
        blocked += [
            asyncio.create_task(store.run(adding(held.order_id), restaurant="la-piazza"))
            for _ in range(20)
        ]
        for _ in range(3):
            await store.run(placing(a_place_order("r-0")), restaurant="r-0")
        await stalled.rollback()
    outcomes = await asyncio.gather(*blocked, return_exceptions=True)

    assert watched.groups == [["r-0"]] * 3
    refused = [outcome for outcome in outcomes if isinstance(outcome, StoreUnavailable)]
    assert len(refused) == 21 - 10, "refused before any group was rolled back for them"


async def test_a_command_that_comes_again_is_given_back_once_a_lock_is_seen_in_its_way(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A batch of others waits for its end; nothing here waits for the lock to go."""
    monkeypatch.setattr(group_commit, "MAX_WAIT_S", 60.0)
    monkeypatch.setattr(group_commit, "MAX_LONE_WAIT_S", 60.0)
    monkeypatch.setattr(group_commit, "BLOCKED_MEMORY_S", 60.0)
    watched = Watched(monkeypatch)
    store = database.replica()
    await open_with_another(store)
    held = await store.run(placing())
    settled: list[str] = []
    add = {"order_id": str(held.order_id), "expected_version": 1, "lines": [LINE]}

    async with database.engine.connect() as stalled:
        await hold(held, stalled)
        for _ in range(2):
            with pytest.raises(BatchFailed) as failed:
                await handler_of_commands(store)(
                    [
                        a_received("la-piazza", settled, "add-items", add),
                        a_received("r-0", settled),
                    ]
                )
            ends = [await end_of(each.error) for each in failed.value.failures]
            (error,) = (each for each in ends if each)
            assert FAILURES.fate_of(error) is Fate.BLOCKED
        with pytest.raises(BatchFailed) as failed:
            await handler_of_verdicts(store)([a_verdict(held)])
        assert await fate_of(failed.value.failures[0]) is Fate.BLOCKED
        await stalled.rollback()

    assert settled == ["r-0", "r-0"]
    assert watched.tries["la-piazza"] == 3, "each was tried alone once"
    assert watched.groups[-2:] == [["la-piazza", "r-0"], ["r-0"]], "but one group was spoiled"


async def fate_of(failure: Failure) -> Fate:
    error = await end_of(failure.error)
    assert error is not None
    return FAILURES.fate_of(error)


async def test_a_batch_ends_though_what_a_restaurant_of_it_needs_is_held(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """However long the blocked one is tried alone: here until the others have had their batch."""
    others_are_done = asyncio.Event()
    try_alone = GroupCommit._failure_alone

    async def wait_and_try(store: GroupCommit, each: PendingCommand) -> Exception | None:
        if each.restaurant == "la-piazza":
            await others_are_done.wait()
        return await try_alone(store, each)

    monkeypatch.setattr(GroupCommit, "_failure_alone", wait_and_try)
    monkeypatch.setattr(group_commit, "MAX_LONE_WAIT_S", 60.0)
    monkeypatch.setattr(group_commit, "MAX_WAIT_S", 60.0)
    store = database.replica()
    await open_with_another(store)
    held = await store.run(placing())
    settled: list[str] = []
    add = {"order_id": str(held.order_id), "expected_version": 1, "lines": [LINE]}
    handle = handler_of_commands(store)

    async with database.engine.connect() as stalled:
        await hold(held, stalled)
        with pytest.raises(BatchFailed) as failed:
            await handle([a_received("la-piazza", settled, "add-items", add)])
        await handle([a_received("r-0", settled)])
        assert settled == ["r-0"]
        others_are_done.set()
        assert await fate_of(failed.value.failures[0]) is Fate.BLOCKED
        await stalled.rollback()


async def test_in_a_batch_of_commands_over_nats_each_restaurants_first_is_among_the_first(
    database: Database,
) -> None:
    store = database.replica()
    await open_la_piazza(store)
    for restaurant in OTHERS:
        await store.run(setting(a_restaurant(slug=restaurant)))
        await store.run(offering(an_item(restaurant=restaurant)))
    settled: list[str] = []
    batch = [a_received(restaurant, settled) for restaurant in ["la-piazza"] * 200 + OTHERS]

    await handler_of_commands(store)(batch)

    assert set(OTHERS) <= set(settled[:MAX_GROUP_COMMANDS])
    assert len(settled) == len(batch)


class Watched:
    """What a store tries: the restaurants of each group, and how often each one's went alone."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.groups: list[list[str]] = []
        self.tries = Counter[str]()
        self.blocked = asyncio.Event()
        in_group, try_alone = GroupCommit._commit_or_split, GroupCommit._failure_alone

        async def watch_group(store: GroupCommit, group: list[PendingCommand]) -> None:
            self.groups.append([each.restaurant for each in group])
            await in_group(store, group)

        async def watch_alone(store: GroupCommit, each: PendingCommand) -> Exception | None:
            self.tries[each.restaurant] += 1
            error = await try_alone(store, each)
            if error and failure_of(error) is BLOCKED:
                self.blocked.set()
            return error

        monkeypatch.setattr(GroupCommit, "_commit_or_split", watch_group)
        monkeypatch.setattr(GroupCommit, "_failure_alone", watch_alone)


async def open_with_another(store: GroupCommit) -> None:
    """Open `la-piazza` and `r-0`."""
    await open_la_piazza(store)
    await store.run(setting(a_restaurant(slug="r-0")))
    await store.run(offering(an_item(restaurant="r-0")))


async def hold(order: Order, session: AsyncConnection) -> None:
    """Lock the order's row until the session's transaction ends, however slow the machine is."""
    await session.execute(text("SET LOCAL idle_in_transaction_session_timeout = 0"))
    lock = text("SELECT 1 FROM orders WHERE id = :id FOR UPDATE")
    await session.execute(lock.bindparams(id=order.order_id))


def handler_of(router: Router) -> Handler:
    broker = Broker(["nats://localhost:1"], "ordering")
    broker.include_router(router)
    return broker.batch_subscribers[0].handler


def handler_of_commands(store: GroupCommit) -> Handler:
    return handler_of(
        command_router(store, no_client, clock=lambda: NOON, new_id=uuid.uuid4, identify=anybody)
    )


def handler_of_verdicts(store: GroupCommit) -> Handler:
    return handler_of(verdict_router(store, lambda: NOON, recall_grace=NO_GRACE))


class Settled(Msg):
    """A message that notes when it is settled."""

    def __init__(
        self, restaurant: str, settled: list[str], command: str, body: dict[str, object]
    ) -> None:
        super().__init__(
            cast("Client", None),
            subjects.command(restaurant, command),
            data=json.dumps(body).encode(),
            headers={"Comanda-Request-Id": uuid.uuid4().hex, "Comanda-Expires": SOON},
        )
        self._settled, self._restaurant = settled, restaurant

    async def ack(self) -> None:
        self._settled.append(self._restaurant)


PLACE_ORDER: dict[str, object] = {"channel": "takeaway", "customer": "Ada", "lines": [LINE]}


def a_received(
    restaurant: str,
    settled: list[str],
    command: str = "place-order",
    body: dict[str, object] = PLACE_ORDER,
) -> Received[CommandMessage]:
    message = Settled(restaurant, settled, command, body)
    return Received(read_command(message), message)


def a_verdict(order: Order) -> Received[TakeVerdict]:
    verdict = TakeVerdict(
        order_id=order.order_id,
        restaurant=order.restaurant,
        round=1,
        verdict=KitchenVerdict.SERVED,
    )
    return Received(verdict, Msg(cast("Client", None), "tickets"))


async def no_client() -> Client:
    raise AssertionError("nobody wants an answer")
