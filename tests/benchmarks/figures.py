"""Figures: what one round of a benchmark measured, and what several rounds of it come to."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from statistics import median
from typing import Self

Figures = Mapping[str, float]
"""What a round measured, by name: rates a second, `…_ms` milliseconds, `…_mib` MiB."""


@dataclass(frozen=True, slots=True)
class Percentiles:
    """Of a set of durations, in milliseconds."""

    p50_ms: float
    p95_ms: float
    p99_ms: float

    @classmethod
    def of(cls, seconds: Sequence[float]) -> Self:
        """By the nearest rank. Raises ValueError if there is nothing to rank."""
        if not seconds:
            raise ValueError("nothing was measured")
        ranked = sorted(seconds)
        nearest = (ranked[min(len(ranked) - 1, int(len(ranked) * q))] for q in (0.5, 0.95, 0.99))
        return cls(*(1000 * each for each in nearest))


def named(name: str, figures: Figures) -> Figures:
    """The figures as those of something, such as `<name>.p99_ms`."""
    return {f"{name}.{field}": value for field, value in figures.items()}


@dataclass(frozen=True, slots=True)
class Spread:
    """One figure over the rounds: its median, and how far they were apart."""

    median: float
    least: float
    most: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Self:
        return cls(median(values), min(values), max(values))


def spreads(rounds: Sequence[Figures]) -> dict[str, Spread]:
    """Of each figure that any round measured, its spread over the rounds."""
    names = dict.fromkeys(name for figures in rounds for name in figures)
    return {
        name: Spread.of([figures[name] for figures in rounds if name in figures]) for name in names
    }
