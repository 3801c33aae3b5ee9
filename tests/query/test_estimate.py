"""When rounds will be ready: what the estimate says, and how far off it is in a simulation."""

import heapq
import random
from collections.abc import Sequence
from dataclasses import replace
from itertools import accumulate
from statistics import fmean

import pytest
from query.views.board.estimate import (
    SAMPLES_MIN,
    PendingRound,
    PreparedRound,
    concurrent_rounds_max,
    ready_times,
)

NOW = 1_000_000.0


def one_by_one(count: int, preparation_s: float = 100.0) -> list[PreparedRound]:
    """Rounds that a single cook made, one after the other."""
    return [PreparedRound(NOW - number * preparation_s, preparation_s) for number in range(count)]


def begun(ago: float) -> PendingRound:
    return PendingRound(NOW - ago - 10, NOW - ago)


def waiting(ago: float = 0.0) -> PendingRound:
    return PendingRound(NOW - ago, None)


def seconds(line: list[PendingRound], prepared: list[PreparedRound]) -> list[float]:
    """The estimates, from now."""
    times = ready_times(line, prepared, NOW)
    assert times is not None
    return [each - NOW for each in times]


def test_nothing_is_said_before_the_kitchen_made_something() -> None:
    assert ready_times([waiting()], one_by_one(SAMPLES_MIN - 1), NOW) is None


def test_one_that_waits_begins_at_once_if_a_place_is_free() -> None:
    assert seconds([waiting()], one_by_one(10)) == [pytest.approx(100)]


def test_those_that_wait_follow_one_another_behind_those_that_were_begun() -> None:
    line = [begun(ago=30), waiting(), waiting()]

    assert seconds(line, one_by_one(10)) == [pytest.approx(each) for each in (70, 170, 270)]


def test_a_round_that_was_ready_before_it_was_begun_by_another_clock_took_no_time() -> None:
    prepared = [*one_by_one(4), PreparedRound(NOW - 900, -50.0)]

    assert seconds([waiting()], prepared) == [pytest.approx(80)]


def test_two_cooks_halve_the_wait() -> None:
    prepared = [*one_by_one(10), *one_by_one(10)]

    assert seconds([waiting()] * 4, prepared) == [
        pytest.approx(each) for each in (100, 100, 200, 200)
    ]


def test_one_that_was_begun_has_left_what_those_had_that_took_as_long() -> None:
    prepared = [
        PreparedRound(NOW - 500 * number, preparation_s)
        for number, preparation_s in enumerate([60, 60, 60, 200, 220])
    ]

    assert seconds([begun(ago=100)], prepared) == [pytest.approx(110)]


def test_one_that_takes_longer_than_any_did_is_not_expected_in_the_past() -> None:
    prepared = [
        PreparedRound(NOW - 500 * number, preparation_s)
        for number, preparation_s in enumerate([60, 80, 100, 120, 140])
    ]

    assert seconds([begun(ago=1000)], prepared) == [pytest.approx(20)]


def test_what_a_cook_does_between_two_rounds_takes_time_too() -> None:
    prepared = [
        PreparedRound(NOW - 120 * number, preparation_s=100, queued_s=1000) for number in range(10)
    ]

    assert seconds([waiting(), waiting()], prepared) == [pytest.approx(100), pytest.approx(220)]


def one_cook(pauses: Sequence[float], *, queued_s: float = 1000.0) -> list[PreparedRound]:
    """Rounds of 100 s, the last just ready, with these pauses between one and the next."""
    starts = list(accumulate((100 + pause for pause in pauses), initial=0.0))
    shift = NOW - 100 - starts[-1]
    return [PreparedRound(shift + start + 100, 100, queued_s) for start in starts]


def second_wait(prepared: list[PreparedRound]) -> float:
    """The estimate for the second of two rounds that wait: 200 s, and what a cook does between."""
    return seconds([waiting(), waiting()], prepared)[1]


@pytest.mark.parametrize(("pauses", "wait"), [(5, 200), (6, 220)], ids=["too few", "enough"])
def test_a_pause_is_believed_once_enough_rounds_followed_on_each_other(
    pauses: int, wait: float
) -> None:
    """The oldest round's start tells nothing: whatever came before it is not known."""
    assert second_wait(one_cook([20] * pauses)) == pytest.approx(wait)


def test_a_round_that_began_just_as_the_oldest_was_ready_counts() -> None:
    assert second_wait(one_cook([0, *[20] * 5])) == pytest.approx(220)


@pytest.mark.parametrize(("queued_s", "wait"), [(119, 200), (120, 220)])
def test_only_a_round_that_waited_when_the_one_before_was_begun_tells_of_a_pause(
    queued_s: float, wait: float
) -> None:
    assert second_wait(one_cook([20] * 6, queued_s=queued_s)) == pytest.approx(wait)


