"""Reading beside the transactions of commands: who reads waits for no group."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TypeVar

from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from ordering.application.transaction import StoreUnavailable
from ordering.outbound.database.errors import failure_of, reason_of

MAX_READS = 2
"""Answers of one kind that are read at a time; the other connections are for what changes
something."""
MAX_READ_S = 5.0
"""Seconds that a reader waits at most, for its turn and for the answer."""

Answer = TypeVar("Answer")


class Reads:
    """Reads what was committed, a few at a time."""

    def __init__(self, engine: AsyncEngine) -> None:
        self._engine = engine
        self._turns = asyncio.Semaphore(MAX_READS)

    async def answer(self, question: Callable[[AsyncConnection], Awaitable[Answer]]) -> Answer:
        """The answer to a question. Raises StoreUnavailable.

        A question that a migration came in the way of is asked again.
        """
        try:
            async with asyncio.timeout(MAX_READ_S), self._turns:
                try:
                    return await self._ask(question)
                except Exception as error:  # it is told whose it is
                    if not failure_of(error).is_retried:
                        raise
                    return await self._ask(question)
        except Exception as error:
            if failure_of(error).is_passing:
                raise StoreUnavailable(reason_of(error)) from error
            raise

    async def _ask(self, question: Callable[[AsyncConnection], Awaitable[Answer]]) -> Answer:
        async with self._engine.connect() as pooled:
            return await question(await pooled.execution_options(isolation_level="AUTOCOMMIT"))
