"""Withdrawals in memory: what they keep out, what they forget, and the feeds that they end."""

import asyncio
import itertools
import json
import re
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from comanda_contracts import AccessWithdrawn, Withdrawal, seal, subjects
from comanda_contracts.access import hash_of_subject
from comanda_contracts.streams import ACCESS
from comanda_contracts.subjects import EVERY_RESTAURANT
from comanda_local.servers import Nats
from nats.aio.client import Client
from service_kit.access.claims import CLOCK_SKEW_S, Expected, principal_of
from service_kit.access.guests import GUEST
from service_kit.access.invalid_token import InvalidToken
from service_kit.access.lease import LEASE, Ending, Lease, LeaseOver
from service_kit.access.principal import Principal
from service_kit.access.withdrawals import SWEEP_INTERVAL_S, Withdrawals
from service_kit.http.sse import EventStream, event
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import set_up_stream
from service_kit.nats.stream_follower import set_up_stored_subjects
from service_kit.nats.withdrawal_follower import access_components
from service_kit.runtime.components import Component, running
from service_kit.runtime.settings import TOKEN_LIFE_MAX_S, WITHDRAWAL_MARGIN_S
from starlette.types import Message
from uuid_utils.compat import uuid7

from tests.access.forge import EXPECTED, OTHER, RESTAURANT, FakeClock, claims
from tests.support.eventually import eventually

NOON_S = 1_764_244_800
HALF_PAST_S = NOON_S + 1800
LUIGI = hash_of_subject("luigi")


def a_principal(issued_at: float = NOON_S, subject: str = "luigi", life_s: int = 900) -> Principal:
    return Principal(
        subject=subject,
        device=None,
        grants={},
        acting=frozenset(),
        issued_at=issued_at,
        begins_at=issued_at,
        expires_at=issued_at + life_s,
    )


def withdrawals(now_s: float = HALF_PAST_S) -> Withdrawals:
    return Withdrawals(clock=FakeClock(now_s))


def test_a_token_that_was_issued_up_to_then_is_withdrawn_and_a_later_one_is_not() -> None:
    known = withdrawals()

    known.note(RESTAURANT, LUIGI, HALF_PAST_S + 0.25)

    judged = {
        issued_at - HALF_PAST_S: known.is_withdrawn(RESTAURANT, a_principal(issued_at))
        for issued_at in (NOON_S, HALF_PAST_S, HALF_PAST_S + 1)
    }
    assert judged == {-1800: True, 0: True, 1: False}


def test_it_is_withdrawn_in_its_restaurant_or_in_every_one_and_nobody_elses_is() -> None:
    known = withdrawals()
    known.note(RESTAURANT, LUIGI, HALF_PAST_S)
    known.note(EVERY_RESTAURANT, hash_of_subject("gina"), HALF_PAST_S)

    kept_out = {
        (subject, restaurant)
        for subject, restaurant in itertools.product(("luigi", "gina", "ada"), (RESTAURANT, OTHER))
        if known.is_withdrawn(restaurant, a_principal(subject=subject))
    }

    assert kept_out == {("luigi", RESTAURANT), ("gina", RESTAURANT), ("gina", OTHER)}


@pytest.mark.parametrize("times", list(itertools.permutations([100, 500, 900, 500])))
def test_the_latest_counts_whatever_comes_twice_or_late(times: tuple[int, ...]) -> None:
    known = withdrawals()

    for each in times:
        known.note(RESTAURANT, LUIGI, NOON_S + each)

    assert known.count == 1
    assert known.is_withdrawn(RESTAURANT, a_principal(NOON_S + 900))
    assert not known.is_withdrawn(RESTAURANT, a_principal(NOON_S + 901))


def test_what_no_living_token_can_be_kept_out_by_is_forgotten() -> None:
    clock = FakeClock(NOON_S)
    known = Withdrawals(clock=clock)
    for number in range(1000):
        known.note(RESTAURANT, hash_of_subject(str(number)), NOON_S)

    clock.now_s += TOKEN_LIFE_MAX_S + WITHDRAWAL_MARGIN_S + SWEEP_INTERVAL_S
    known.note(RESTAURANT, LUIGI, NOON_S)
    stale = known.count
    known.note(RESTAURANT, LUIGI, clock.now_s)

    assert (stale, known.count) == (1000, 1)


def test_no_token_is_good_for_longer_than_its_withdrawal_is_remembered() -> None:
    """So that nobody comes in again by one that was withdrawn, once that is forgotten."""
    for_ever = claims(iat=NOON_S, exp=NOON_S + 10 * TOKEN_LIFE_MAX_S)
    expected = Expected(EXPECTED.issuer, EXPECTED.audience, EXPECTED.claim, life_max_s=3600)

    assert judged(for_ever, expected, 3600 + CLOCK_SKEW_S - 1).expires_at == NOON_S + 3600
    with pytest.raises(InvalidToken, match="expired"):
        judged(for_ever, expected, 3600 + CLOCK_SKEW_S)


