"""When an event waits, and when it is parked: not for what its stream or the network is at fault.

The relay's session with an outbox and a broker that do as each test says, and a clock by which
more time passes between two rounds than an event is held.
"""

import asyncio
import math
from collections.abc import Awaitable, Callable, Collection, Sequence
from types import SimpleNamespace
from typing import Any, NamedTuple, cast

import nats.errors
import pytest
from comanda_contracts import Message
from comanda_contracts.streams import MENU
from nats.aio.client import Client
from nats.js.api import PubAck
from nats.js.errors import BadRequestError, NoStreamResponseError, ServiceUnavailableError
from ordering.outbound.outbox.outbox import KINDS
from ordering.outbound.relay import publisher, session
from ordering.outbound.relay.publisher import Published, publish_in_order
from ordering.outbound.relay.relayed_stream import RelayedStream
from ordering.outbound.relay.session import (
    BACKLOG_READ_BYTES,
    HELD_FOR_S,
    SMALL_READ_BYTES,
    SMALL_READ_EVENTS,
    Session,
)
from sqlalchemy.ext.asyncio import AsyncConnection

REFUSAL = BadRequestError(code=400, err_code=10071, description="wrong last sequence")
FULL = ServiceUnavailableError(code=503, err_code=10023, description="insufficient resources")


class Waiting(NamedTuple):
    """An unpublished event."""

    id: int
    aggregate: str
    is_behind_parked: bool = False
    body: bytes = b"{}"

    @property
    def subject(self) -> str:
        return f"{self.aggregate}.placed"

    @property
    def headers(self) -> dict[str, str]:
        return {"Nats-Msg-Id": str(self.id)}


class Connected:
    """A connection to NATS that is never lost."""

    is_connected = True
    stats = {"reconnects": 0}  # noqa: RUF012 - as the client has it


def no_wake() -> None: ...


Rounds = Callable[..., Awaitable[list[int]]]


@pytest.fixture
def parked_after(monkeypatch: pytest.MonkeyPatch) -> Rounds:
    """Which events are parked after rounds, of each of which the failures are given by id."""

    async def play(*rounds: dict[int, Exception]) -> list[int]:
        waiting = [Waiting(1, "orders.v1.a.1"), Waiting(2, "orders.v1.a.2")]
        parked: list[int] = []
        to_come = list(rounds)

        async def select(*_: object, **__: object) -> Sequence[Waiting]:
            return waiting

        async def publish(_: object, events: Sequence[Any]) -> Published:
            failures = to_come.pop(0)
            stored = {each.id: PubAck("ORDERS", 1) for each in events if each.id not in failures}
            return Published(stored, failures)

        async def mark(*_: object) -> None: ...

        async def park(_: object, event_id: int, __: str) -> None:
            parked.append(event_id)

        clock = SimpleNamespace(monotonic=lambda: (len(rounds) - len(to_come)) * 2 * HELD_FOR_S)
        monkeypatch.setattr(session, "time", clock)
        monkeypatch.setattr(session, "select_unpublished", select)
        monkeypatch.setattr(session, "publish_in_order", publish)
        monkeypatch.setattr(session, "mark_published", mark)
        monkeypatch.setattr(session, "park", park)
        relay = Session(cast("AsyncConnection", None), cast("Client", Connected()), no_wake)
        for _ in rounds:
            await relay.drain([0], until=0.0)
        return parked

    return play


async def test_what_comes_after_a_page_of_events_behind_parked_ones_is_published_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    waiting = [
        *(Waiting(number, "orders.v1.a.1", True) for number in range(SMALL_READ_EVENTS)),
        Waiting(SMALL_READ_EVENTS, "orders.v1.a.2"),
    ]

    async def select(*_: object, limit: int, **__: object) -> Sequence[Waiting]:
        return waiting[:limit]

    async def publish(_: object, events: Sequence[Any]) -> Published:
        return Published({each.id: PubAck("ORDERS", 1) for each in events}, {})

    async def take_out(_: object, ids: Collection[int]) -> None:
        waiting[:] = [each for each in waiting if each.id not in ids]

    monkeypatch.setattr(session, "select_unpublished", select)
    monkeypatch.setattr(session, "publish_in_order", publish)
    monkeypatch.setattr(session, "mark_published", take_out)
    monkeypatch.setattr(session, "park_behind", take_out)
    relay = Session(cast("AsyncConnection", None), cast("Client", Connected()), no_wake)

    await relay.drain([0], until=math.inf)

    assert waiting == []


