"""Ordering and serving agree on an order, whatever is asked of them and however they hear of it."""

import asyncio
import itertools
import random
from collections.abc import Awaitable
from dataclasses import replace
from datetime import timedelta

import hypothesis.strategies as st
import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)
from ordering.domain.order import (
    END_AGAIN_AFTER,
    RECALL_GRACE,
    RECALL_MARGIN,
    CancellationEnded,
    CancellationRequested,
    Order,
    OrderRestated,
    OrderStatus,
    Party,
    Takeaway,
)
from serving.application import change_ticket
from serving.domain.ticket import TicketStatus, version_at_restatement

from tests.ordering.builders import ADA, TABLE_12
from tests.ordering.use_cases import adding, cancelling, closing, restating
from tests.write_side.conversation import MOVES, Conversation, Mail

BEGUN = {TicketStatus.PREPARING, TicketStatus.READY, TicketStatus.SERVED}
DONE = {TicketStatus.SERVED, TicketStatus.ABANDONED}
MOST_ROUNDS = 4
RESTATEMENTS = {version_at_restatement(version) for version in range(1, 1000)}
"""The versions of tickets that are restated."""

rounds = st.integers(1, MOST_ROUNDS)
moves = st.sampled_from(sorted(MOVES))
deliveries = st.lists(st.integers(0, 15), min_size=1, max_size=3)


