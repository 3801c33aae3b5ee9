"""The parts of a service that run beside its HTTP side: supervised, restarted, reported on."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import structlog
from prometheus_client import Gauge

from service_kit.runtime.cancellation import cancel_until_ended

log = structlog.get_logger()

READY = "ready"
RESTART_PAUSE_MIN_S = 0.2
"""Pause before the first restart; it doubles with each further one."""
RESTART_PAUSE_MAX_S = 5.0

WORKS = Gauge(
    "comanda_component_ready",
    "1 while a part of the service works; a service is not ready without a required one, and "
    "degraded without another",
    ["component", "required"],
)


class WaitingFor(Exception):
    """A component can do nothing until something is there; `waiting for …` is all there is to say.

    `what` names it as an operator would look for it, such as `stream ORDERS`.
    """

    def __init__(self, what: str) -> None:
        super().__init__(what)
        self.what = what

    def __str__(self) -> str:
        return f"waiting for {self.what}"


class Ready(Protocol):
    """A component's report of its own state."""

    def __call__(self, failing: str | None = None) -> None:
        """Report that the component works; or, with a reason, that it runs but fails."""
        ...


@dataclass(slots=True)
class Component:
    """A background task that runs for as long as the service does.

    `run` is restarted, after a growing pause, whenever it raises or returns. A service is ready
    when every component that is `required` has reported so, and degraded without one of the others.
    """

    name: str
    run: Callable[[Ready], Awaitable[None]]
    required: bool = True
    state: str = field(default="starting", init=False)

    @property
    def ready(self) -> bool:
        """Whether it works now."""
        return self.state == READY

    def show(self, state: str) -> None:
        """Take the state over; one that is new is logged, as a warning if it does not work."""
        if self.state != state:
            self.state = state
            level = "info" if self.ready else "warning"
            getattr(log, level)("component", component=self.name, state=state)
        self.measure()

    def measure(self) -> None:
        """Export whether it works."""
        WORKS.labels(self.name, str(self.required).lower()).set(self.ready)


@contextlib.asynccontextmanager
async def running(components: Sequence[Component]) -> AsyncIterator[None]:
    """Run the components in the background; at the end, cancel them and wait for their end."""
    tasks = [asyncio.create_task(_supervise(component)) for component in components]
    try:
        yield
    finally:
        await cancel_until_ended(tasks)


async def _supervise(component: Component) -> None:
    pause = RESTART_PAUSE_MIN_S

    def ready(failing: str | None = None) -> None:
        nonlocal pause
        pause = RESTART_PAUSE_MIN_S
        component.show(failing or READY)

    component.measure()
    while True:
        try:
            await component.run(ready)
            reason = "ended"
        except Exception as error:  # whatever it is, the component is tried again
            reason = reason_of(error)
        component.show(reason)
        await asyncio.sleep(pause)
        pause = min(2 * pause, RESTART_PAUSE_MAX_S)


def reason_of(error: Exception) -> str:
    """The error in one line; of a group its first error."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    if isinstance(error, WaitingFor):
        return str(error)
    return f"{type(error).__name__}: {' '.join(str(error).split())}"
