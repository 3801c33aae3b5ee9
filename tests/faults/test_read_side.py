"""The read side is what the streams say, whatever of it is killed, and shows no step back.

`COMANDA_FAULT_EVENTS` says how many events there are; the outcome is the same with fewer.
"""

import asyncio
import itertools
import os
import random
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager

import httpx
import pytest
from comanda_contracts import Message, Order
from comanda_local.folders import temporary_folder
from comanda_local.servers import MongoDB, Nats
from nats.aio.client import Client
from query.bootstrap import Role
from query.maintenance.switchover import Candidate, Pointer, Switchover
from query.storage import client as mongo
from query.storage.client import connect
from service_kit.nats.jetstream import connected, publish_all

from tests.query.evenings import EVENTS_AN_ORDER, evening, orders_of
from tests.query.operators import run, started
from tests.query.running import STREAMS, left_over, publish, quiet, running_service, set_up
from tests.support.eventually import eventually

pytestmark = [pytest.mark.servers, pytest.mark.xdist_group("read-side"), pytest.mark.timeout(500)]

EVENTS = int(os.environ.get("COMANDA_FAULT_EVENTS", "8000"))
LONG = 300.0
"""Seconds in which all must be projected, on a busy machine."""
AT_ONCE = 500
RESTAURANT = "la-piazza"


@asynccontextmanager
async def servers_of_our_own() -> AsyncIterator[tuple[Nats, MongoDB]]:
    with temporary_folder() as folder:
        nats, mongodb = Nats(folder / "nats"), MongoDB(folder / "mongodb")
        try:
            await asyncio.gather(asyncio.to_thread(nats.start), asyncio.to_thread(mongodb.start))
            yield nats, mongodb
        finally:
            mongodb.stop()
            nats.stop()


@asynccontextmanager
async def projectors(servers: tuple[str, str]) -> AsyncIterator[list[asyncio.subprocess.Process]]:
    """Two replicas, as processes; what a test puts in their place is ended with them."""
    replicas = [await started(servers, "projector", quietly=True) for _ in range(2)]
    try:
        yield replicas
    finally:
        for replica in replicas:
            if replica.returncode is None:
                replica.kill()
            await replica.wait()


async def killed_and_started(server: Nats | MongoDB) -> None:
    await asyncio.to_thread(server.kill)
    await asyncio.to_thread(server.start)


async def another(
    replica: asyncio.subprocess.Process, servers: tuple[str, str]
) -> asyncio.subprocess.Process:
    """Kill it and start one in its place."""
    replica.kill()
    await replica.wait()
    return await started(servers, "projector", quietly=True)


async def left(nats: Client) -> int:
    """How many events are not stored; all of them while nobody can say."""
    try:
        return sum([await left_over(nats, stream) for stream in STREAMS])
    except Exception:  # the broker is away, or the projectors have not begun
        return EVENTS


async def only_left(nats: Client, share: float) -> None:
    """Wait until no more than this share is to be stored, but some."""
    remaining = await eventually(
        lambda: left(nats), lambda count: count <= share * EVENTS, within=LONG
    )
    assert remaining > 0, "the fault must come in the middle"


