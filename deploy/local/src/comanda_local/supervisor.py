"""Whatever ends by itself is started again, after a pause that grows while it keeps ending."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Protocol

from comanda_local.processes import CannotStart, Child

FIRST_PAUSE_S = 1.0
"""Pause before the first start again; it doubles with each further one."""
PAUSE_S_MAX = 30.0
STEADY_AFTER_S = 60.0
"""Seconds that something has to run for its next end to be the first again."""

Say = Callable[[str], None]


class Part(Protocol):
    """A server or a service."""

    @property
    def process(self) -> Child: ...
    def start(self) -> None:
        """Raises CannotStart."""
        ...


@dataclass(slots=True)
class _Watched:
    part: Part
    ends: int = 0
    """How often it has ended, without having run for long in between."""
    started_at: float = 0.0
    due_at: float | None = None
    """When it is to be started again; None while it runs."""


class Supervisor:
    """Watches parts that were started. It is asked to look, with the time in seconds."""

    def __init__(self, parts: Iterable[Part], say: Say, say_log: Say) -> None:
        """`say` tells what happened in a line, `say_log` shows the end of a log."""
        self._watched = [_Watched(part) for part in parts]
        self._say = say
        self._say_log = say_log

    def look(self, now: float) -> None:
        """Say which have ended by themselves, and start those again whose pause is over."""
        for watched in self._watched:
            if watched.due_at is not None:
                if now >= watched.due_at:
                    self._start(watched, now)
            elif not watched.part.process.alive:
                self._note_end(watched, now)

    def _note_end(self, watched: _Watched, now: float) -> None:
        process = watched.part.process
        if now - watched.started_at >= STEADY_AFTER_S:
            watched.ends = 0
        pause_s = self._pause(watched, now)
        self._say(
            f"{process.name} ended by itself (exit code {process.exit_code}), and is started "
            f"again in {pause_s:.0f} s. The end of {process.log}:"
        )
        self._say_log(process.tail())

    def _start(self, watched: _Watched, now: float) -> None:
        name = watched.part.process.name
        try:
            watched.part.start()
        except CannotStart as error:
            pause_s = self._pause(watched, now)
            self._say(f"{name} can't be started; once more in {pause_s:.0f} s.")
            self._say_log(str(error))
            return
        watched.started_at, watched.due_at = now, None
        self._say(f"{name} was started again.")

    def _pause(self, watched: _Watched, now: float) -> float:
        pause_s = min(FIRST_PAUSE_S * 2.0**watched.ends, PAUSE_S_MAX)
        watched.ends, watched.due_at = watched.ends + 1, now + pause_s
        return pause_s