def judged(token: dict[str, Any], expected: Expected, after_s: float) -> Principal:
    return principal_of(json.dumps(token).encode(), expected, now_s=NOON_S + after_s)


class Feed:
    """What a client is sent of a live feed, which has one event and then waits."""

    def __init__(self) -> None:
        self.sent: asyncio.Queue[Message] = asyncio.Queue()
        self.is_closed = False

    async def events(self) -> AsyncIterator[bytes | None]:
        try:
            yield event("snapshot", "{}", "1")
            await asyncio.Event().wait()
        finally:
            self.is_closed = True

    async def answer(self, known: Withdrawals, principal: Principal) -> None:
        stream = EventStream(self.events())  # type: ignore[arg-type]
        state = {LEASE: lambda: known.lease(RESTAURANT, principal)}
        scope = {"type": "http", "asgi": {"spec_version": "2.4"}, "state": state}
        await stream(scope, self.receive, self.sent.put)

    async def receive(self) -> Message:
        await asyncio.Event().wait()
        raise AssertionError

    async def bodies(self, count: int) -> list[bytes]:
        async with asyncio.timeout(30):
            messages = [await self.sent.get() for _ in range(count)]
        return [RETRY.sub(b"", each["body"]) for each in messages if "body" in each]


RETRY = re.compile(rb"^retry: \d+\n")
SNAPSHOT = event("snapshot", "{}", "1")


@pytest.mark.parametrize(
    ("restaurant", "issued_before_s"), [(RESTAURANT, 0), (EVERY_RESTAURANT, 0), (RESTAURANT, 600)]
)
async def test_an_idle_feed_ends_when_its_token_is_withdrawn(
    restaurant: str, issued_before_s: int
) -> None:
    known, feed = withdrawals(), Feed()
    answering = asyncio.create_task(feed.answer(known, a_principal(HALF_PAST_S - issued_before_s)))
    first = await feed.bodies(2)

    known.note(OTHER, LUIGI, HALF_PAST_S)
    known.note(RESTAURANT, hash_of_subject("gina"), HALF_PAST_S)
    known.note(restaurant, LUIGI, HALF_PAST_S)
    last = await feed.bodies(2)
    await answering

    assert first == [SNAPSHOT]
    assert last == [b'event: end\ndata: {"reason":"withdrawn"}\n\n', b""]
    assert feed.is_closed


async def test_an_idle_feed_ends_when_its_token_would_not_be_let_in_any_more() -> None:
    clock, feed = FakeClock(NOON_S), Feed()
    clock.now_s += 900 + CLOCK_SKEW_S - 0.05

    await feed.answer(Withdrawals(clock=clock), a_principal(NOON_S, life_s=900))

    assert await feed.bodies(4) == [SNAPSHOT, b'event: end\ndata: {"reason":"expired"}\n\n', b""]
    assert feed.is_closed


async def test_a_feed_that_began_beside_the_withdrawal_ends_too() -> None:
    known, feed = withdrawals(), Feed()
    known.note(RESTAURANT, LUIGI, HALF_PAST_S)

    await feed.answer(known, a_principal())

    assert (await feed.bodies(3))[-2:] == [
        b'event: end\ndata: {"reason":"withdrawn"}\n\n',
        b"",
    ]


async def test_a_feed_that_is_never_idle_ends_too() -> None:
    lease = Lease()

    async def always() -> AsyncIterator[int]:
        for number in itertools.count():
            if number == 3:
                lease.withdraw()
            yield number

    events = always()
    taken = [await lease.next_of(events, -1) for _ in range(4)]
    with pytest.raises(LeaseOver) as over:
        await lease.next_of(events, -1)

    assert (taken, over.value.ending) == ([0, 1, 2, 3], Ending.WITHDRAWN)


async def test_a_feeds_own_timeout_is_not_taken_for_the_leases_end() -> None:
    async def impatient() -> AsyncIterator[int]:
        raise TimeoutError("the store")
        yield 1

    with pytest.raises(TimeoutError, match="the store"):
        await Lease().next_of(impatient(), -1)


def test_a_subject_with_the_guests_name_takes_no_guest_with_it() -> None:
    known = withdrawals()
    guest = replace(a_principal(subject=GUEST, life_s=3600), own_order=(RESTAURANT, "1"))

    with known.lease(RESTAURANT, guest) as lease, known.lease(RESTAURANT, guest_by_name()) as other:
        known.note(RESTAURANT, hash_of_subject(GUEST), HALF_PAST_S)

        assert (lease.ending, other.ending) == (None, Ending.WITHDRAWN)
    assert not known.is_withdrawn(RESTAURANT, guest)


