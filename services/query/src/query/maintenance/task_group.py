"""Tasks that end together, and whose failure is raised as it is."""

import asyncio
import contextlib
from collections.abc import AsyncIterator


@contextlib.asynccontextmanager
async def task_group() -> AsyncIterator[asyncio.TaskGroup]:
    """A TaskGroup that raises the first failure, of the body or of a task, and no group of them.

    So whoever calls can tell it by its type.
    """
    try:
        async with asyncio.TaskGroup() as group:
            yield group
    except BaseExceptionGroup as failures:
        raise failures.exceptions[0]  # noqa: B904 - it has a cause of its own, or none
