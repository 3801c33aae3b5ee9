"""The figures say what they claim."""

import pytest
from comanda_local.estimates import Accuracy, JudgedEstimate
from comanda_local.report import accuracy, milliseconds, percentile


@pytest.mark.parametrize(
    ("values", "percent", "expected"),
    [
        ([5.0], 50, 5.0),
        ([3.0, 1.0, 2.0], 50, 2.0),
        ([1.0, 2.0, 3.0, 4.0], 50, 2.0),
        ([float(n) for n in range(1, 201)], 99, 198.0),
        ([1.0, 2.0], 100, 2.0),
    ],
)
def test_a_percentile_is_the_nearest_rank(
    values: list[float], percent: float, expected: float
) -> None:
    assert percentile(values, percent) == expected


def test_of_no_values_there_is_no_percentile() -> None:
    assert milliseconds(percentile([], 99)) == "none"


def test_the_error_of_estimates_is_told_in_seconds_and_as_a_share_of_the_wait() -> None:
    judged = [JudgedEstimate(error=3.0, wait=10.0), JudgedEstimate(error=-1.0, wait=30.0)]

    told = accuracy(Accuracy.of(judged))

    assert told == "2.00 s (10% of a wait of 20.00 s), bias +1.00 s, of 2"


def test_of_no_estimates_nothing_is_told() -> None:
    assert accuracy(Accuracy.of([])) == "none"
