"""The next version of an event: how the older one is read as it, and until when both are told."""

# decision/0078: an event's next version is told beside it until a day

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, date
from typing import Any

from comanda_contracts.envelope import Event


@dataclass(frozen=True, slots=True)
class Succession:
    """An event has a next version, with fields that its readers of before could not take.

    What is told in both versions is the same once it is read: `upcast(downcast(event)) == event`.
    So it does not matter which of the two a reader meets first. What the older one can't say is not
    said before it has ended.
    """

    older: type[Event]
    newer: type[Event]
    upcast: Callable[[Any], Event]
    """Makes the newer one of the older, which is in archives for as long as they are kept."""
    downcast: Callable[[Any], Event]
    """Makes the older one of the newer, for readers who do not know that yet."""
    ends_on: date
    """The last day, in UTC, of which the older one is told."""


SUCCESSIONS: tuple[Succession, ...] = ()
"""Every one there ever was: what is archived is read by them. So far there is none."""


def as_newest(event: Event) -> Event:
    """The event in its newest version, or itself."""
    for succession in SUCCESSIONS:
        if type(event) is succession.older:
            return as_newest(succession.upcast(event))
    return event


def as_told(event: Event) -> tuple[Event, ...]:
    """What is published of an event in its newest version: each version that has not ended.

    The oldest comes first. The day is that on which it happened, so what waits to be published when
    a version ends still goes out in it.
    """
    for succession in SUCCESSIONS:
        if (
            type(event) is succession.newer
            and event.at.astimezone(UTC).date() <= succession.ends_on
        ):
            return (*as_told(succession.downcast(event)), event)
    return (event,)
