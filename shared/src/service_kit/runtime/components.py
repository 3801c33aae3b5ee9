"""The parts of a service that run beside its HTTP side, each kept running and reported on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog

log = structlog.get_logger()

READY = "ready"
FIRST_PAUSE = 0.2
LONGEST_PAUSE = 5.0
CANCEL_AGAIN_AFTER = 0.5


class Ready(Protocol):
    """By which a component says how it is."""

    def __call__(self, failing: str | None = None) -> None:
        """It does its work; or it is still up, but failing, for this reason."""
        ...


@dataclass(slots=True)
class Component:
    """Something that runs for as long as the service does.

    `run` is started anew, after a growing pause, whenever it raises. A service is ready when every
    component that is `required` has said so; the others are reported only.
    """

    name: str
    run: Callable[[Ready], Awaitable[None]]
    required: bool = True
    state: str = field(default="starting", init=False)

    @property
    def ready(self) -> bool:
        """Whether it does its work now."""
        return self.state == READY


@contextlib.asynccontextmanager
async def running(components: Sequence[Component]) -> AsyncIterator[None]:
    """Run the components in the background; on leaving, cancel them and wait for their end."""
    tasks = [asyncio.create_task(_keep_running(component)) for component in components]
    try:
        yield
    finally:
        while pending := [task for task in tasks if not task.done()]:
            for task in pending:  # again: Python 3.11's wait_for, in the drivers, may swallow it
                task.cancel()
            await asyncio.wait(pending, timeout=CANCEL_AGAIN_AFTER)


async def _keep_running(component: Component) -> None:
    pause = FIRST_PAUSE

    def ready(failing: str | None = None) -> None:
        nonlocal pause
        pause = FIRST_PAUSE
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
        pause = min(2 * pause, LONGEST_PAUSE)


def _reason(error: Exception) -> str:
    """What went wrong, in a line; of several things at once the first."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return f"{type(error).__name__}: {error}"
