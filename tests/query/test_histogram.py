"""Waiting times add up, and their percentiles are as exact as is promised."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from query.views.sales import histogram as histograms
from query.views.sales.histogram import RELATIVE_ERROR, Histogram

ROLL_UP_SECONDS = st.floats(0.001, 10 * 86400)
PROMISED_ERROR = 0.01
TIMES = st.lists(ROLL_UP_SECONDS, min_size=1, max_size=200)


def histogram(*times: float) -> Histogram:
    counted: Histogram = {}
    for each in times:
        histograms.count(counted, each)
    return counted


@given(TIMES, st.sampled_from([0.0, 0.5, 0.9, 0.95, 0.99, 1.0]))
def test_a_quantile_is_as_near_as_promised(times: list[float], share: float) -> None:
    exact = sorted(times)[math.floor(share * (len(times) - 1))]

    found = histograms.quantile(histogram(*times), share)

    assert found == pytest.approx(exact, rel=PROMISED_ERROR * 1.0001)


@given(TIMES, TIMES)
def test_histograms_of_two_times_add_up_to_that_of_both(
    some: list[float], others: list[float]
) -> None:
    added = histogram(*some)

    histograms.add(added, histogram(*others))

    assert added == histogram(*some, *others)


def test_percentiles_are_those_of_their_names_to_the_millisecond() -> None:
    waits = [1.1**number for number in range(101)]

    shown = histograms.summary(histogram(*waits))

    assert shown.pop("count") == 101
    assert shown == {
        f"p{percent}": pytest.approx(waits[percent], rel=RELATIVE_ERROR)
        for percent in (50, 90, 95, 99)
    }
    assert all(each == round(each, 3) != round(each, 2) for each in shown.values())


def test_nobody_who_waited_has_no_percentile() -> None:
    assert histograms.summary({}) == {
        "count": 0,
        "p50": None,
        "p90": None,
        "p95": None,
        "p99": None,
    }


def test_who_was_served_before_ordering_by_another_clock_waited_a_moment() -> None:
    assert histograms.quantile(histogram(-3.0, 0.0), 1.0) == pytest.approx(
        0.001, rel=2 * RELATIVE_ERROR
    )


def test_a_long_histogram_stays_small() -> None:
    assert len(histogram(*(number / 10 for number in range(1, 100_000)))) < 800
