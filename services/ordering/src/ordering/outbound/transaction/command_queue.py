"""Commands that wait for a transaction: in turns by restaurant, bounded in number and in time."""

import asyncio
import contextvars
from collections import OrderedDict, deque
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

COMMANDS = Counter(
    "comanda_commands_total", "Commands by outcome: done, refused or failed", ["outcome"]
)
REFUSALS = Counter(
    "comanda_command_refusals_total", "Commands that were refused, by code", ["code"]
)


@dataclass(frozen=True, slots=True)
class PendingCommand:
    """A command without an answer yet, and the time (of the event loop) when it is given up."""

    command: Callable[[Any], Awaitable[Any]]
    answer: "asyncio.Future[Any]"
    context: contextvars.Context
    restaurant: str
    request: KeyedRequest | None
    give_up_at: float
    comes_again: bool = False
    """Whether it is brought again if a lock is in its way, so that it need not wait for it here."""

    def settle(self, outcome: Any) -> None:
        """Answer with the outcome: a result, or a refusal."""
        if isinstance(outcome, Refusal):
            REFUSALS.labels(outcome.code).inc()
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
# decision/0046: restaurants take turns
class CommandQueue:
    """Commands, of each restaurant in the order of their arrival; the restaurants take turns.

    Those that wait too long leave it by themselves.
    """

    def __init__(self) -> None:
        self._by_restaurant: OrderedDict[str, deque[PendingCommand]] = OrderedDict()
        """None of them is empty; whose turn it is comes first."""
        self._count = 0
        self._expiry: asyncio.TimerHandle | None = None

    def __len__(self) -> int:
        return self._count

    def put(self, each: PendingCommand) -> None:
        """Have the command wait for `next_group`."""
        self._by_restaurant.setdefault(each.restaurant, deque()).append(each)
        self._count += 1
        self._expire_in_time()

    def make_room_for(self, restaurant: str) -> bool:
        """Refuse the newest command of the restaurant that has the most here, for one of this one.

        Returns False, and refuses none, unless this one has fewer even then.
        """
        most = max(self._by_restaurant.values(), key=len, default=deque[PendingCommand]())
        if len(most) <= len(self._by_restaurant.get(restaurant, ())) + 1:
            return False
        most.pop().fail(StoreUnavailable("too many commands of its restaurant wait"))
        self._count -= 1
        return True

    def next_group(self) -> list[PendingCommand]:
        """Take the oldest commands, one of each restaurant in turn.

        Of requests with one key one is taken, since it answers the others. Commands whose clients
        have gone are left out, and never carried out.
        """
        group: list[PendingCommand] = []
        repeated: list[PendingCommand] = []
        names: set[Name] = set()
        while self._by_restaurant and len(group) < MAX_GROUP_COMMANDS:
            each = self._take()
            if each.answer.done():
                continue
            if each.request and name_of(each.request) in names:
                repeated.append(each)
                continue
            if each.request:
                names.add(name_of(each.request))
            group.append(each)
        for each in reversed(repeated):
            self._by_restaurant.setdefault(each.restaurant, deque()).appendleft(each)
            self._count += 1
        return group

    def _take(self) -> PendingCommand:
        """The oldest command of the restaurant whose turn it is; the next ones are of others."""
        restaurant, pending = self._by_restaurant.popitem(last=False)
        each = pending.popleft()
        self._count -= 1
        if pending:
            self._by_restaurant[restaurant] = pending
        return each

    def _expire_in_time(self) -> None:
        if self._expiry is None and self._by_restaurant:
            loop = asyncio.get_running_loop()
            first = min(pending[0].give_up_at for pending in self._by_restaurant.values())
            self._expiry = loop.call_at(first, self._expire)

    def _expire(self) -> None:
        self._expiry = None
        now = asyncio.get_running_loop().time()
        for restaurant, pending in list(self._by_restaurant.items()):
            while pending and pending[0].give_up_at <= now:
                pending.popleft().give_up()
                self._count -= 1
            if not pending:
                del self._by_restaurant[restaurant]
        self._expire_in_time()