@pytest.mark.parametrize(("pauses", "wait"), [(2, 200), (3, 230)])
def test_pauses_are_believed_if_they_are_more_than_chance(pauses: int, wait: float) -> None:
    """Of eight gaps two or three with a pause: 1.5 and 2.05 standard errors of their mean."""
    prepared = one_cook([0, *[80] * pauses, *[0] * (8 - pauses)])

    assert second_wait(prepared) == pytest.approx(wait)


def test_a_pause_of_two_standard_errors_may_be_chance() -> None:
    """Nine gaps of 102 s in the mean, 3 s in their deviation, between rounds of 100 s."""
    pauses = (102, 102, 102, 96, 102, 102, 108, 102, 102, 102)  # before the first one is known
    starts = list(accumulate(pauses, initial=0.0))
    took = (100, 100, 100, 96, 100, 100, 104, 100, 100, 100, 100)
    prepared = [
        PreparedRound(NOW - 1000 + start + each, each, 1000.0)
        for start, each in zip(starts, took, strict=True)
    ]

    assert second_wait(prepared) == 200


def test_a_round_that_was_just_begun_tells_of_the_pause_before_it() -> None:
    prepared = [replace(each, ready_at=each.ready_at - 10) for each in one_cook([20] * 5)]
    line = [PendingRound(NOW - 1000, NOW + 10), waiting(), waiting()]

    assert seconds(line, prepared)[1:] == [pytest.approx(each) for each in (220, 340)]


def test_two_cooks_each_pause_as_long() -> None:
    one = one_cook([20] * 6)
    prepared = [*one, *(replace(each, ready_at=each.ready_at - 60) for each in one)]

    times = seconds([waiting()] * 3, prepared)

    assert times == [pytest.approx(each) for each in (100, 100, 220)]


def test_rounds_that_follow_on_each_other_take_one_place() -> None:
    assert concurrent_rounds_max(one_by_one(10)) == 1
    assert (
        concurrent_rounds_max(
            [PreparedRound(100, 50), PreparedRound(120, 60), PreparedRound(160, 40)]
        )
        == 2
    )


def test_a_place_that_one_left_is_one_place_however_many_were_left() -> None:
    """Two at once, then one of them alone, then two beside it."""
    begun_and_ready = [(0, 100), (50, 60), (70, 90), (80, 95)]
    prepared = [PreparedRound(ready_at, ready_at - at) for at, ready_at in begun_and_ready]

    assert concurrent_rounds_max(prepared) == 3


@pytest.mark.parametrize("every", [60.0, 110.0, 200.0], ids=["rush", "busy", "calm"])
def test_in_a_simulated_kitchen_it_is_nearer_than_the_usual_wait_and_hardly_biased(
    every: float,
) -> None:
    """Four cooks, seven minutes a round on the average, a round ordered `every` so many seconds."""
    chance = random.Random(20261123)
    errors, usual_errors, waits = simulate(chance, cooks=4, every=every, rounds=400)

    off, usual_off, wait = (fmean(map(abs, each)) for each in (errors, usual_errors, waits))
    assert off < 0.75 * usual_off if every < 100 else off < 1.05 * usual_off
    assert abs(fmean(errors)) < 0.2 * wait


def simulate(
    chance: random.Random, *, cooks: int, every: float, rounds: int
) -> tuple[list[float], list[float], list[float]]:
    """Per round, when it was ordered: how far the estimate was off, how far the mean wait so far
    would have been, and how long it really took.
    """
    ordered: list[tuple[float, float, float]] = []
    at = 0.0
    free = [0.0] * cooks
    for _ in range(rounds):
        at += chance.expovariate(1 / every)
        started = max(at, heapq.heappop(free))
        preparation_s = chance.gammavariate(4, 105)
        heapq.heappush(free, started + preparation_s)
        ordered.append((at, started, started + preparation_s))
    errors, usual_errors, waits = [], [], []
    for number, (now, _, ready) in enumerate(ordered):
        known = sorted(each for each in ordered[:number] if each[2] <= now)[-60:]
        line = [
            PendingRound(at, started if started <= now else None)
            for at, started, ready_at in ordered[: number + 1]
            if ready_at > now
        ]
        prepared = [
            PreparedRound(ready_at, ready_at - started, started - at)
            for at, started, ready_at in known
        ]
        times = ready_times(line, prepared, now)
        if times is None:
            continue
        errors.append(times[-1] - ready)
        usual_errors.append(now + fmean(each[2] - each[0] for each in known) - ready)
        waits.append(ready - now)
    return errors, usual_errors, waits
