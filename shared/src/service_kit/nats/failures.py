"""What becomes of a message that failed: decided here, for every consumer, by the error's class.

Four fates, and how they differ:

- PERMANENT: it is the message's own fault, and will be whenever it comes. It is set aside at first
  sight, with the reason. So an error of a store that one document causes belongs here: its
  neighbours are stored, it never will be.
- OUTAGE: a server is away, full or has no leader; whatever came now would fail alike. That is no
  message's fault, so none is ever set aside for it: all come again, for as long as it takes, after
  pauses that grow to a few seconds, so that work goes on soon after the server is back.
- BLOCKED: somebody holds what this one message needs, while others succeed. It is not its fault
  either, and it is never set aside for it; but it comes again after pauses that grow to a minute,
  since each time it keeps others waiting.
- PASSING: everything else. It may be a race, or a fault in this very release, and nobody knows. It
  is tried again after pauses that grow to a minute; after `ATTEMPTS_MAX` it is set aside with the
  last reason, and can be replayed.

A service names the classes of its own stores; everything else is the same for all.
"""

import asyncio
import random
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import nats.errors
from comanda_contracts import Unreadable
from nats.aio.msg import Msg
from nats.js.errors import APIError

ATTEMPTS_MAX = 20
"""Of one message, of failures that may pass, by one process: about a quarter of an hour."""
PAUSE_MIN_S = 1.0
PAUSE_MAX_S = 60.0
OUTAGE_PAUSE_MAX_S = 5.0
JITTER = 0.25
"""By how much of itself a pause is shorter or longer, so that not all come back at once."""
COUNTED_MESSAGES_MAX = 20_000
"""Messages whose failures are counted; beyond that the oldest one's are forgotten."""

MESSAGE_TOO_LARGE = 10054
"""Error code of JetStream: the stream takes no message of that size."""


class Fate(StrEnum):
    """What becomes of a message that failed."""

    PERMANENT = "permanent"
    OUTAGE = "outage"
    BLOCKED = "blocked"
    PASSING = "passing"


@dataclass(frozen=True, slots=True)
class Classifier:
    """Tells the fate of a message by the error that it met."""

    permanent: tuple[type[Exception], ...] = ()
    """The service's own errors that are the message's fault."""
    outages: tuple[type[Exception], ...] = ()
    """The service's own errors that are a server's state."""
    blocked: tuple[type[Exception], ...] = ()
    """The service's own errors that say that another holds what a message needs."""

    def fate_of(self, error: BaseException) -> Fate:
        """Of a group of errors an outage decides, then a lock, then one that may pass."""
        if isinstance(error, BaseExceptionGroup):
            fates = {self.fate_of(each) for each in error.exceptions}
            by_weight = (Fate.OUTAGE, Fate.BLOCKED, Fate.PASSING, Fate.PERMANENT)
            return next(fate for fate in by_weight if fate in fates)
        if isinstance(error, (Unreadable, *TOO_MUCH_FOR_NATS, *self.permanent)) or (
            isinstance(error, APIError) and error.err_code == MESSAGE_TOO_LARGE
        ):
            return Fate.PERMANENT
        if isinstance(error, self.blocked):
            return Fate.BLOCKED
        if isinstance(error, (nats.errors.Error, OSError, *self.outages)):
            return Fate.OUTAGE
        return Fate.PASSING


TOO_MUCH_FOR_NATS = (
    nats.errors.MaxPayloadError,
    nats.errors.BadSubjectError,
    nats.errors.BadHeaderError,
)
"""What would have to be published because of the message can't be, however often it is tried."""


@dataclass(frozen=True, slots=True)
class Failure:
    """A message that failed, and the error that it met."""

    message: Msg
    error: Exception


class BatchFailed(Exception):
    """Some messages of a batch failed, each for a reason of its own; the others are settled."""

    def __init__(self, failures: Sequence[Failure]) -> None:
        first = reason_of(failures[0].error)
        super().__init__(f"{len(failures)} failed, the first with {first}")
        self.failures = failures


class LeftUnsettled(Exception):
    """A handler has neither settled a message nor said why."""


class StillAtIt(Exception):
    """A message has no end yet, and its batch goes on without it: the task says what becomes of it.

    What the task raises is the message's failure.
    """

    def __init__(self, task: "asyncio.Task[Any]") -> None:
        super().__init__("its end is awaited beside its batch")
        self.task = task


async def end_of(error: Exception) -> Exception | None:
    """The failure at a message's end, waited for if it is `StillAtIt`; None if it succeeds."""
    if not isinstance(error, StillAtIt):
        return error
    await asyncio.wait([error.task])
    if error.task.cancelled():
        return LeftUnsettled()
    failure = error.task.exception()
    if failure is None or isinstance(failure, Exception):
        return failure
    raise failure


class HandlerHung(Exception):
    """A handler has not come to its end; nobody knows for which message's sake, so it may pass."""


class Attempts:
    """How often the messages of one consumer have failed in this process.

    The server counts deliveries, but also those that an outage or a restart cut short.
    """

    def __init__(self) -> None:
        self._counts: OrderedDict[tuple[int, Fate], int] = OrderedDict()

    def add(self, sequence: int, fate: Fate) -> int:
        """Count a failure of the message; returns how many there were."""
        count = self._counts.pop((sequence, fate), 0) + 1
        self._counts[sequence, fate] = count
        if len(self._counts) > COUNTED_MESSAGES_MAX:
            self._counts.popitem(last=False)
        return count

    def forget(self, messages: Sequence[Msg]) -> None:
        """These messages are settled."""
        if not self._counts:
            return
        for message in messages:
            for fate in Fate:
                self._counts.pop((message.metadata.sequence.stream, fate), None)


def pause_s(fate: Fate, attempts: int) -> float:
    """Seconds until a message is tried again that has failed so often."""
    longest = OUTAGE_PAUSE_MAX_S if fate is Fate.OUTAGE else PAUSE_MAX_S
    grown = min(longest, PAUSE_MIN_S * 2.0 ** min(attempts - 1, 16))
    return grown * random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 - no secret


def reason_of(error: BaseException) -> str:
    """The error in words; of a group its first error."""
    while isinstance(error, BaseExceptionGroup):
        error = error.exceptions[0]
    return str(error) if isinstance(error, Unreadable) else f"{type(error).__name__}: {error}"
