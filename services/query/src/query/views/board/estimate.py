"""Estimates when rounds will be ready: the kitchen as a queue, by how it worked lately.

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

SAMPLES_MIN = 5
"""Rounds that the kitchen must have made before there is an estimate."""


@dataclass(frozen=True, slots=True)
class PreparedRound:
    """A round that is ready: when it was, in seconds since the epoch, and how long it took."""

    ready_at: float
    preparation_s: float
    queued_s: float = 0.0
    """Seconds from when it was ordered until it was begun."""

    @property
    def started_at(self) -> float:
        return self.ready_at - self.preparation_s

    @property
    def ordered_at(self) -> float:
        return self.started_at - self.queued_s


@dataclass(frozen=True, slots=True)
class PendingRound:
    """A round that is not ready: when it was ordered, and when it was begun if it was."""

    ordered_at: float
    started_at: float | None


# decision/0019: the estimate on the board is a queue, not an average wait
def ready_times(
    line: Sequence[PendingRound], prepared: Sequence[PreparedRound], now: float
) -> list[float] | None:
    """The time at which each round will be ready; None while too little is known of the kitchen.

    All times are in seconds since the epoch.

    The line is in the order in which the kitchen takes it up; those that were begun stand anywhere.
    """
    if len(prepared) < SAMPLES_MIN:
        return None
    preparation_s = sorted(max(each.preparation_s, 0.0) for each in prepared)
    typical, places = fmean(preparation_s), concurrent_rounds_max(prepared)
    between = _between(line, prepared, places)
    begun = {
        place: now + _left(preparation_s, now - each.started_at)
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


def concurrent_rounds_max(prepared: Sequence[PreparedRound]) -> int:
    """The largest number of these rounds that were prepared at the same time."""
    changes = [(each.started_at, 1) for each in prepared]
    changes += [(each.ready_at, -1) for each in prepared]
    at_once = most = 1
    for _, change in sorted(changes)[1:]:  # where one ends as the next begins, it is one place
        at_once += change
        most = max(most, at_once)
    return most


def _between(line: Sequence[PendingRound], prepared: Sequence[PreparedRound], places: int) -> float:
    """The seconds for which a place stays taken after a preparation, until the next begins.

    Only what was begun since the oldest of `prepared` was ready is known without gaps; and of a few
    rounds only a difference beyond chance (two standard errors) is believed.
    """
    since = min(each.ready_at for each in prepared)
    begun = [(each.started_at, each.ordered_at) for each in prepared]
    begun += [(each.started_at, each.ordered_at) for each in line if each.started_at is not None]
    known = sorted(each for each in begun if each[0] >= since)
    gaps = [
        later - earlier for (earlier, _), (later, ordered) in pairwise(known) if ordered <= earlier
    ]
    if len(gaps) < SAMPLES_MIN:
        return 0.0
    beyond = places * fmean(gaps) - fmean(each.preparation_s for each in prepared)
    doubt = places * stdev(gaps) / sqrt(len(gaps))
    return beyond if beyond > 2 * doubt else 0.0


def _left(preparation_s: Sequence[float], elapsed_s: float) -> float:
    """The mean time left of rounds that took longer than `elapsed_s`; `preparation_s` is sorted.

    Of one that takes longer than any did there is no telling: as long as the slower half took
    beyond the median, as if the tail had no memory.
    """
    longer = preparation_s[bisect_right(preparation_s, elapsed_s) :]
    if longer:
        return fmean(longer) - max(elapsed_s, 0.0)
    median = preparation_s[len(preparation_s) // 2]
    return fmean(preparation_s[len(preparation_s) // 2 :]) - median
