"""A replica that starts from the bookmark has the same queues as one that reads everything."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from functools import partial

import pytest
from comanda_contracts import Ticket as PublishedTicket
from comanda_contracts import seal
from comanda_contracts.streams import TICKETS, Stream
from comanda_local.servers import Nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from service_kit.nats.jetstream import connected, publish_all
from service_kit.nats.set_up import set_up_stream
from service_kit.nats.stream_follower import follow_stream
from service_kit.runtime.components import Component, running
from serving.contract import event_to_contract, ticket_to_contract
from serving.domain.ticket import Ticket, TicketEvent
from serving.outbound import bookmarks, kitchen_queues
from serving.outbound.bookmarks import (
    BUCKET,
    KEY,
    STREAM_OF_BUCKET,
    Bookmark,
    UnusableBookmark,
    keep_bookmark,
    load_bookmark,
    set_up_bookmarks,
)
from serving.outbound.kitchen_queues import KitchenQueues
from serving.outbound.ticket_changes import TicketMessage
from serving.queue_updates import QueueSnapshot, TicketChange
from uuid_utils.compat import uuid7

from tests.conftest import NewNatsServer
from tests.serving.builders import NOON, a_ticket, queued
from tests.serving.test_kitchen_queues import is_ready, running_queues, shown
from tests.support.eventually import eventually

INTERVAL_MESSAGES = 200
REPLAYED_CHANGES = 50
HERE = "la-piazza"


@pytest.fixture(autouse=True)
def short_intervals(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(bookmarks, "BOOKMARK_INTERVAL_MESSAGES", INTERVAL_MESSAGES)
    monkeypatch.setattr(bookmarks, "CHECK_INTERVAL_S", 0.01)
    monkeypatch.setattr(kitchen_queues, "READER_LAG_MAX_CHANGES", REPLAYED_CHANGES)


@pytest.fixture
def server(new_nats_server: NewNatsServer) -> Nats:
    """A server of the test's own: the stream is counted."""
    return new_nats_server()


@pytest.fixture
async def client(server: Nats) -> AsyncIterator[Client]:
    async with connected([server.url], "test") as client:
        await set_up_stream(client.jetstream(), TICKETS, replicas=1)
        await set_up_bookmarks(client.jetstream(), replicas=1)
        yield client


@pytest.fixture
def js(client: Client) -> JetStreamContext:
    return client.jetstream()


def life_of(ticket: Ticket) -> list[TicketEvent]:
    started = ticket.start(at=NOON)
    ready = started.ticket.ready(at=NOON)
    return [queued(ticket), started, ready, ready.ticket.serve(at=NOON)]


async def publish(client: Client, *events: TicketEvent) -> None:
    """Store events, each after the one before it."""
    for event in events:
        message = seal(event_to_contract(event), event_id=uuid7())
        (outcome,) = await publish_all(client, [message])
        assert not isinstance(outcome, Exception), outcome


async def serve(client: Client, count: int) -> None:
    """So many tickets have come and gone, some of them at the same time."""
    lives = [life_of(a_ticket()) for _ in range(count)]
    for events in zip(*lives, strict=True):
        messages = [seal(event_to_contract(event), event_id=uuid7()) for event in events]
        outcomes = await publish_all(client, messages, timeout=30)
        assert not [each for each in outcomes if isinstance(each, Exception)]


@contextlib.asynccontextmanager
async def bookmarked(server: Nats, js: JetStreamContext) -> AsyncIterator[KitchenQueues]:
    """A replica that follows the stream and keeps the bookmark; it is caught up."""
    async with running_queues(server.url) as (queues, component):
        await is_ready(component)
        keeping = Component("bookmark", partial(keep_bookmark, js, queues.bookmark))
        async with running([keeping]):
            yield queues


async def bookmark_is_set(js: JetStreamContext, at_least: int) -> Bookmark:
    async def look() -> Bookmark | None:
        with contextlib.suppress(UnusableBookmark):
            found = await load_bookmark(js)
            return found if found.sequence >= at_least else None
        return None

    return await eventually(look)


async def last_of(js: JetStreamContext) -> int:
    return (await js.stream_info(TICKETS.name)).state.last_seq


