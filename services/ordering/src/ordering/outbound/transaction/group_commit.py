"""Group commit: commands that arrive together share a transaction and its wait for the disk."""

import asyncio
import contextlib
import contextvars
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar
from uuid import UUID
from weakref import WeakValueDictionary

import structlog
from prometheus_client import Gauge, Histogram
from service_kit.runtime.request_id import REQUEST_ID
from service_kit.runtime.tracing import current_trace, is_recording, link_to, span
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.application.keyed_request import Answer, AnsweredRequest, KeyedRequest
from ordering.application.transaction import CommandBlocked, StoreUnavailable, Transaction
from ordering.domain.refusals import Refusal
from ordering.outbound.database.errors import (
    BLOCKED,
    CONSEQUENTIAL,
    failure_of,
    reason_of,
    sqlstate_of,
)
from ordering.outbound.database.health import WriteHealth
from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.outbox.outbox import CommittedEvent
from ordering.outbound.transaction.command_queue import (
    COMMANDS,
    MAX_QUEUE_COMMANDS,
    MAX_WAIT_S,
    CommandQueue,
    PendingCommand,
)
from ordering.outbound.transaction.idempotency import Name, name_of
from ordering.outbound.transaction.unit_of_work import PostgresTransaction

log = structlog.get_logger()

GROUP_INTERVAL_S = 0.015
"""Seconds between the beginnings of two groups while commands come faster than they are committed.

Every group costs the relay, the broker, the kitchen and the projector a batch each.
"""
MAX_LONE_TRANSACTIONS, MAX_LONE_OF_RESTAURANT, MAX_LONE_BLOCKED = 4, 2, 2
"""Connections on which commands are tried beside the groups: all, one restaurant's, and together
those of the restaurants that have lately met a lock.
"""
MAX_LONE_COMMANDS_OF_RESTAURANT = 256
"""Commands of one restaurant that wait to be tried alone: what is in their way is not soon gone."""
MAX_LONE_WAIT_S = 0.5
"""Seconds that a command is tried alone which comes again by itself: others wait for its end."""
BLOCKED_MEMORY_S = 2.0
"""Seconds for which a restaurant's commands are tried alone once one of them has met a lock."""
LONE_PAUSE_MIN_S, LONE_PAUSE_MAX_S = 0.01, 0.2
"""Pauses before a command is tried alone again: growing, and bounded."""

