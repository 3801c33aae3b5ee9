"""Handling the messages of a batch side by side, so that commands share a transaction."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar

from service_kit.nats.subscriber import Received

Content = TypeVar("Content")


async def each_by_itself(
    handle: Callable[[Received[Content]], Awaitable[Any]], batch: Sequence[Received[Content]]
) -> None:
    """Handle each message, whatever becomes of the others; then raise the first failure."""
    outcomes = await asyncio.gather(*(handle(each) for each in batch), return_exceptions=True)
    for outcome in outcomes:
        if isinstance(outcome, BaseException):
            raise outcome