@pytest.fixture
def followed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The sequences of all messages that replicas have read by following the stream."""
    sequences: list[int] = []

    async def follow(
        client: Client, stream: Stream, make: type[TicketMessage], *, after: int
    ) -> AsyncGenerator[TicketMessage | None]:
        async with contextlib.aclosing(
            follow_stream(client, stream, make, after=after)
        ) as messages:
            async for message in messages:
                if message:
                    sequences.append(message.sequence)
                yield message

    monkeypatch.setattr(kitchen_queues, "follow_stream", follow)
    return sequences


async def test_a_replica_that_starts_reads_no_more_than_the_tail(
    server: Nats, client: Client, js: JetStreamContext, followed: list[int]
) -> None:
    forgotten, started, late = (a_ticket() for _ in range(3))
    await publish(client, queued(forgotten))
    await serve(client, 1_000)
    await publish(client, queued(started), started.start(at=NOON))
    await serve(client, 1_000)
    async with bookmarked(server, js):
        await bookmark_is_set(js, await last_of(js) - INTERVAL_MESSAGES)
    await publish(client, queued(late))
    followed.clear()

    async with running_queues(server.url) as (queues, component):
        await is_ready(component)
        in_the_kitchen = queues.of(HERE)

    assert in_the_kitchen == in_turn(forgotten, started.start(at=NOON).ticket, late)
    assert await last_of(js) == 8_004
    assert len(followed) <= INTERVAL_MESSAGES + REPLAYED_CHANGES + 1


def in_turn(*tickets: Ticket) -> list[PublishedTicket]:
    published = [ticket_to_contract(ticket) for ticket in tickets]
    return sorted(published, key=lambda each: (each.ordered_at, each.order_id, each.round))


Spoil = Callable[[Client], Awaitable[None]]


async def nothing_is_bookmarked(client: Client) -> None:
    await client.jetstream().delete_key_value(BUCKET)


async def the_bookmark_is_rubbish(client: Client) -> None:
    await (await client.jetstream().key_value(BUCKET)).put(KEY, b"\x00 no JSON")


async def the_bookmark_is_of_another_format(client: Client) -> None:
    js = client.jetstream()
    another = (await load_bookmark(js)).model_dump_json().replace('"format":1', '"format":3')
    await (await js.key_value(BUCKET)).put(KEY, another.encode())


async def the_stream_is_another_of_the_same_length(client: Client) -> None:
    js = client.jetstream()
    length = await last_of(js)
    await js.delete_stream(TICKETS.name)
    await set_up_stream(js, TICKETS, replicas=1)
    await serve(client, length // 4 + 1)


async def the_stream_is_shorter_than_it_was(client: Client) -> None:
    js = client.jetstream()
    await js.delete_stream(TICKETS.name)
    await set_up_stream(js, TICKETS, replicas=1)


async def a_message_of_an_open_ticket_is_gone(client: Client) -> None:
    js = client.jetstream()
    await js.delete_msg(TICKETS.name, (await load_bookmark(js)).open[0])
    await publish(client, queued(a_ticket()))


@pytest.mark.parametrize(
    "spoil",
    [
        nothing_is_bookmarked,
        the_bookmark_is_rubbish,
        the_bookmark_is_of_another_format,
        the_stream_is_another_of_the_same_length,
        the_stream_is_shorter_than_it_was,
        a_message_of_an_open_ticket_is_gone,
    ],
)
async def test_without_a_bookmark_that_fits_all_is_read_again(
    server: Nats, client: Client, js: JetStreamContext, spoil: Spoil, followed: list[int]
) -> None:
    await publish(client, queued(a_ticket()))
    await serve(client, INTERVAL_MESSAGES // 2)
    async with bookmarked(server, js):
        await bookmark_is_set(js, INTERVAL_MESSAGES)
    await spoil(client)
    ticket = a_ticket(restaurant="da-mario")
    await publish(client, queued(ticket))
    followed.clear()

    async with running_queues(server.url) as (queues, component):
        await is_ready(component)

        assert queues.of("da-mario") == [ticket_to_contract(ticket)]
    assert len(followed) == (await js.stream_info(TICKETS.name)).state.messages


async def test_of_many_replicas_one_moves_the_bookmark(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    async with running_queues(server.url) as (queues, component):
        await is_ready(component)
        replicas = [
            Component(f"bookmark {number}", partial(keep_bookmark, js, queues.bookmark))
            for number in range(4)
        ]
        async with running(replicas):
            for times in range(1, 4):
                await serve(client, INTERVAL_MESSAGES // 4)
                await bookmark_is_set(js, times * INTERVAL_MESSAGES)
                await asyncio.sleep(0.1)  # whoever else would set it has looked several times

    moved = (await js.stream_info(STREAM_OF_BUCKET)).state.last_seq
    assert moved == 3


async def test_a_bookmark_of_a_stream_that_is_no_more_is_replaced(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    old = Bookmark(sequence=1_000_000, message_id="of another stream", open=())
    await (await js.key_value(BUCKET)).put(KEY, old.model_dump_json().encode())
    await serve(client, INTERVAL_MESSAGES // 4)

    async with bookmarked(server, js):
        found = await bookmark_is_set(js, INTERVAL_MESSAGES)

    assert found.sequence == INTERVAL_MESSAGES


async def test_a_screen_that_comes_back_to_a_replica_just_started_is_sent_what_it_missed(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    await serve(client, INTERVAL_MESSAGES)
    async with bookmarked(server, js):
        at = (await bookmark_is_set(js, 4 * INTERVAL_MESSAGES)).sequence
    ticket = a_ticket(restaurant="da-mario")
    await publish(client, queued(ticket))

    async with running_queues(server.url) as (queues, component):
        await is_ready(component)
        with queues.feed("da-mario", at - REPLAYED_CHANGES) as updates:
            missed = await anext(updates)
        with queues.feed("da-mario", at - REPLAYED_CHANGES - 1) as updates:
            anew = await anext(updates)

    assert missed == TicketChange(at + 1, ticket_to_contract(ticket))
    assert anew == QueueSnapshot(at + 1, [ticket_to_contract(ticket)])


async def test_what_comes_after_the_bookmark_is_shown_as_ever(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    ticket = a_ticket(restaurant="da-mario")
    life = life_of(ticket)
    await publish(client, life[0])
    await serve(client, INTERVAL_MESSAGES // 4)
    async with bookmarked(server, js):
        await bookmark_is_set(js, INTERVAL_MESSAGES)

    async with running_queues(server.url) as (queues, _):
        await shown(queues, "da-mario", ticket)
        await publish(client, life[1])
        await shown(queues, "da-mario", life[1].ticket)
        await publish(client, *life[2:])
        await shown(queues, "da-mario")


async def test_the_bucket_can_be_set_up_again(js: JetStreamContext) -> None:
    await set_up_bookmarks(js, replicas=1)

    assert (await js.stream_info(STREAM_OF_BUCKET)).config.max_msgs_per_subject == 1


async def test_a_bookmark_has_room_for_any_number_of_open_tickets_and_leaves_no_part_behind(
    server: Nats, client: Client, js: JetStreamContext, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bookmarks, "PART_TICKETS", 10)
    open_tickets = [a_ticket() for _ in range(35)]
    await publish(client, *map(queued, open_tickets))
    await serve(client, INTERVAL_MESSAGES // 4)
    async with bookmarked(server, js):
        first = await bookmark_is_set(js, 35)
        await serve(client, INTERVAL_MESSAGES // 4)
        second = await bookmark_is_set(js, first.sequence + INTERVAL_MESSAGES)

    stored = Bookmark.model_validate_json(
        (await (await js.key_value(BUCKET)).get(KEY)).value or b""
    )
    async with running_queues(server.url) as (queues, component):
        await is_ready(component)
        shown_anew = {ticket.order_id for ticket in queues.of(HERE)}
    kept = (await js.stream_info(STREAM_OF_BUCKET, subjects_filter=">")).state.subjects or {}
    held = [key for key in kept if "part." in key]
    still_there = [key for key in held if (await js.get_last_msg(STREAM_OF_BUCKET, key)).data]
    assert (len(first.open), len(second.open), len(stored.open)) == (35, 35, 10)
    assert shown_anew == {ticket.order_id for ticket in open_tickets}
    assert [key.removeprefix(f"$KV.{BUCKET}.") for key in still_there] == list(stored.parts)