class OneOrder(RuleBasedStateMachine):
    """Guests, cooks and the broker, each doing as they like."""

    def __init__(self) -> None:
        super().__init__()
        self._loop = asyncio.new_event_loop()
        self.has_closed_by_itself = False

    @initialize(
        party=st.sampled_from([ADA, TABLE_12]), extra=st.integers(0, 2), seed=st.integers(0, 2**16)
    )
    def place(self, party: Party, extra: int, seed: int) -> None:
        self._chance = random.Random(seed)
        self.conversation = Conversation()
        self._run(self.conversation.begin(party))
        for _ in range(extra):
            self.add_items(age=None)

    @precondition(lambda self: len(self.conversation.order.rounds) < MOST_ROUNDS)
    @rule(age=st.sampled_from([None, 0, 1]))
    def add_items(self, age: int | None) -> None:
        """With `age`, only if the order is still as it was so many versions ago."""
        order = self.conversation.order
        version = None if age is None else order.version - age
        self._run(self.conversation.ask(adding(order.order_id, version)))
        assert (age != 1) or self.conversation.order == order

    @rule(named=st.sets(rounds))
    def cancel(self, named: set[int]) -> None:
        """Some rounds, or all if none is named."""
        self._run(self.conversation.ask(cancelling(self.conversation.order.order_id, *named)))

    @rule()
    def close(self) -> None:
        self._run(self.conversation.ask(closing(self.conversation.order.order_id)))

    @rule()
    def end_the_day(self) -> None:
        self._run(self.conversation.end_day())

    @rule(number=rounds, move=moves)
    def cook(self, number: int, move: str) -> None:
        self._run(self.conversation.cook(self._existing(number), move))

    @rule(number=rounds)
    def cook_it_all(self, number: int) -> None:
        for move in ("start", "ready", "serve"):
            self.cook(number, move)

    @rule(number=rounds, first=moves, second=moves, meanwhile=deliveries)
    def cook_at_the_same_time(
        self, number: int, first: str, second: str, meanwhile: list[int]
    ) -> None:
        moves = (first, second)
        self._run(self.conversation.cook(self._existing(number), *moves, meanwhile=meanwhile))

    @rule(positions=deliveries, lose_track=st.booleans())
    def tell_the_kitchen(self, positions: list[int], lose_track: bool) -> None:
        self._deliver(self.conversation.to_kitchen, positions, lose_track)

    @rule(positions=deliveries, lose_track=st.booleans())
    def tell_ordering(self, positions: list[int], lose_track: bool) -> None:
        self._deliver(self.conversation.to_ordering, positions, lose_track)

    @rule(minutes=st.sampled_from([1, 14, 16]))
    def wait(self, minutes: int) -> None:
        self._wait(timedelta(minutes=minutes))

    @rule()
    def restate(self) -> None:
        """As after a loss, of which there was none."""
        self._run(self.conversation.ask(restating(self.conversation.order.order_id)))

    @rule()
    def deliver_everything(self) -> None:
        self._run(self.conversation.drain(self._chance))
        self._is_settled()

    @invariant()
    def nothing_of_a_cancelled_order_is_cooked(self) -> None:
        if self.conversation.order.status is OrderStatus.CANCELLED:
            assert not any(each.status in BEGUN for each in self.conversation.tickets.values())

    @invariant()
    def everything_of_a_closed_order_was_served(self) -> None:
        """Or abandoned; and stays so, but where a round was recalled as it was being closed."""
        order = self.conversation.order
        if self.has_closed_by_itself:
            assert _unserved(self.conversation) == []
        if order.status is OrderStatus.CLOSED:
            histories = self.conversation.ticket_histories
            for each in order.rounds:
                assert each.voided or any(t.status in DONE for t in histories[each.round])

    @invariant()
    def nothing_is_done_with_what_was_abandoned(self) -> None:
        for history in self.conversation.ticket_histories.values():
            statuses = [each.status for each in history]
            if TicketStatus.ABANDONED in statuses:
                since = statuses[statuses.index(TicketStatus.ABANDONED) :]
                assert set(since) == {TicketStatus.ABANDONED}

    @invariant()
    def a_round_is_voided_only_before_it_is_begun(self) -> None:
        for history in self.conversation.ticket_histories.values():
            statuses = [each.status for each in history]
            assert TicketStatus.VOIDED not in statuses or not BEGUN & set(statuses)

    @invariant()
    def between_a_request_to_cancel_and_its_answer_nothing_happens_to_the_order(self) -> None:
        for before, event in itertools.pairwise(self.conversation.order_events):
            if before.order.status is OrderStatus.CANCELLING:
                again = isinstance(event, CancellationRequested | OrderRestated)
                assert again or isinstance(event, CancellationEnded)
                assert not again or _agree_but_for_the_version(before.order, event.order)

    @invariant()
    def what_the_kitchen_does_not_make_is_not_paid_unless_it_is_under_negotiation(self) -> None:
        order, tickets = self.conversation.order, self.conversation.tickets
        if order.status is not OrderStatus.CANCELLING:
            voided = {number for number, each in tickets.items() if _is_voided(each.status)}
            assert voided == {each.round for each in order.rounds if each.voided}

    @invariant()
    def every_total_is_the_sum_of_what_is_not_voided(self) -> None:
        for event in self.conversation.order_events:
            assert event.order.total == _sum_of_lines(event.order)

    @invariant()
    def versions_have_no_gaps(self) -> None:
        orders = [event.order.version for event in self.conversation.order_events]
        assert orders == list(range(1, self.conversation.order.version + 1))
        for history in self.conversation.ticket_histories.values():
            restated = [each.version for each in history if each.version in RESTATEMENTS]
            assert restated == sorted(set(restated))
            for before, after in itertools.pairwise(history):
                assert after.version in (before.version + 1, *restated)

    def teardown(self) -> None:
        try:
            self._run(self.conversation.drain(self._chance))
            self._is_settled()
            self._wait(RECALL_GRACE + RECALL_MARGIN)
            self._is_closed_if_handed_over()
            settled = self.conversation.order
            self._run(self.conversation.repeat_everything(self._chance))
            assert self.conversation.order == settled, "news that is heard again is no news"
        finally:
            self._loop.close()

    def _is_settled(self) -> None:
        """What must hold once everybody has heard everything."""
        order = self.conversation.order
        assert self.conversation.tickets.keys() == {each.round for each in order.rounds}
        if order.cancellation and order.cancellation.closes:  # recalled as the day was closed
            self._wait(END_AGAIN_AFTER)
            self._run(self.conversation.end_day())
            self._run(self.conversation.drain(self._chance))
            order = self.conversation.order
        assert order.status is not OrderStatus.CANCELLING
        if order.status is OrderStatus.OPEN:
            assert any(not each.voided for each in order.rounds)
        if order.status is OrderStatus.OPEN and isinstance(order.party, Takeaway):
            assert (order.handed_over_at is None) == bool(_unserved(self.conversation))

    def _is_closed_if_handed_over(self) -> None:
        order = self.conversation.order
        if order.status is OrderStatus.OPEN and isinstance(order.party, Takeaway):
            assert _unserved(self.conversation) != []

    def _existing(self, number: int) -> int:
        """One of the order's rounds."""
        return 1 + number % len(self.conversation.order.rounds)

    def _deliver(self, mail: Mail, positions: list[int], lose_track: bool) -> None:
        self._run(self.conversation.deliver(mail, positions, lose_track=lose_track))

    def _wait(self, time: timedelta) -> None:
        before = self.conversation.order.status
        self._run(self.conversation.wait(time))
        if before is not self.conversation.order.status:
            self.has_closed_by_itself = True

    def _run(self, doing: Awaitable[None]) -> None:
        self._loop.run_until_complete(doing)


def _is_voided(status: TicketStatus | str) -> bool:
    return status is TicketStatus.VOIDED