async def test_large_events_are_a_backlog_however_few_they_are(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    body = bytes(SMALL_READ_BYTES)
    waiting = [Waiting(number, f"orders.v1.a.{number}", body=body) for number in range(9)]
    read: list[int] = []

    async def select(*_: object, bytes_max: int, **__: object) -> Sequence[Waiting]:
        taken = waiting[: max(1, bytes_max // len(body))]
        read.append(len(taken))
        return taken

    async def publish(_: object, events: Sequence[Any]) -> Published:
        return Published({each.id: PubAck("ORDERS", 1) for each in events}, {})

    async def mark(_: object, stored: Collection[int]) -> None:
        waiting[:] = [each for each in waiting if each.id not in stored]

    monkeypatch.setattr(session, "select_unpublished", select)
    monkeypatch.setattr(session, "publish_in_order", publish)
    monkeypatch.setattr(session, "mark_published", mark)
    relay = Session(cast("AsyncConnection", None), cast("Client", Connected()), no_wake)

    await relay.drain([0], until=math.inf)

    assert waiting == []
    assert max(read) == BACKLOG_READ_BYTES // SMALL_READ_BYTES


async def test_events_go_to_a_stream_while_another_does_not_answer(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    is_sent = asyncio.Event()

    async def publish_all(_: object, messages: Sequence[Message]) -> list[PubAck]:
        if messages[0].subject.startswith("menu."):
            is_sent.set()
        await is_sent.wait()
        return [PubAck("ANY", 1) for _ in messages]

    monkeypatch.setattr(publisher, "publish_all", publish_all)
    order, item = Waiting(1, "orders.v1.a.1"), Waiting(2, "menu.v1.a.tea")

    async with asyncio.timeout(10):
        published = await publish_in_order(cast("Client", Connected()), [order, item])

    assert published.stored.keys() == {1, 2}


async def test_a_stream_that_does_not_answer_keeps_no_other_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answers, woken = asyncio.Event(), asyncio.Event()
    searched: list[set[str]] = []

    async def compare(stream: RelayedStream, _: object, __: object, of: Collection[int]) -> None:
        if stream.name == MENU.name:
            await answers.wait()
        stream.compared, stream._is_compared = set(of), True

    async def forget(*_: object) -> None: ...

    async def select(_: object, __: object, kinds: set[str], **___: object) -> Sequence[Waiting]:
        searched.append(kinds)
        return []

    monkeypatch.setattr(RelayedStream, "compare", compare)
    monkeypatch.setattr(RelayedStream, "forget", forget)
    monkeypatch.setattr(session, "select_unpublished", select)
    relay = Session(cast("AsyncConnection", None), cast("Client", Connected()), woken.set)

    await relay.look({0})
    await relay.drain([0], until=math.inf)
    answers.set()
    await woken.wait()
    await relay.drain([0], until=math.inf)
    await relay.close()

    others = {*KINDS} - {"menu"}
    assert searched == [others, {*KINDS}]


async def test_an_event_is_parked_that_its_stream_refuses_while_it_takes_others(
    parked_after: Rounds,
) -> None:
    assert await parked_after({1: REFUSAL}) == []
    assert await parked_after({1: REFUSAL}, {1: REFUSAL}) == [1]


async def test_an_event_that_failed_before_an_outage_is_held_anew_after_it(
    parked_after: Rounds,
) -> None:
    outage: dict[int, Exception] = {1: FULL, 2: FULL}

    assert await parked_after({1: REFUSAL}, outage, {1: REFUSAL}) == []


@pytest.mark.parametrize(
    "error",
    [
        TimeoutError("not acknowledged in time"),
        nats.errors.TimeoutError(),
        nats.errors.NoRespondersError(),
        nats.errors.ConnectionClosedError(),
        NoStreamResponseError(),
        FULL,
    ],
    ids=lambda error: type(error).__name__,
)
async def test_an_event_is_never_parked_for_an_outage_however_long(
    parked_after: Rounds, error: Exception
) -> None:
    assert await parked_after(*[{1: error}] * 5, {1: REFUSAL}) == []
