"""Handling the messages of a batch such that each fails, or not, by itself."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

import nats.errors

from service_kit.nats.failures import BatchFailed, Classifier, Failure, Fate, StillAtIt
from service_kit.nats.jetstream import ACK_WAIT
from service_kit.nats.subscriber import Handler, Received
from service_kit.runtime.cancellation import cancel_until_ended

LOOK_INTERVAL_S = 0.02
"""Seconds between two looks at whether what a batch still waits for is blocked."""

Content = TypeVar("Content")


async def each_by_itself(
    handle: Callable[[Received[Content]], Awaitable[Any]], batch: Sequence[Received[Content]]
) -> None:
    """Handle the messages side by side, each whatever becomes of the others.

    Raises BatchFailed, which names those that failed.
    """
    outcomes = await asyncio.gather(*(handle(each) for each in batch), return_exceptions=True)
    failures = []
    for each, outcome in zip(batch, outcomes, strict=True):
        if isinstance(outcome, Exception):
            failures.append(Failure(each.message, outcome))
        elif isinstance(outcome, BaseException):
            raise outcome
    if failures:
        raise BatchFailed(failures)


# decision/0046: restaurants take turns
class Beside:
    """Handles the messages of a batch, and leaves those of whoever is blocked to go on beside it.

    So the next batch, with the messages of others, does not wait for what a lock is in the way of.
    """

    def __init__(
        self,
        is_blocked: Callable[[str], bool],
        refusal: Callable[[], Exception],
        *,
        most_of_each: int,
    ) -> None:
        """`is_blocked` tells by a restaurant's slug whether something is in its messages' way.

        Of each restaurant `most_of_each` messages are beside the batches; more are given back at
        once, each with a `refusal`.
        """
        self._is_blocked = is_blocked
        self._refusal = refusal
        self._most_of_each = most_of_each
        self._counts = Counter[str]()

    async def handle(
        self,
        handle: Callable[[Received[Content]], Awaitable[Any]],
        batch: Sequence[Received[Content]],
        restaurant_of: Callable[[Content], str],
    ) -> None:
        """Handle the messages side by side, each whatever becomes of the others.

        Raises BatchFailed, which names those that failed, and those that are `StillAtIt`.
        """
        failures, tasks = [], dict[asyncio.Task[Any], tuple[Received[Content], str]]()
        begun = Counter[str]()
        for each in batch:
            restaurant = restaurant_of(each.event)
            begun[restaurant] += 1
            are_many = self._counts[restaurant] + begun[restaurant] > self._most_of_each
            if not are_many or not self._is_blocked(restaurant):
                task = asyncio.ensure_future(_run(handle, each))
                tasks[task] = each, restaurant
            else:
                failures.append(Failure(each.message, self._refusal()))
        try:
            pending = await self._wait(tasks)
        except asyncio.CancelledError:
            for task in tasks:
                task.cancel()
            raise
        for task, (each, restaurant) in tasks.items():
            if task in pending:
                self._leave(task, restaurant)
                failures.append(Failure(each.message, StillAtIt(task)))
            elif isinstance(error := task.exception(), Exception):
                failures.append(Failure(each.message, error))
            elif error is not None:
                raise error
        if failures:
            raise BatchFailed(failures)

    async def _wait(
        self, tasks: dict[asyncio.Task[Any], tuple[Received[Content], str]]
    ) -> set[asyncio.Task[Any]]:
        """Wait until all have ended but those of restaurants that are blocked; returns these."""
        pending = set(tasks)
        while pending:
            _, pending = await asyncio.wait(pending, timeout=LOOK_INTERVAL_S)
            if all(self._is_blocked(tasks[each][1]) for each in pending):
                break
        return pending

    def _leave(self, task: asyncio.Task[Any], restaurant: str) -> None:
        def end(_: asyncio.Task[Any]) -> None:
            self._counts[restaurant] -= 1
            if not self._counts[restaurant]:
                del self._counts[restaurant]

        self._counts[restaurant] += 1
        task.add_done_callback(end)


async def _run(
    handle: Callable[[Received[Content]], Awaitable[Any]], received: Received[Content]
) -> None:
    await handle(received)


async def one_after_another(
    handle: Callable[[Received[Content]], Awaitable[Any]], batch: Sequence[Received[Content]]
) -> None:
    """Handle the messages in turn, each whatever becomes of the others: for work that takes long.

    None is delivered anew meanwhile. Raises BatchFailed, which names those that failed.
    """
    failures = []
    keeping = asyncio.create_task(_keep(batch))
    try:
        for each in batch:
            try:
                await handle(each)
            except Exception as error:  # told with the message
                failures.append(Failure(each.message, error))
    finally:
        await cancel_until_ended([keeping])
    if failures:
        raise BatchFailed(failures)


async def _keep(batch: Sequence[Received[Any]]) -> None:
    while True:
        await asyncio.sleep(ACK_WAIT / 3)
        for each in batch:
            if not each.message.is_acked:
                with contextlib.suppress(nats.errors.Error):  # it comes again, then
                    await each.message.in_progress()


async def in_halves(
    handle: Handler, batch: list[Received[Any]], classifier: Classifier
) -> list[Failure]:
    """Handle a batch; if it fails as a whole, its halves, down to the messages whose fault it is.

    Handling must be safe to repeat. An outage splits nothing: it is everybody's.
    """
    try:
        await handle(batch)
    except BatchFailed as error:
        return list(error.failures)
    except Exception as error:  # whatever it is, it is told with the message that met it
        unsettled = [each for each in batch if not each.message.is_acked]
        if len(unsettled) <= 1 or classifier.fate_of(error) is Fate.OUTAGE:
            return [Failure(each.message, error) for each in unsettled]
        middle = len(unsettled) // 2
        before = await in_halves(handle, unsettled[:middle], classifier)
        return before + await in_halves(handle, unsettled[middle:], classifier)
    return []