def _sum_of_lines(order: Order) -> int:
    lines = (line for each in order.rounds if not each.voided for line in each.lines)
    return sum(line.unit_price * line.quantity for line in lines)


def _agree_but_for_the_version(one: Order, other: Order) -> bool:
    """What the kitchen said meanwhile is in no event."""
    return (
        replace(one, version=other.version, verdicts=other.verdicts, tickets=other.tickets) == other
    )


def _unserved(conversation: Conversation) -> list[int]:
    """The rounds that are wanted and that the kitchen has not done with."""
    tickets = conversation.tickets
    return [
        each.round
        for each in conversation.order.rounds
        if not each.voided and (each.round not in tickets or tickets[each.round].status not in DONE)
    ]


@pytest.mark.timeout(400)  # to find a small example of a failure takes a while
def test_ordering_and_serving_agree_whatever_is_asked_and_however_they_hear_of_it(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(change_ticket, "RETRY_PAUSES_S", [0.0] * len(change_ticket.RETRY_PAUSES_S))

    run_state_machine_as_test(
        OneOrder,
        settings=settings(
            max_examples=250,
            stateful_step_count=40,
            deadline=None,
            database=None,
            suppress_health_check=[HealthCheck.too_slow],
        ),
    )


async def test_a_verdict_that_was_lost_is_said_again_when_ordering_asks_again() -> None:
    conversation = Conversation()
    await conversation.begin(TABLE_12)
    order_id = conversation.order.order_id
    await conversation.ask(cancelling(order_id))
    for position in sorted(conversation.to_kitchen.unheard):
        await conversation.deliver(conversation.to_kitchen, [position], lose_track=False)
    conversation.to_ordering.unheard.clear()

    await conversation.ask(cancelling(order_id))
    await conversation.drain(random.Random(0))

    assert conversation.order.status is OrderStatus.CANCELLED


ROUNDS = 4


async def test_lost_tickets_come_back_once_and_those_that_ordering_knows_settled_are_so() -> None:
    """Though everything that was ever said comes again, in any order, as if it were new."""
    conversation = Conversation()
    await conversation.begin(TABLE_12)
    order_id, chance = conversation.order.order_id, random.Random(0)
    for _ in range(ROUNDS - 1):
        await conversation.ask(adding(order_id))
    await conversation.drain(chance)
    for move in ("start", "ready", "serve"):
        await conversation.cook(1, move)
    await conversation.ask(cancelling(order_id, 2))
    await conversation.cook(3, "start")
    await conversation.drain(chance)
    seen = {number: ticket.version for number, ticket in conversation.tickets.items()}

    conversation.lose_tickets()
    await conversation.ask(restating(order_id))
    conversation.to_kitchen.unheard = set(range(len(conversation.to_kitchen.sent)))
    await conversation.drain(chance)

    assert {number: str(ticket.status) for number, ticket in conversation.tickets.items()} == {
        1: "served",
        2: "voided",
        3: "queued",
        4: "queued",
    }
    assert all(conversation.tickets[number].version > seen[number] for number in seen)
    assert conversation.order.in_the_kitchen == (3, 4)


@pytest.mark.parametrize("seed", range(20))
async def test_a_cancellation_that_was_refused_takes_no_round_away_when_all_comes_again(
    seed: int,
) -> None:
    """The tickets are lost, and what was said lately is said again in some order."""
    conversation = Conversation()
    await conversation.begin(TABLE_12)
    order_id, chance = conversation.order.order_id, random.Random(seed)
    await conversation.drain(chance)
    await conversation.cook(1, "start")
    await conversation.ask(cancelling(order_id))
    await conversation.drain(chance)
    conversation.lose_tickets()
    await conversation.ask(restating(order_id))
    conversation.to_kitchen.unheard = set(range(len(conversation.to_kitchen.sent)))
    await conversation.drain(chance)

    for move in ("start", "ready", "serve"):
        await conversation.cook(1, move)
    await conversation.drain(chance)
    await conversation.ask(closing(order_id))

    assert conversation.order.status is OrderStatus.CLOSED


async def test_a_cancellation_that_was_lost_on_its_way_to_the_kitchen_is_answered() -> None:
    conversation = Conversation()
    await conversation.begin(TABLE_12)
    await conversation.drain(random.Random(0))
    await conversation.ask(cancelling(conversation.order.order_id))
    conversation.to_kitchen.unheard.clear()
    conversation.lose_tickets()

    await conversation.ask(restating(conversation.order.order_id))
    await conversation.drain(random.Random(0))

    assert conversation.order.status is OrderStatus.CANCELLED
