"""The queues in memory, following a real stream."""

import asyncio
import contextlib
import gc
from collections.abc import AsyncIterator, Callable
from datetime import timedelta
from functools import partial

import pytest
from comanda_contracts import TicketStatus
from comanda_contracts.streams import TICKETS
from comanda_local.servers import Nats
from nats.aio.client import Client
from service_kit.nats import stream_follower
from service_kit.nats.broker import Broker
from service_kit.nats.broker import running as running_broker
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import set_up_stream
from service_kit.runtime.components import Component, Ready, running
from serving.application.tickets import NewTicket, StoreUnavailable
from serving.contract import ticket_to_contract
from serving.domain.ticket import Ticket
from serving.outbound.connection import connected_client, until_connected
from serving.outbound.kitchen_queues import LOST, KitchenQueues
from serving.outbound.ticket_stream import TicketStream
from serving.queue_updates import QueueSnapshot, TicketChange
from uuid_utils.compat import uuid7

from tests.serving.builders import NOON, a_restaurant, a_ticket, queued
from tests.support.eventually import eventually


@contextlib.asynccontextmanager
async def running_queues(url: str) -> AsyncIterator[tuple[KitchenQueues, Component]]:
    """The queues of one replica of the service, kept up to date."""
    broker = Broker([url], "test")
    queues = KitchenQueues(partial(connected_client, broker))

    async def keep(ready: Ready) -> None:
        await queues.keep_up_to_date(await until_connected(broker, ready), ready)

    async with connected([url], "test") as client:
        await set_up_stream(client.jetstream(), TICKETS, replicas=1)
        await stream_follower.set_up_stored_subjects(client.jetstream(), TICKETS)
    component = Component("queue", keep)
    async with running_broker(broker), running([component]):
        yield queues, component


async def shown(queues: KitchenQueues, restaurant: str, *tickets: Ticket) -> None:
    """Wait until the queue shows these tickets."""

    async def same() -> bool:
        with contextlib.suppress(StoreUnavailable):
            return queues.of(restaurant) == [ticket_to_contract(ticket) for ticket in tickets]
        return False

    await eventually(same)


async def is_ready(component: Component) -> None:
    async def look() -> bool:
        return component.ready

    await eventually(look)


async def add(client: Client, *tickets: Ticket) -> None:
    new = [NewTicket(queued(ticket), uuid7()) for ticket in tickets]
    assert set(await TicketStream(lambda: client).add(new)) == {None}


async def move(client: Client, ticket: Ticket, *commands: str) -> Ticket:
    stream = TicketStream(lambda: client)
    for command in commands:
        stored = await stream.load(ticket.id)
        assert stored is not None
        event = getattr(stored.ticket, command)(at=NOON)
        await stream.append(event, event_id=uuid7(), after=stored.sequence)
        ticket = event.ticket
    return ticket


async def test_what_is_queued_and_changed_is_shown(
    nats_url: str, client: Client, restaurant: str
) -> None:
    ticket = a_ticket(restaurant=restaurant)
    async with running_queues(nats_url) as (queues, _):
        await add(client, ticket)
        await shown(queues, restaurant, ticket)

        started = await move(client, ticket, "start")
        await shown(queues, restaurant, started)

        await move(client, started, "ready", "serve")
        await shown(queues, restaurant)


async def test_once_its_reader_has_it_nobody_holds_a_snapshot(
    nats_url: str, client: Client, restaurant: str
) -> None:
    ticket = a_ticket(restaurant=restaurant)
    await add(client, ticket)
    async with running_queues(nats_url) as (queues, _):
        await shown(queues, restaurant, ticket)
        with queues.feed(restaurant, None) as updates:
            assert isinstance(await anext(updates), QueueSnapshot)
            await move(client, ticket, "start")
            assert isinstance(await anext(updates), TicketChange)

            snapshots = [each for each in gc.get_objects() if type(each) is QueueSnapshot]
            shows_ours = [ticket_to_contract(ticket) in each.tickets for each in snapshots]
            assert not any(shows_ours)


async def test_an_empty_stream_is_caught_up_with_at_once(
    new_nats_server: Callable[[], Nats],
) -> None:
    server = new_nats_server()

    async with running_queues(server.url) as (queues, component):
        await is_ready(component)

        assert queues.of("la-piazza") == []


