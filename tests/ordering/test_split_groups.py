"""A group that failed is tried restaurant by restaurant; who is blocked leaves turns to others."""

import asyncio
import contextvars
import math
import uuid
from typing import cast

import pytest
from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.transaction.command_queue import MAX_WAIT_S, PendingCommand
from ordering.outbound.transaction.group_commit import (
    MAX_LONE_BLOCKED,
    MAX_LONE_TRANSACTIONS,
    GroupCommit,
)
from sqlalchemy.ext.asyncio import AsyncEngine

BAD, OTHERS = "r-bad", [f"r-{number}" for number in range(3)]


class Fault(Exception):
    """What only one restaurant's command causes."""


class Trials:
    """A store of nothing, in which whatever is tried with the bad restaurant's commands fails."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.store = GroupCommit(
            cast("AsyncEngine", None), new_id=uuid.uuid4, first_events=FirstEvents()
        )
        self.groups: list[list[str]] = []

        async def commit(group: list[PendingCommand]) -> None:
            restaurants = [each.restaurant for each in group]
            self.groups.append(restaurants)
            if BAD in restaurants:
                raise Fault
            for each in group:
                each.settle(each.restaurant)

        monkeypatch.setattr(self.store, "_commit", commit)

    async def run(self, *restaurants: str) -> list[object]:
        """Have them come at once. Returns their outcomes."""
        commands = [self.store.run(_never, restaurant=each) for each in restaurants]
        return list(await asyncio.gather(*commands, return_exceptions=True))


async def _never(_: object) -> None:
    raise AssertionError("nothing is carried out here")


async def test_a_restaurant_that_spoils_a_group_costs_each_other_one_transaction(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trials = Trials(monkeypatch)

    outcomes = await trials.run(*OTHERS * 10, BAD, BAD)

    assert outcomes[:30] == OTHERS * 10
    assert [type(each) for each in outcomes[30:]] == [Fault, Fault]
    assert sorted(trials.groups[1:], key=len, reverse=True) == [
        *([each] * 10 for each in OTHERS),
        *([BAD, BAD], [BAD], [BAD]),
    ]
    assert trials.store.queued == 0


async def test_a_restaurant_alone_in_its_group_is_tried_command_by_command(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trials = Trials(monkeypatch)

    await trials.run(BAD, BAD)

    assert trials.groups == [[BAD, BAD], [BAD], [BAD]]


async def test_however_many_restaurants_are_blocked_there_is_a_turn_for_another(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    trials = Trials(monkeypatch)
    blocked = ("r-blocked-1", "r-blocked-2", "r-blocked-3")
    trials.store._blocked_until = dict.fromkeys(blocked, math.inf)
    held, ended = asyncio.Event(), asyncio.Event()
    tried: list[str] = []

    async def try_alone(each: PendingCommand) -> None:
        tried.append(each.restaurant)
        if each.restaurant in blocked:
            if len(tried) == MAX_LONE_BLOCKED:
                held.set()
            await ended.wait()
        each.settle(each.restaurant)

    monkeypatch.setattr(trials.store, "_failure_alone", try_alone)
    commands = [_pending(each) for each in blocked * 3]
    for each in commands:
        trials.store._try_beside([each])
    await held.wait()

    stranger = _pending("r-0")
    trials.store._try_beside([stranger])

    assert await stranger.answer == "r-0"
    assert len(tried) == MAX_LONE_BLOCKED + 1
    assert MAX_LONE_BLOCKED < MAX_LONE_TRANSACTIONS
    ended.set()
    await asyncio.gather(*(each.answer for each in commands))


def _pending(restaurant: str) -> PendingCommand:
    loop = asyncio.get_running_loop()
    answer, context = loop.create_future(), contextvars.copy_context()
    give_up_at = loop.time() + 1000 * MAX_WAIT_S
    return PendingCommand(_never, answer, context, restaurant, None, give_up_at)
