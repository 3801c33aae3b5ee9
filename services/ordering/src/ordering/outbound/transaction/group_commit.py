"""Group commit: commands that arrive together share a transaction and its wait for the disk."""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar
from uuid import UUID

import structlog
from prometheus_client import Counter, Histogram
from sqlalchemy.ext.asyncio import AsyncEngine

from ordering.application.keyed_request import Answer, AnsweredRequest, KeyedRequest
from ordering.application.transaction import StoreUnavailable, Transaction
from ordering.domain.refusals import Refusal
from ordering.outbound.database.engine import is_connection_loss
from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.transaction.idempotency import Name, name_of
from ordering.outbound.transaction.unit_of_work import PostgresTransaction

log = structlog.get_logger()

MAX_GROUP_COMMANDS = 64
GROUP_INTERVAL_S = 0.015
"""Seconds between the beginnings of two groups while commands come faster than they are committed.

Every group costs the relay, the broker, the kitchen and the projector a batch each.
"""

COMMANDS = Counter("comanda_commands_total", "Commands by outcome", ["outcome"])
GROUPS = Histogram(
    "comanda_commit_group_size", "Commands per transaction", buckets=(1, 2, 4, 8, 16, 32, 64)
)

Result = TypeVar("Result")
Command = Callable[[Transaction], Awaitable[Result]]
"""A use case with everything bound but its transaction; it may be run more than once."""


@dataclass(frozen=True, slots=True)
class _PendingCommand:
    command: Command[Any]
    answer: "asyncio.Future[Any]"
    context: contextvars.Context
    request: KeyedRequest | None = None


# decision/0029: a lone command waits for nobody; a busy service takes its time
class GroupCommit:
    """Runs commands, several to a transaction.

    A group is the commands that arrived while the group before it was being committed, and until
    that one began `GROUP_INTERVAL_S` ago. If none did, the next command waits for nobody. A refused
    command fails alone. If anything else fails, the group is rolled back and each of its commands
    is run again on its own.
    """

    def __init__(
        self, engine: AsyncEngine, *, new_id: Callable[[], UUID], first_events: FirstEvents
    ) -> None:
        """The relay of this process takes `first_events`."""
        self._engine = engine
        self._new_id = new_id
        self._first_events = first_events
        self._pending: deque[_PendingCommand] = deque()
        self._draining: asyncio.Task[None] | None = None

    async def run(self, command: Command[Result]) -> Result:
        """Run the command and return its result once it is on disk.

        Raises the command's Refusal, or StoreUnavailable.
        """
        result: Result = await self._run(command, None)
        return result

    async def run_once(self, request: KeyedRequest, command: Command[Answer]) -> Answer:
        """Run the command unless this request was answered; then give that answer again.

        Requests at the same instant have one effect, too. A refusal has no effect, and is not kept.
        Raises KeyReused if the key names another request, the command's Refusal, StoreUnavailable.
        """
        answer: Answer = await self._run(command, request)
        return answer

    async def _run(self, command: Command[Any], request: KeyedRequest | None) -> Any:
        answer: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
        self._pending.append(_PendingCommand(command, answer, contextvars.copy_context(), request))
        if self._draining is None or self._draining.done():
            self._draining = asyncio.get_running_loop().create_task(self._drain())
        return await answer

    async def _drain(self) -> None:
        clock = asyncio.get_running_loop().time
        while self._pending:
            began = clock()
            group = _next_group(self._pending)
            GROUPS.observe(len(group))
            await self._commit_or_split(group)
            if self._pending:
                await asyncio.sleep(began + GROUP_INTERVAL_S - clock())

    async def _commit_or_split(self, group: list[_PendingCommand]) -> None:
        try:
            await self._commit(group)
        except Exception as error:  # told to the one whose it is, or found out one by one
            if is_connection_loss(error):
                _fail(group, StoreUnavailable(str(error)))
            elif len(group) == 1:
                _fail(group, error)
            else:
                log.warning("group split", size=len(group), reason=str(error))
                for each in group:
                    await self._commit_or_split([each])

    async def _commit(self, group: list[_PendingCommand]) -> None:
        async with self._engine.begin() as connection:
            transaction = PostgresTransaction(connection, self._new_id, self._first_events)
            requests = [each.request for each in group if each.request]
            answered = await transaction.answers.find(requests)
            outcomes = await asyncio.gather(
                *(_decide(each, transaction, answered) for each in group), return_exceptions=True
            )
            await transaction.finish_loads()
            for outcome in outcomes:
                if isinstance(outcome, BaseException) and not isinstance(outcome, Refusal):
                    raise outcome
            await transaction.save()
        self._first_events.put(transaction.for_relay)
        for each, outcome in zip(group, outcomes, strict=True):
            _answer(each, outcome)


def _next_group(pending: deque[_PendingCommand]) -> list[_PendingCommand]:
    """Take the oldest commands; of requests with one key one, since it answers the others."""
    group: list[_PendingCommand] = []
    repeated: list[_PendingCommand] = []
    names: set[Name] = set()
    while pending and len(group) < MAX_GROUP_COMMANDS:
        each = pending.popleft()
        if each.request and name_of(each.request) in names:
            repeated.append(each)
            continue
        if each.request:
            names.add(name_of(each.request))
        group.append(each)
    pending.extendleft(reversed(repeated))
    return group


def _decide(
    each: _PendingCommand,
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


def _answer(each: _PendingCommand, outcome: Any) -> None:
    refused = isinstance(outcome, Refusal)
    COMMANDS.labels("refused" if refused else "done").inc()
    if each.answer.done():  # the client has gone
        return
    if refused:
        each.answer.set_exception(outcome)
    else:
        each.answer.set_result(outcome)


def _fail(group: list[_PendingCommand], error: Exception) -> None:
    for each in group:
        COMMANDS.labels("failed").inc()
        if not each.answer.done():
            each.answer.set_exception(error)
