"""The parts of a service that run beside its HTTP side: supervised, restarted, reported on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

log = structlog.get_logger()

READY = "ready"
RESTART_PAUSE_MIN_S = 0.2
"""Pause before the first restart; it doubles with each further one."""
RESTART_PAUSE_MAX_S = 5.0
CANCEL_RETRY_INTERVAL_S = 0.5


class Ready(Protocol):
    """A component's report of its own state."""

    def __call__(self, failing: str | None = None) -> None:
        """Report that the component works; or, with a reason, that it runs but fails."""
        ...


@dataclass(slots=True)
class Component:
    """A background task that runs for as long as the service does.

    `run` is restarted, after a growing pause, whenever it raises or returns. A service is ready
    when every component that is `required` has reported so; the others are only shown.
    """

    name: str
    run: Callable[[Ready], Awaitable[None]]
    required: bool = True
    state: str = field(default="starting", init=False)

    @property
    def ready(self) -> bool:
        """Whether it works now."""
        return self.state == READY


@contextlib.asynccontextmanager
async def running(components: Sequence[Component]) -> AsyncIterator[None]:
    """Run the components in the background; at the end, cancel them and wait for their end."""
    tasks = [asyncio.create_task(_supervise(component)) for component in components]
    try:
        yield
    finally:
        while pending := [task for task in tasks if not task.done()]:
            for (
                task
            ) in pending:  # repeatedly: Python 3.11's wait_for, in the drivers, may swallow it
                task.cancel()
            await asyncio.wait(pending, timeout=CANCEL_RETRY_INTERVAL_S)


async def _supervise(component: Component) -> None:
    pause = RESTART_PAUSE_MIN_S

    def ready(failing: str | None = None) -> None:
        nonlocal pause
        pause = RESTART_PAUSE_MIN_S
        state = failing or READY
        if component.state != state:
            component.state = state
            log.info("component", component=component.name, state=state)

    while True:
        try:
            await component.run(ready)
            reason = "ended"
        except Exception as error:  # whatever it is, the component is tried again
            reason = _reason(error)
            log.warning("component failed", component=component.name, reason=reason, retry_in=pause)
        component.state = reason
        await asyncio.sleep(pause)
        pause = min(2 * pause, RESTART_PAUSE_MAX_S)


def _reason(error: Exception) -> str:
    """The error in one line; of a group its first error."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
