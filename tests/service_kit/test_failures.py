"""Permanent, passing or an outage: by the class of the error, and each message by itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any, cast

import nats.errors
import pytest
from comanda_contracts import UnknownType, Unreadable
from nats.aio.msg import Msg
from nats.js.errors import APIError, ServiceUnavailableError
from service_kit.nats import failures
from service_kit.nats.batches import each_by_itself, in_halves
from service_kit.nats.failures import (
    MESSAGE_TOO_LARGE,
    Attempts,
    BatchFailed,
    Classifier,
    Failure,
    Fate,
    pause_s,
    reason_of,
)
from service_kit.nats.subscriber import Received


class Unstorable(ValueError):
    pass


class StoreAway(Exception):
    pass


class RowHeld(StoreAway):
    """A lock is in the way, which is no outage although it is a kind of it."""


def at_sequence(sequence: int) -> Msg:
    """A message that stands there in its stream."""
    metadata = SimpleNamespace(sequence=SimpleNamespace(stream=sequence))
    return cast("Msg", SimpleNamespace(metadata=metadata))


CLASSIFIER = Classifier(permanent=(Unstorable,), outages=(StoreAway,), blocked=(RowHeld,))


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (Unreadable("no JSON"), Fate.PERMANENT),
        (UnknownType("comanda.order.moved.v1"), Fate.PERMANENT),
        (Unstorable("beyond 16 MiB"), Fate.PERMANENT),
        (nats.errors.MaxPayloadError(), Fate.PERMANENT),
        (nats.errors.BadSubjectError(), Fate.PERMANENT),
        (nats.errors.BadHeaderError(), Fate.PERMANENT),
        (APIError(err_code=MESSAGE_TOO_LARGE), Fate.PERMANENT),
        (StoreAway(), Fate.OUTAGE),
        (RowHeld(), Fate.BLOCKED),
        (ExceptionGroup("", [RowHeld(), KeyError()]), Fate.BLOCKED),
        (ConnectionRefusedError(), Fate.OUTAGE),
        (TimeoutError(), Fate.OUTAGE),
        (nats.errors.ConnectionClosedError(), Fate.OUTAGE),
        (ServiceUnavailableError(), Fate.OUTAGE),
        (ExceptionGroup("", [Unstorable("x"), StoreAway()]), Fate.OUTAGE),
        (ExceptionGroup("", [Unstorable("x"), KeyError()]), Fate.PASSING),
        (KeyError("a fault of ours"), Fate.PASSING),
    ],
    ids=repr,
)
def test_the_class_of_an_error_decides(error: Exception, fate: Fate) -> None:
    assert CLASSIFIER.fate_of(error) is fate


@dataclass(eq=False)
class AMessage:
    is_acked: bool = False

    async def ack(self) -> None:
        self.is_acked = True


@dataclass
class Store:
    """Fails as a whole as soon as one thing is in the way; notes what it stored, and when asked."""

    faults: dict[int, Exception]
    stored: list[int] = field(default_factory=list)
    calls: int = 0

    async def store(self, batch: Sequence[Received[Any]]) -> None:
        self.calls += 1
        for each in batch:
            if each.event in self.faults:
                raise self.faults[each.event]
        self.stored += [each.event for each in batch]
        for each in batch:
            await each.message.ack()


def a_batch(count: int) -> list[Received[Any]]:
    return [Received(n, cast("Msg", AMessage())) for n in range(count)]


async def test_one_that_can_not_be_stored_is_found_and_its_neighbours_are_stored() -> None:
    store, batch = Store({3: Unstorable("3"), 400: KeyError(400)}), a_batch(500)

    failures = await in_halves(store.store, batch, CLASSIFIER)

    assert {id(each.message) for each in failures} == {id(batch[n].message) for n in (3, 400)}
    assert sorted(store.stored) == [n for n in range(500) if n not in (3, 400)]
    assert store.calls < 45, "by halves, not one by one"


async def test_an_outage_splits_nothing_and_is_everybodys() -> None:
    store, batch = Store({3: StoreAway()}), a_batch(500)

    failures = await in_halves(store.store, batch, CLASSIFIER)

    assert (len(failures), store.calls) == (500, 1)


async def test_side_by_side_each_fails_for_a_reason_of_its_own() -> None:
    batch = a_batch(3)

    async def handle(each: Received[Any]) -> None:
        await asyncio.sleep(0)
        if each.event:
            raise ValueError(each.event)
        await each.message.ack()

    with pytest.raises(BatchFailed) as failed:
        await each_by_itself(handle, batch)

    assert [str(each.error) for each in failed.value.failures] == ["1", "2"]
    assert [each.message.is_acked for each in batch] == [True, False, False]


@pytest.mark.parametrize(
    ("fate", "attempts", "pause"),
    [
        (Fate.PASSING, 1, 1),
        (Fate.PASSING, 2, 2),
        (Fate.PASSING, 6, 32),
        (Fate.PASSING, 7, 60),
        (Fate.PASSING, 10**9, 60),
        (Fate.OUTAGE, 1, 1),
        (Fate.OUTAGE, 3, 4),
        (Fate.OUTAGE, 4, 5),
        (Fate.BLOCKED, 4, 8),
    ],
)
def test_a_pause_doubles_until_it_is_longest_give_or_take_a_quarter(
    fate: Fate, attempts: int, pause: float
) -> None:
    pauses = [pause_s(fate, attempts) for _ in range(1000)]

    assert min(pauses) == pytest.approx(0.75 * pause, rel=0.05)
    assert max(pauses) == pytest.approx(1.25 * pause, rel=0.05)
    assert 0.75 * pause <= min(pauses) <= max(pauses) <= 1.25 * pause


def test_outages_do_not_count_for_what_may_pass() -> None:
    attempts = Attempts()

    counts = [attempts.add(7, fate) for fate in (Fate.OUTAGE, Fate.OUTAGE, Fate.PASSING)]

    assert counts == [1, 2, 1]


def test_messages_are_counted_apart_and_anew_once_they_are_settled() -> None:
    attempts = Attempts()
    attempts.forget([at_sequence(7)])  # of which nothing is known
    for sequence in (7, 7, 8, 9):
        attempts.add(sequence, Fate.PASSING)
    attempts.add(7, Fate.OUTAGE)

    attempts.forget([at_sequence(7), at_sequence(8)])

    assert [attempts.add(sequence, Fate.PASSING) for sequence in (7, 8, 9)] == [1, 1, 2]
    assert attempts.add(7, Fate.OUTAGE) == 1


def test_beyond_what_can_be_counted_the_one_that_failed_longest_ago_is_forgotten(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(failures, "COUNTED_MESSAGES_MAX", 2)
    attempts = Attempts()

    counts = [attempts.add(sequence, Fate.PASSING) for sequence in (1, 2, 1, 3, 1, 2)]

    assert counts == [1, 1, 2, 1, 3, 1]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (Unreadable("no JSON"), "no JSON"),
        (KeyError("round"), "KeyError: 'round'"),
        (
            ExceptionGroup("", [ExceptionGroup("", [ValueError("3")]), KeyError("round")]),
            "ValueError: 3",
        ),
    ],
    ids=repr,
)
def test_a_reason_is_the_first_error_in_words(error: Exception, reason: str) -> None:
    assert reason_of(error) == reason


def test_a_failed_batch_says_how_many_failed_and_why_the_first_did() -> None:
    failed = [Failure(at_sequence(n), ValueError(n)) for n in (3, 4)]

    error = BatchFailed(failed)

    assert str(error) == "2 failed, the first with ValueError: 3"
    assert error.failures is failed
