"""Waiting times as a histogram that adds up: hours make a day, and days any range.

The buckets are those of DDSketch (Masson, Rim, Lee: DDSketch: A Fast and Fully-Mergeable Quantile
Sketch with Relative-Error Guarantees, PVLDB 12(12), 2019): bucket i holds the values
above g^(i-1) and up to g^i, so that its middle is within `RELATIVE_ERROR` of each of them, and a
quantile of any sum of histograms within `RELATIVE_ERROR` of the true one. Times are counted in
milliseconds.
"""

import math
from collections.abc import Mapping, MutableMapping
from datetime import datetime
from typing import Any

Histogram = MutableMapping[str, int]
"""Counts by the number of the bucket, which is text because the store wants its keys so."""

RELATIVE_ERROR = 0.01
"""Of a quantile; a time below a millisecond counts as one."""
PERCENTILES = (50, 90, 95, 99)

_GAMMA = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR)
_LOG_GAMMA = math.log(_GAMMA)


def count(histogram: Histogram, waited_s: float) -> None:
    """Count one who waited; negative seconds (clocks may disagree) count as a millisecond."""
    bucket = str(math.ceil(math.log(max(waited_s * 1000, 1.0)) / _LOG_GAMMA))
    histogram[bucket] = histogram.get(bucket, 0) + 1


def add(histogram: Histogram, other: Mapping[str, int]) -> None:
    """Add the counts of the other histogram to the first."""
    for bucket, number in other.items():
        histogram[bucket] = histogram.get(bucket, 0) + number


def quantile(histogram: Mapping[str, int], share: float) -> float | None:
    """The seconds within which this share had waited; None if nobody waited.

    It is within `RELATIVE_ERROR` of the value whose rank is 1 + ⌊share * (n - 1)⌋.
    """
    rank, seen = math.floor(share * (sum(histogram.values()) - 1)), 0
    for bucket in sorted(map(int, histogram)):
        seen += histogram[str(bucket)]
        if seen > rank:
            return _middle(bucket)
    return None


def summary(histogram: Mapping[str, int]) -> dict[str, Any]:
    """The count, and the percentiles in seconds, to the millisecond."""
    quantiles = {f"p{percent}": quantile(histogram, percent / 100) for percent in PERCENTILES}
    rounded = {name: value and round(value, 3) for name, value in quantiles.items()}
    return {"count": sum(histogram.values()), **rounded}


def epoch_seconds(text: str) -> float:
    """A time as a ticket has it, in seconds since the epoch."""
    return datetime.fromisoformat(text).timestamp()


def _middle(bucket: int) -> float:
    """The seconds with the same relative distance from both ends of the bucket."""
    return float(2 * _GAMMA**bucket / (_GAMMA + 1)) / 1000