async def test_a_new_replica_is_ready_only_with_the_whole_backlog(
    nats_url: str, client: Client, restaurant: str
) -> None:
    tickets = [a_ticket(restaurant=restaurant) for _ in range(2000)]
    await add(client, *tickets)
    await move(client, tickets[0], "start", "ready", "serve")
    last = await move(client, tickets[-1], "start")

    async with running_queues(nats_url) as (queues, component):
        await is_ready(component)

        assert queues.of(restaurant) == [
            ticket_to_contract(ticket) for ticket in [*tickets[1:-1], last]
        ]
        assert queues.length(TicketStatus.QUEUED) >= 1998
        ordered_at = tickets[1].ordered_at
        assert queues.oldest_s(TicketStatus.QUEUED, ordered_at + timedelta(hours=1)) >= 3600


async def test_every_replica_shows_the_same(nats_url: str, client: Client, restaurant: str) -> None:
    tickets = [a_ticket(restaurant=restaurant) for _ in range(10)]
    async with running_queues(nats_url) as (one, _), running_queues(nats_url) as (other, _):
        await add(client, *tickets)

        await shown(one, restaurant, *tickets)
        await shown(other, restaurant, *tickets)


async def test_while_the_server_is_gone_the_queue_says_so_and_then_catches_up(
    new_nats_server: Callable[[], Nats],
) -> None:
    server = new_nats_server()
    first, second = a_ticket(), a_ticket()
    async with running_queues(server.url) as (queues, component):
        async with connected([server.url], "test") as client:
            await is_ready(component)
            await add(client, first)
        await shown(queues, "la-piazza", first)

        await asyncio.to_thread(server.kill)
        await eventually(lambda: _not_ready(component))
        with pytest.raises(StoreUnavailable):
            queues.of("la-piazza")

        await asyncio.to_thread(server.start)
        async with connected([server.url], "test") as client:
            await add(client, second)
        await shown(queues, "la-piazza", first, second)
        await is_ready(component)


async def _not_ready(component: Component) -> bool:
    return not component.ready


async def test_the_queue_is_unavailable_the_moment_the_connection_is_lost(
    new_nats_server: Callable[[], Nats], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_follower, "SILENCE_TIMEOUT_S", 600.0)  # not by the server's silence
    server = new_nats_server()
    async with running_queues(server.url) as (queues, component):
        await is_ready(component)
        await asyncio.to_thread(server.kill)

        async def unavailable() -> bool:
            try:
                queues.of("la-piazza")
            except StoreUnavailable:
                return True
            return False

        await eventually(unavailable)