def guest_by_name() -> Principal:
    """Somebody with an access token whose subject is the word for guests."""
    return a_principal(subject=GUEST, life_s=3600)


def test_a_guests_lease_ends_when_he_would_not_be_let_in_any_more() -> None:
    clock = FakeClock(NOON_S)
    guest = replace(a_principal(subject=GUEST, life_s=3600), own_order=(RESTAURANT, "1"))

    with Withdrawals(clock=clock).lease(RESTAURANT, guest) as lease:
        clock.now_s = guest.expires_at - 1
        before = lease.ending
        clock.now_s = guest.expires_at

        assert (before, lease.ending) == (None, Ending.EXPIRED)


async def test_leases_that_are_over_are_not_kept() -> None:
    known = withdrawals()

    for number in range(3):
        with known.lease(RESTAURANT, a_principal(subject=str(number))):
            pass

    assert not known._leases


def withdrawn(subject: str, restaurant: str, at_s: float, version: int = 1) -> Any:
    withdrawal = Withdrawal(
        restaurant=restaurant,
        subject_hash=hash_of_subject(subject),
        withdrawn_at=datetime.fromtimestamp(at_s, UTC),
        version=version,
    )
    made = AccessWithdrawn(at=withdrawal.withdrawn_at, withdrawal=withdrawal)
    return seal(made, event_id=uuid7())


async def publish(client: Client, message: Any) -> None:
    await client.jetstream().publish(message.subject, message.body, headers=dict(message.headers))


@pytest.fixture
async def operator(nats_server: Nats) -> AsyncIterator[Client]:
    async with connected([nats_server.url], "test") as client:
        js = client.jetstream()
        await set_up_stream(js, ACCESS, replicas=1)
        await set_up_stored_subjects(js, ACCESS)
        await js.purge_stream(ACCESS.name)
        yield client


def followed(known: Withdrawals, client: Client) -> list[Component]:
    async def connection() -> Client:
        return client

    return access_components(known, connection)


@pytest.mark.servers
async def test_a_replica_reads_the_list_before_it_is_ready_and_then_hears_of_each(
    nats_server: Nats, operator: Client
) -> None:
    known = Withdrawals()
    now_s = datetime.now(UTC).timestamp()
    unreadable = subjects.access(RESTAURANT, "broken", "withdrawn")
    await operator.jetstream().publish(unreadable, b"{", headers={"ce-type": "x"})
    await publish(operator, withdrawn("luigi", RESTAURANT, now_s))
    await publish(operator, withdrawn("gina", EVERY_RESTAURANT, now_s))

    async with connected([nats_server.url], "replica") as client:
        access, follower = followed(known, client)
        async with running([access, follower]):
            await eventually(lambda: _ready(access, follower))
            at_first = known.count
            await publish(operator, withdrawn("ada", RESTAURANT, now_s))
            await eventually(lambda: _knows(known, 3))

            await operator.jetstream().delete_stream(ACCESS.name)
            await eventually(lambda: _fails(follower))

            assert access.ready, "what is known is gone by"
            assert known.is_withdrawn(RESTAURANT, a_principal(now_s, "ada"))
    assert at_first == 2


async def _ready(*components: Component) -> bool:
    return all(each.ready for each in components)


async def _fails(component: Component) -> bool:
    return not component.ready


async def _knows(known: Withdrawals, count: int) -> bool:
    return known.count == count


@pytest.mark.servers
async def test_where_no_stream_is_nothing_was_withdrawn_and_it_is_said(nats_server: Nats) -> None:
    async with connected([nats_server.url], "replica") as client:
        await without_stream(client)
        access, follower = followed(Withdrawals(), client)
        async with running([access, follower]):
            await eventually(lambda: _ready(access))
            await eventually(lambda: _says(follower, "waiting for stream ACCESS"))


async def without_stream(client: Client) -> None:
    js = client.jetstream()
    if ACCESS.name in {each.config.name for each in await js.streams_info()}:
        await js.delete_stream(ACCESS.name)


async def _says(component: Component, text: str) -> bool:
    return text in component.state


async def test_a_replica_that_could_not_read_the_list_is_not_ready() -> None:
    async def nobody() -> Client:
        raise ConnectionError("no server")

    access, follower = access_components(Withdrawals(), nobody)
    async with running([access, follower]):
        await eventually(lambda: _says(follower, "no server"))

        assert access.state == "the withdrawals of tokens have not been read"
