"""Permanent, passing or an outage: by the class of the error, and each message by itself."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import nats.errors
import pytest
from comanda_contracts import UnknownType, Unreadable
from nats.aio.msg import Msg
from nats.js.errors import ServiceUnavailableError
from service_kit.nats.batches import each_by_itself, in_halves
from service_kit.nats.failures import (
    JITTER,
    OUTAGE_PAUSE_MAX_S,
    PAUSE_MAX_S,
    Attempts,
    BatchFailed,
    Classifier,
    Fate,
    pause_s,
)
from service_kit.nats.subscriber import Received


class Unstorable(ValueError):
    pass


class StoreAway(Exception):
    pass


CLASSIFIER = Classifier(permanent=(Unstorable,), outages=(StoreAway,))


@pytest.mark.parametrize(
    ("error", "fate"),
    [
        (Unreadable("no JSON"), Fate.PERMANENT),
        (UnknownType("comanda.order.moved.v1"), Fate.PERMANENT),
        (Unstorable("beyond 16 MiB"), Fate.PERMANENT),
        (nats.errors.MaxPayloadError(), Fate.PERMANENT),
        (nats.errors.BadSubjectError(), Fate.PERMANENT),
        (StoreAway(), Fate.OUTAGE),
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


def test_pauses_grow_to_a_bound_and_differ() -> None:
    passing = [pause_s(Fate.PASSING, n) for n in range(1, 40)]
    outage = [pause_s(Fate.OUTAGE, n) for n in range(1, 40)]

    assert passing[0] < passing[3] < passing[6]
    assert max(passing) <= PAUSE_MAX_S * (1 + JITTER)
    assert max(outage) <= OUTAGE_PAUSE_MAX_S * (1 + JITTER)
    assert len(set(passing)) == len(passing)


def test_outages_do_not_count_for_what_may_pass() -> None:
    attempts = Attempts()

    counts = [attempts.add(7, fate) for fate in (Fate.OUTAGE, Fate.OUTAGE, Fate.PASSING)]

    assert counts == [1, 2, 1]
