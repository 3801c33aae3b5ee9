"""When rounds will be ready: the kitchen as a queue, by how it worked lately.

The kitchen is a line of rounds, taken up in the order they were ordered in, and some places where
rounds are prepared (a G/G/c queue). There are as many places as rounds were prepared at once
lately. A round that was begun has the time left that such rounds had left on the average once they
had taken as long (the mean residual life of the empirical distribution); one that waits begins when
a place is free, and then takes the average time. Walking through the line gives every estimate.

A place is not free at once: by how fast rounds were taken up while others waited it is known how
long it takes from one to the next (Little's law), and so what comes on top of the preparation.
"""

import heapq
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise
from math import sqrt
from statistics import fmean, stdev

MIN_SAMPLES = 5
"""Rounds that the kitchen must have made before anything is said."""


@dataclass(frozen=True, slots=True)
class PreparedRound:
    """A round that was ready at some time, in seconds since the epoch, and how long it took."""

    ready_at: float
    took: float
    waited: float = 0.0
    """Seconds from when it was ordered until it was begun."""

    @property
    def started_at(self) -> float:
        return self.ready_at - self.took

    @property
    def ordered_at(self) -> float:
        return self.started_at - self.waited


@dataclass(frozen=True, slots=True)
class PendingRound:
    """A round that is not ready: when it was ordered, and when it was begun if it was."""

    ordered_at: float
    started_at: float | None


# decision/0019: the estimate on the board is a queue, not an average wait
def ready_times(
    line: Sequence[PendingRound], made: Sequence[PreparedRound], now: float
) -> list[float] | None:
    """When each round will be ready, all in seconds since the epoch; None if that can't be said.

    The line is in the order in which the kitchen takes it up; those that were begun stand anywhere.
    """
    if len(made) < MIN_SAMPLES:
        return None
    took = sorted(max(each.took, 0.0) for each in made)
    typical, places = fmean(took), concurrent_rounds_max(made)
    between = _between(line, made, places)
    begun = {
        place: now + _left(took, now - each.started_at)
        for place, each in enumerate(line)
        if each.started_at is not None
    }
    free = [at + between for at in begun.values()] + [now] * (places - len(begun))
    heapq.heapify(free)
    times = []
    for place in range(len(line)):
        if place not in begun:
            begun[place] = free[0] + typical
            heapq.heapreplace(free, begun[place] + between)
        times.append(begun[place])
    return times


def concurrent_rounds_max(made: Sequence[PreparedRound]) -> int:
    """How many of these rounds were prepared at the same time, at most."""
    changes = [(each.started_at, 1) for each in made]
    changes += [(each.ready_at, -1) for each in made]
    at_once = most = 1
    for _, change in sorted(changes)[1:]:  # where one ends as the next begins, it is one place
        at_once += change
        most = max(most, at_once)
    return most


def _between(line: Sequence[PendingRound], made: Sequence[PreparedRound], places: int) -> float:
    """How long a place is taken beyond the preparation, until the next round is begun there.

    Only what was begun since the oldest of `made` was ready is known without gaps; and of a few
    rounds only a difference beyond chance (two standard errors) is believed.
    """
    since = min(each.ready_at for each in made)
    begun = [(each.started_at, each.ordered_at) for each in made]
    begun += [(each.started_at, each.ordered_at) for each in line if each.started_at is not None]
    known = sorted(each for each in begun if each[0] >= since)
    gaps = [
        later - earlier for (earlier, _), (later, ordered) in pairwise(known) if ordered <= earlier
    ]
    if len(gaps) < MIN_SAMPLES:
        return 0.0
    beyond = places * fmean(gaps) - fmean(each.took for each in made)
    doubt = places * stdev(gaps) / sqrt(len(gaps))
    return beyond if beyond > 2 * doubt else 0.0


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
