"""Commands that wait for a transaction: bounded in number, and in time."""

import asyncio
import contextvars
from collections import deque
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from prometheus_client import Counter

from ordering.application.keyed_request import KeyedRequest
from ordering.application.transaction import StoreUnavailable
from ordering.domain.refusals import Refusal
from ordering.outbound.transaction.idempotency import Name, name_of

MAX_GROUP_COMMANDS = 64
MAX_QUEUE_COMMANDS = 2000
"""Commands that may wait: about as many as are carried out in a second."""
MAX_WAIT_S = 5.0
"""Seconds that a command waits at most; after that it is given up and never carried out."""

COMMANDS = Counter("comanda_commands_total", "Commands by outcome", ["outcome"])


@dataclass(frozen=True, slots=True)
class PendingCommand:
    """A command without an answer yet, and the time (of the event loop) when it is given up."""

    command: Callable[[Any], Awaitable[Any]]
    answer: "asyncio.Future[Any]"
    context: contextvars.Context
    request: KeyedRequest | None
    give_up_at: float

    def settle(self, outcome: Any) -> None:
        """Answer with the outcome: a result, or a refusal."""
        if isinstance(outcome, Refusal):
            self._end("refused", outcome)
            return
        COMMANDS.labels("done").inc()
        if not self.answer.done():  # the client has gone
            self.answer.set_result(outcome)

    def fail(self, error: Exception) -> None:
        """Answer that it could not be carried out."""
        self._end("failed", error)

    def give_up(self) -> None:
        """Answer that its time is over. It must not be carried out from now on."""
        self.fail(StoreUnavailable(f"not begun within {MAX_WAIT_S:.0f} s"))

    def _end(self, outcome: str, error: Exception) -> None:
        COMMANDS.labels(outcome).inc()
        if not self.answer.done():
            self.answer.set_exception(error)


# decision/0036: a command waits its time and no longer
class CommandQueue:
    """Commands in the order of their arrival; those that wait too long leave it by themselves."""

    def __init__(self) -> None:
        self._pending: deque[PendingCommand] = deque()
        self._expiry: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return len(self._pending)

    def put(self, each: PendingCommand) -> None:
        """Have the command wait for `next_group`."""
        self._pending.append(each)
        self._expire_in_time()

    def next_group(self) -> list[PendingCommand]:
        """Take the oldest commands; of requests with one key one, since it answers the others.

        Commands whose clients have gone are left out, and never carried out.
        """
        group: list[PendingCommand] = []
        repeated: list[PendingCommand] = []
        names: set[Name] = set()
        while self._pending and len(group) < MAX_GROUP_COMMANDS:
            each = self._pending.popleft()
            if each.answer.done():
                continue
            if each.request and name_of(each.request) in names:
                repeated.append(each)
                continue
            if each.request:
                names.add(name_of(each.request))
            group.append(each)
        self._pending.extendleft(reversed(repeated))
        return group

    def _expire_in_time(self) -> None:
        if self._expiry is None and self._pending:
            loop = asyncio.get_running_loop()
            self._expiry = loop.call_at(self._pending[0].give_up_at, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        now = asyncio.get_running_loop().time()
        while self._pending and self._pending[0].give_up_at <= now:
            self._pending.popleft().give_up()
        self._expire_in_time()
