"""How old what a request is answered from may be, whoever of the store's members was asked."""

from contextvars import ContextVar
from datetime import datetime


class Freshness:
    """Takes note of the oldest answer that was used, if one may be older than the newest state."""

    def __init__(self) -> None:
        self.as_of: datetime | None = None
        """Whatever was stored before this time is in all answers; None if everything is."""

    def note(self, as_of: datetime) -> None:
        """Take note of an answer that has what was stored before `as_of`."""
        self.as_of = as_of if self.as_of is None else min(self.as_of, as_of)


_OF_REQUEST: ContextVar[Freshness | None] = ContextVar("freshness", default=None)


def begin_noting() -> Freshness:
    """Note, from now on, what is used in this task and those that it starts."""
    freshness = Freshness()
    _OF_REQUEST.set(freshness)
    return freshness


def note_as_of(as_of: datetime | None) -> None:
    """Have it noted that an answer has only what was stored before; None: it has everything."""
    freshness = _OF_REQUEST.get()
    if freshness is not None and as_of is not None:
        freshness.note(as_of)