async def test_nothing_is_missing_whatever_is_killed_while_events_are_projected() -> None:
    orders = orders_of(RESTAURANT, EVENTS // EVENTS_AN_ORDER)
    async with (
        servers_of_our_own() as (nats_server, mongodb),
        connected([nats_server.url], "test") as nats,
    ):
        servers = nats_server.url, mongodb.url
        await set_up(nats, *STREAMS)
        await publish(nats, *evening(RESTAURANT, orders))

        async with projectors(servers) as replicas:
            await only_left(nats, 0.85)
            replicas[0] = await another(replicas[0], servers)
            await only_left(nats, 0.6)
            await killed_and_started(mongodb)
            await only_left(nats, 0.35)
            await killed_and_started(nats_server)
            await quiet(nats, within=LONG)

        outcome = await run(servers, "audit")
    print(outcome.notes)
    assert (outcome.code, outcome.output) == (0, ""), outcome.notes
    assert f"{len(orders) + 3:,} documents compared, 0 differences" in outcome.notes


class Reader:
    """Asks two replicas in turn for orders, again and again, and notes what should not be."""

    def __init__(self, apis: Sequence[httpx.AsyncClient], orders: Sequence[Order]) -> None:
        self._apis = itertools.cycle(apis)
        self._orders = orders
        self._seen: dict[str, dict[str, int]] = {}
        self.answers = 0
        self.complaints: list[str] = []

    async def read(self) -> None:
        """Until cancelled: few orders, so that each is asked for often."""
        for order in itertools.cycle(self._orders):
            path = f"/v1/restaurants/{RESTAURANT}/orders/{order.order_id}"
            self._note(path, await next(self._apis).get(path))
            await asyncio.sleep(0.002)

    def _note(self, path: str, answer: httpx.Response) -> None:
        self.answers += 1
        known = self._seen.get(path, {})
        if answer.status_code == httpx.codes.NOT_FOUND and not known:
            return
        if answer.status_code != httpx.codes.OK:
            self.complaints.append(f"{path}: {answer.status_code} {answer.text}")
            return
        seen = versions(answer.json())
        if any(seen.get(part, 0) < version for part, version in known.items()):
            self.complaints.append(f"{path}: {seen} after {known}")
        self._seen[path] = seen


def versions(view: dict[str, object]) -> dict[str, int]:
    """Of each part of an order view how new it is."""
    rounds: list[dict[str, dict[str, int] | None]] = view["rounds"]  # type: ignore[assignment]
    tickets = [(each["ticket"] or {"version": 0})["version"] for each in rounds]
    return {
        "order": int(view["version"]),  # type: ignore[call-overload]
        "tickets": sum(tickets),
        "timeline": len(view["timeline"]),  # type: ignore[arg-type]
    }


@asynccontextmanager
async def published_meanwhile(nats: Client, messages: Sequence[Message]) -> AsyncIterator[None]:
    """Publish them bit by bit, each until it is acknowledged."""

    async def trickle() -> None:
        for start in range(0, len(messages), AT_ONCE):
            waiting = list(messages[start : start + AT_ONCE])
            while waiting:
                outcomes = await publish_all(nats, waiting, timeout=20)
                waiting = [
                    message
                    for message, outcome in zip(waiting, outcomes, strict=True)
                    if isinstance(outcome, Exception)
                ]
            await asyncio.sleep(0.1)

    publishing = asyncio.create_task(trickle())
    yield
    await publishing


async def test_readers_see_no_error_and_no_step_back_while_views_are_rebuilt_under_fire(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(mongo, "READ_TIMEOUT_S", LONG)  # a slow answer is not what is looked for
    orders = orders_of(RESTAURANT, EVENTS // EVENTS_AN_ORDER)
    messages = list(evening(RESTAURANT, orders))
    half = len(messages) // 2
    async with (
        servers_of_our_own() as (nats_server, mongodb),
        connected([nats_server.url], "test") as nats,
    ):
        servers = nats_server.url, mongodb.url
        await set_up(nats, *STREAMS)
        await publish(nats, *messages[:half])
        async with (
            projectors(servers) as replicas,
            running_service(*servers, Role.API) as one,
            running_service(*servers, Role.API) as other,
        ):
            await quiet(nats, within=LONG)
            reader = Reader([one, other], random.Random(1).sample(orders, k=60))
            reading = asyncio.create_task(reader.read())
            async with published_meanwhile(nats, messages[half:]):
                interrupted, read = await a_rebuild_that_is_killed_in_the_middle(servers)
                replicas[0] = await another(replicas[0], servers)
                again = await started(servers, "rebuild")
                await being_filled(
                    servers, lambda candidate: candidate.holder != interrupted.holder
                )
                await killed_and_started(nats_server)
                output, notes = await again.communicate()
            assert again.returncode == 0, notes.decode()
            await quiet(nats, within=LONG)
            back = await run(servers, "rollback")
            assert back.code == 0, back.notes
            reading.cancel()
            await asyncio.wait([reading])
            final = await run(servers, "audit")

    told = output.decode()
    print(f"{reader.answers} answers; killed after {read} messages; {told}")
    assert reader.complaints == []
    assert int(told.split(" had been read before")[0].split()[-1].replace(",", "")) >= read
    assert (final.code, final.output) == (0, ""), final.notes


async def a_rebuild_that_is_killed_in_the_middle(servers: tuple[str, str]) -> tuple[Candidate, int]:
    """How it was left, and how many messages it had noted down as read."""
    process = await started(servers, "rebuild")
    await being_filled(servers, lambda candidate: sum(candidate.read.values()) > EVENTS // 10)
    process.kill()
    _, notes = await process.communicate()
    assert process.returncode == -9, notes.decode()
    candidate = await being_filled(servers, lambda _: True)
    return candidate, sum(candidate.read.values())


async def being_filled(servers: tuple[str, str], enough: Callable[[Candidate], bool]) -> Candidate:
    """The generation that is being filled, once it is far enough."""
    client, database = connect(servers[1])
    async with client:
        switchover = Switchover(database, "test")

        def is_enough(pointer: Pointer) -> bool:
            return pointer.next is not None and enough(pointer.next)

        pointer = await eventually(switchover.pointer, is_enough, within=LONG)
        assert pointer.next is not None
        return pointer.next
