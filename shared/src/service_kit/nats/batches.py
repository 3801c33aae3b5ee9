"""Handling the messages of a batch such that each fails, or not, by itself."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from service_kit.nats.failures import BatchFailed, Classifier, Failure, Fate
from service_kit.nats.subscriber import Handler, Received

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
