"""Steps of what runs in the background: taken together, each whatever others meet."""

import asyncio
from collections.abc import Awaitable, Iterable

from ordering.application.transaction import CommandBlocked
from ordering.domain.refusals import Refusal


async def failures_of(steps: Iterable[Awaitable[object]]) -> list[Exception]:
    """Take the steps together, so that many share a transaction; returns what they met.

    That another replica is at it, or has been, is no failure: the next look sees what is left.
    """
    failures: list[Exception] = []
    for outcome in await asyncio.gather(*steps, return_exceptions=True):
        if isinstance(outcome, CommandBlocked | Refusal):
            continue
        if isinstance(outcome, Exception):
            failures.append(outcome)
        elif isinstance(outcome, BaseException):
            raise outcome
    return failures