GROUPS = Histogram(
    "comanda_commit_group_size", "Commands per transaction", buckets=(1, 2, 4, 8, 16, 32, 64)
)
COMMIT_SECONDS = Histogram(
    "comanda_commit_seconds",
    "For which a group's transaction took, from a connection until it is on disk",
    buckets=(0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
QUEUED = Gauge("comanda_queued_commands", "Commands that wait for a transaction")

Result = TypeVar("Result")
Command = Callable[[Transaction], Awaitable[Result]]
"""A use case with everything bound but its transaction; it may be run more than once."""


# decision/0029: a lone command waits for nobody; a busy service takes its time
# decision/0036: a command waits its time and no longer
class GroupCommit:
    """Runs commands, several to a transaction.

    A group is the commands that arrived while the group before it was being committed, and until
    that one began `GROUP_INTERVAL_S` ago. If none did, the next command waits for nobody. A refused
    command fails alone. If anything else fails that may be one command's, the group is rolled back
    and tried restaurant by restaurant, beside the groups that follow. Where that fails, too, each
    command is tried alone: again and again if another transaction was in its way, until its time is
    over. While that is so the
    restaurant's next commands are tried alone, too, and spoil no group. However many commands a
    restaurant sends, and whatever is in their way, the others have their turns.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        new_id: Callable[[], UUID],
        first_events: FirstEvents,
        writes: WriteHealth | None = None,
    ) -> None:
        """The relay of this process takes `first_events`; `writes` is told when none succeeds."""
        self._engine = engine
        self._new_id = new_id
        self._first_events = first_events
        self._writes = writes or WriteHealth()
        self._queue = CommandQueue()
        self._draining: asyncio.Task[None] | None = None
        self._lone_turns = asyncio.Semaphore(MAX_LONE_TRANSACTIONS)
        self._blocked_turns = asyncio.Semaphore(MAX_LONE_BLOCKED)
        self._own_lone_turns: WeakValueDictionary[str, asyncio.Semaphore] = WeakValueDictionary()
        self._lone: set[asyncio.Task[list[PendingCommand]]] = set()
        self._lone_by_restaurant = Counter[str]()
        self._blocked_until: dict[str, float] = {}

    async def run(
        self, command: Command[Result], *, restaurant: str = "", comes_again: bool = False
    ) -> Result:
        """Run the command of a restaurant and return its result once it is on disk.

        One that `comes_again` by itself is given back as soon as a lock is seen in its way. Raises
        the command's Refusal, or StoreUnavailable.
        """
        result: Result = await self._run(command, restaurant, None, comes_again)
        return result

    async def run_once(
        self, request: KeyedRequest, command: Command[Answer], *, comes_again: bool = False
    ) -> Answer:
        """Run the command unless this request was answered; then give that answer again.

        Requests at the same instant have one effect, too. A refusal has no effect, and is not kept.
        Raises KeyReused if the key names another request, the command's Refusal, StoreUnavailable.
        """
        answer: Answer = await self._run(command, request.restaurant, request, comes_again)
        return answer

    @property
    def queued(self) -> int:
        """How many commands wait for a transaction, or are tried alone."""
        return len(self._queue) + self._lone_by_restaurant.total()

    def is_blocked(self, restaurant: str) -> bool:
        """Whether commands of this restaurant are tried beside the groups."""
        return restaurant in self._lone_by_restaurant

    async def _run(
        self,
        command: Command[Any],
        restaurant: str,
        request: KeyedRequest | None,
        comes_again: bool,
    ) -> Any:
        is_full = self.queued >= MAX_QUEUE_COMMANDS
        if is_full and not self._queue.make_room_for(restaurant):
            COMMANDS.labels("failed").inc()
            raise StoreUnavailable(f"{MAX_QUEUE_COMMANDS} commands wait already")
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        with span("transaction", expected=Refusal):
            context, give_up_at = contextvars.copy_context(), loop.time() + MAX_WAIT_S
            waiting = (answer, context, restaurant, request, give_up_at, comes_again)
            self._queue.put(PendingCommand(command, *waiting))
            if self._draining is None or self._draining.done():
                self._draining = loop.create_task(self._drain())
            return await answer

    async def _drain(self) -> None:
        REQUEST_ID.set("")  # of whoever came first, and not of the others
        clock = asyncio.get_running_loop().time
        while taken := self._queue.next_group():
            began = clock()
            group = self._unless_blocked(taken)
            if not group:
                continue
            GROUPS.observe(len(group))
            await self._commit_or_split(group)
            if self._queue:
                await asyncio.sleep(began + GROUP_INTERVAL_S - clock())

    def _unless_blocked(self, taken: list[PendingCommand]) -> list[PendingCommand]:
        """The commands of restaurants that have lately met no lock; the others are tried alone."""
        now = asyncio.get_running_loop().time()
        self._blocked_until = {
            restaurant: until for restaurant, until in self._blocked_until.items() if until > now
        }
        group = []
        for each in taken:
            if each.restaurant in self._blocked_until:
                self._try_beside([each])
            else:
                group.append(each)
        return group

    async def _commit_or_split(self, group: list[PendingCommand]) -> None:
        try:
            await self._commit(group)
        except Exception as error:  # told to the one whose it is, or found out one by one
            failure = failure_of(error)
            if not failure.splits or (len(group) == 1 and not failure.is_retried):
                _fail(group, error)
                return
            log.warning("group split", size=len(group), reason=reason_of(error))
            shares: dict[str, list[PendingCommand]] = {}
            for each in group:
                shares.setdefault(each.restaurant, []).append(each)
            for share in shares.values():
                if len(shares) > 1:
                    self._try_beside(share)
                else:  # together they have just failed
                    self._try_each_alone(share)

    def _try_each_alone(self, commands: Sequence[PendingCommand]) -> None:
        for each in commands:
            self._try_beside([each])

    def _try_beside(self, share: list[PendingCommand]) -> None:
        """Try commands of one restaurant beside the groups, together, then those left one by one.

        What is more than the restaurant may have there is refused.
        """
        restaurant = share[0].restaurant
        room = max(0, MAX_LONE_COMMANDS_OF_RESTAURANT - self._lone_by_restaurant[restaurant])
        for each in share[room:]:
            each.fail(StoreUnavailable("something is in the way of its restaurant's commands"))
        if not (share := share[:room]):
            return

        def end(task: asyncio.Task[list[PendingCommand]]) -> None:
            self._lone.discard(task)
            self._lone_by_restaurant[restaurant] -= len(share)
            if not self._lone_by_restaurant[restaurant]:
                del self._lone_by_restaurant[restaurant]
            if not task.cancelled() and task.exception() is None:
                self._try_each_alone(task.result())

        run = self._run_alone(share[0]) if len(share) == 1 else self._run_share(share)
        task = asyncio.get_running_loop().create_task(run)
        self._lone.add(task)
        self._lone_by_restaurant[restaurant] += len(share)
        task.add_done_callback(end)

    async def _run_share(self, share: list[PendingCommand]) -> list[PendingCommand]:
        """Try commands of one restaurant together, once. Returns those to be tried alone."""
        try:
            async with self._lone_turn(share[0], min(map(_lone_end, share))):
                error = await self._failure_of(share)
        except TimeoutError:  # of the first of them
            return share
        if error is None:
            return []
        self._remember(share[0].restaurant, error)
        if failure_of(error).splits:
            return share
        _fail(share, error)
        return []

    def _remember(self, restaurant: str, error: Exception) -> None:
        if failure_of(error) is BLOCKED:
            now = asyncio.get_running_loop().time()
            self._blocked_until[restaurant] = now + BLOCKED_MEMORY_S

    async def _run_alone(self, each: PendingCommand) -> list[PendingCommand]:
        """Try the command by itself until it succeeds, its failure is its own, or it is too late.

        Between two tries others have their turn, so that one that is blocked holds nobody up.
        Nothing is left to be tried again.
        """
        pause_s = LONE_PAUSE_MIN_S
        clock = asyncio.get_running_loop().time
        give_up_at = _lone_end(each)
        while True:
            try:
                async with self._lone_turn(each, give_up_at):
                    error = await self._failure_alone(each)
            except TimeoutError:
                each.fail(StoreUnavailable("it had no turn in time to be tried alone"))
                return []
            if error is None:
                return []
            failure = failure_of(error)
            self._remember(each.restaurant, error)
            is_given_back = failure is BLOCKED and each.comes_again
            is_too_late = clock() + pause_s >= give_up_at
            if not failure.is_retried or is_given_back or is_too_late:
                _fail([each], error)
                return []
            await asyncio.sleep(pause_s)
            pause_s = min(2 * pause_s, LONE_PAUSE_MAX_S)

    @contextlib.asynccontextmanager
    async def _lone_turn(self, each: PendingCommand, give_up_at: float) -> AsyncIterator[None]:
        """A turn, of those that its restaurant may have at once, and that all who are blocked may.

        Raises TimeoutError.
        """
        own = self._own_lone_turns.setdefault(
            each.restaurant, asyncio.Semaphore(MAX_LONE_OF_RESTAURANT)
        )
        async with contextlib.AsyncExitStack() as turn:
            async with asyncio.timeout_at(give_up_at):
                await turn.enter_async_context(own)
                if each.restaurant in self._blocked_until:
                    await turn.enter_async_context(self._blocked_turns)
                await turn.enter_async_context(self._lone_turns)
            yield

    async def _failure_alone(self, each: PendingCommand) -> Exception | None:
        return await self._failure_of([each])

    async def _failure_of(self, commands: list[PendingCommand]) -> Exception | None:
        try:
            await self._commit(commands)
        except Exception as error:  # it is told whose it is
            return error
        return None

    async def _commit(self, group: list[PendingCommand]) -> None:
        with COMMIT_SECONDS.time(), _span_of(group):
            await self._commit_together(group)

    async def _commit_together(self, group: list[PendingCommand]) -> None:
        async with self._engine.connect() as connection:
            try:
                outcomes, for_relay = await self._carry_out(group, connection)
                await connection.commit()
            except Exception as error:
                if not failure_of(error).splits:
                    self._writes.failure = reason_of(error)
                    await connection.invalidate()  # a server that is away answers no rollback
                raise
        self._first_events.put(for_relay)
        for each, outcome in zip(group, outcomes, strict=True):
            each.settle(outcome)

    async def _carry_out(
        self, group: list[PendingCommand], connection: AsyncConnection
    ) -> tuple[list[Any], list[CommittedEvent]]:
        """Decide and write everything but the commit; returns the outcomes, in the group's order.

        With them come the events for the relay of this process. Raises what is no refusal.
        """
        transaction = PostgresTransaction(connection, self._new_id, self._first_events)
        requests = [each.request for each in group if each.request]
        answered = await transaction.answers.find(requests)
        outcomes = await asyncio.gather(
            *(_decide(each, transaction, answered) for each in group), return_exceptions=True
        )
        await transaction.finish_loads()
        _raise_failure(outcomes)
        await transaction.save()
        return outcomes, transaction.for_relay


def _lone_end(each: PendingCommand) -> float:
    """Until when the command, about to be tried beside the groups, has to have had a turn."""
    if not each.comes_again:
        return each.give_up_at
    return min(each.give_up_at, asyncio.get_running_loop().time() + MAX_LONE_WAIT_S)


def export_queue(commit: GroupCommit) -> None:
    """Export the length of the queue as a metric."""
    QUEUED.set_function(lambda: commit.queued)


@contextlib.contextmanager
def _span_of(group: Sequence[PendingCommand]) -> Iterator[None]:
    """A span of a trace of its own, with a link to that of each command."""
    if not is_recording():
        yield
        return
    links = [link for each in group for link in link_to(each.context.run(current_trace))]
    with span("commit", parent={}, links=links, attributes={"comanda.commands": len(group)}):
        yield


def _decide(
    each: PendingCommand,
    transaction: PostgresTransaction,
    answered: Mapping[Name, AnsweredRequest],
) -> "asyncio.Task[Any]":
    async def run() -> Any:
        request = each.request
        if request is None:
            return await each.command(transaction)
        if before := answered.get(name_of(request)):
            return before.answer_to(request)
        answer = await each.command(transaction)
        transaction.answers.keep(request, answer)
        return answer

    return asyncio.get_running_loop().create_task(run(), context=each.context)


def _raise_failure(outcomes: Sequence[Any]) -> None:
    """Raise what is no refusal: the cause, rather than what followed from it."""
    failures = [
        each
        for each in outcomes
        if isinstance(each, BaseException) and not isinstance(each, Refusal)
    ]
    failures.sort(key=lambda each: sqlstate_of(each) == CONSEQUENTIAL)
    if failures:
        raise failures[0]


def _fail(group: Sequence[PendingCommand], error: Exception) -> None:
    failure = failure_of(error)
    if failure is BLOCKED:
        error = CommandBlocked(reason_of(error))
    elif failure.is_passing:
        error = StoreUnavailable(reason_of(error))
    for each in group:
        each.fail(error)