async def test_the_stream_is_followed_without_a_consumer(
    new_nats_server: Callable[[], Nats], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(stream_follower, "CHECK_INTERVAL_S", 600.0)  # not by looking at its end
    server = new_nats_server()
    async with running_queues(server.url) as (queues, component):
        await is_ready(component)
        async with connected([server.url], "test") as client:
            ticket = a_ticket()
            await add(client, ticket)
            await shown(queues, "la-piazza", ticket)
            consumers = await client.jetstream().consumers_info(TICKETS.name)

    assert consumers == []


async def test_what_nothing_was_heard_of_is_shown_all_the_same(
    new_nats_server: Callable[[], Nats],
) -> None:
    server = new_nats_server()
    first, second, third = (a_ticket() for _ in range(3))
    async with running_queues(server.url) as (queues, component):
        await is_ready(component)
        async with connected([server.url], "test") as client:
            await publish_no_more(client)
            await add(client, first)
            await shown(queues, "la-piazza", first)  # found at the stream's end

            await add(client, second)
            await stream_follower.set_up_stored_subjects(client.jetstream(), TICKETS)
            await add(client, third)
            await shown(queues, "la-piazza", first, second, third)


async def test_what_was_removed_from_the_stream_stops_nothing(
    new_nats_server: Callable[[], Nats],
) -> None:
    server = new_nats_server()
    tickets = [a_ticket() for _ in range(4)]
    async with connected([server.url], "test") as client:
        js = client.jetstream()
        await set_up_stream(js, TICKETS, replicas=1)
        await add(client, *tickets)
        for sequence in (1, 3, 4):
            await js.delete_msg(TICKETS.name, sequence)

    async with running_queues(server.url) as (queues, component):
        await is_ready(component)

        assert queues.of("la-piazza") == [ticket_to_contract(tickets[1])]


async def test_a_stream_that_was_made_anew_is_followed_from_its_beginning(
    new_nats_server: Callable[[], Nats],
) -> None:
    server = new_nats_server()
    before, after = a_ticket(), a_ticket()
    async with (
        running_queues(server.url) as (queues, component),
        connected([server.url], "test") as client,
    ):
        await is_ready(component)
        await add(client, before)
        await shown(queues, "la-piazza", before)

        js = client.jetstream()
        await js.delete_stream(TICKETS.name)
        await set_up_stream(js, TICKETS, replicas=1)
        await add(client, after)

        await shown(queues, "la-piazza", after)


async def test_a_stream_made_anew_without_open_tickets_is_not_ready_until_they_are_back(
    new_nats_server: Callable[[], Nats],
) -> None:
    server = new_nats_server()
    lost, other = a_ticket(), a_ticket()
    async with (
        running_queues(server.url) as (queues, component),
        connected([server.url], "test") as client,
    ):
        await is_ready(component)
        await add(client, lost, other)
        await shown(queues, "la-piazza", *sorted([lost, other], key=lambda each: each.order_id))

        js = client.jetstream()
        await js.delete_stream(TICKETS.name)
        await set_up_stream(js, TICKETS, replicas=1)

        async def says_so() -> bool:
            return "made anew, without tickets that were open" in component.state

        await eventually(says_so)
        await add(client, other)
        await shown(queues, "la-piazza", other)
        assert not component.ready
        assert LOST._value.get() == 1

        await add(client, lost)
        await is_ready(component)


async def test_a_stream_made_anew_while_nothing_was_open_is_just_followed(
    new_nats_server: Callable[[], Nats],
) -> None:
    server = new_nats_server()
    done, next_one = a_ticket(), a_ticket()
    async with (
        running_queues(server.url) as (queues, component),
        connected([server.url], "test") as client,
    ):
        await is_ready(component)
        await add(client, done)
        await move(client, done, "start", "ready", "serve")
        await shown(queues, "la-piazza")

        js = client.jetstream()
        await js.delete_stream(TICKETS.name)
        await set_up_stream(js, TICKETS, replicas=1)
        await add(client, next_one)

        await shown(queues, "la-piazza", next_one)
        await is_ready(component)


async def test_a_reader_of_a_stream_that_was_made_anew_behind_its_archive_begins_with_a_snapshot(
    new_nats_server: Callable[[], Nats],
) -> None:
    server = new_nats_server()
    ticket = a_ticket()
    async with (
        running_queues(server.url) as (queues, component),
        connected([server.url], "test") as client,
    ):
        await is_ready(component)
        js = client.jetstream()
        await js.delete_stream(TICKETS.name)
        await js.add_stream(
            name=TICKETS.name, subjects=[TICKETS.subject], allow_direct=True, first_seq=41
        )
        await add(client, ticket)
        await shown(queues, "la-piazza", ticket)

        with queues.feed("la-piazza", after=40) as updates:
            first = await anext(updates)

    assert isinstance(first, QueueSnapshot)
    assert [each.order_id for each in first.tickets] == [ticket.order_id]


async def publish_no_more(client: Client) -> None:
    """Have the server keep to itself what it stores."""
    js = client.jetstream()
    config = (await js.stream_info(TICKETS.name)).config
    await js.update_stream(config.evolve(republish=None))


async def test_following_ends_when_it_is_told_to_even_while_messages_arrive(
    new_nats_server: Callable[[], Nats],
) -> None:
    url = new_nats_server().url
    async with connected([url], "test") as client:
        for _ in range(20):
            restaurant = a_restaurant()
            async with running_queues(url) as (queues, component):
                await is_ready(component)
                tickets = [a_ticket(restaurant=restaurant) for _ in range(100)]
                adding = asyncio.create_task(add(client, *tickets))
                while not queues.of(restaurant):
                    await asyncio.sleep(0)
                # here the queue is told to end
            await adding
