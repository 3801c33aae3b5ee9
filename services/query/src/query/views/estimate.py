"""When rounds will be ready: the kitchen as a queue, by how it worked lately.

The kitchen is a line of rounds, taken up in the order they were ordered in, and some places where
rounds are prepared (a G/G/c queue). There are as many places as rounds were prepared at once
lately. A round that was begun has the time left that such rounds had left on the average once they
had taken as long (the mean residual life of the empirical distribution); one that waits begins when
a place is free, and then takes the average time. Walking through the line gives every estimate.
"""

import heapq
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import fmean

ENOUGH = 5
"""Rounds that the kitchen must have made before anything is said."""


@dataclass(frozen=True, slots=True)
class Made:
    """A round that was ready at some time, after so many seconds of preparation."""

    ready_at: float
    took: float


@dataclass(frozen=True, slots=True)
class Work:
    """A round that is not ready: when it was ordered, and when it was begun if it was."""

    ordered_at: float
    started_at: float | None


def ready_times(line: Sequence[Work], made: Sequence[Made], now: float) -> list[float] | None:
    """When each round will be ready, all in seconds since the epoch; None if that can't be said.

    The line is in the order in which the kitchen takes it up; those that were begun stand anywhere.
    """
    if len(made) < ENOUGH:
        return None
    took = sorted(max(each.took, 0.0) for each in made)
    typical = fmean(took)
    begun = {
        place: now + _left(took, now - each.started_at)
        for place, each in enumerate(line)
        if each.started_at is not None
    }
    free = [*begun.values(), *[now] * (most_at_once(made) - len(begun))]
    heapq.heapify(free)
    return [
        begun[place] if place in begun else _taken_up(free, typical) for place in range(len(line))
    ]


def most_at_once(made: Sequence[Made]) -> int:
    """How many of these rounds were prepared at the same time, at most."""
    changes = [(each.ready_at - each.took, 1) for each in made]
    changes += [(each.ready_at, -1) for each in made]
    at_once = most = 1
    for _, change in sorted(changes)[1:]:  # where one ends as the next begins, it is one place
        at_once += change
        most = max(most, at_once)
    return most


def _taken_up(free: list[float], takes: float) -> float:
    """When a round is ready that goes to the place which is free first."""
    ready = free[0] + takes
    heapq.heapreplace(free, ready)
    return ready


def _left(took: Sequence[float], elapsed: float) -> float:
    """How long such rounds took on the average beyond what has elapsed; `took` is sorted.

    Of one that takes longer than any did there is no telling: as long as the slower half took
    beyond the median, as if the tail had no memory.
    """
    longer = took[bisect_right(took, elapsed) :]
    if longer:
        return fmean(longer) - max(elapsed, 0.0)
    median = took[len(took) // 2]
    return fmean(took[len(took) // 2 :]) - median
