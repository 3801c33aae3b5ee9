"""Tickets leave the stream, and nothing is cooked twice: what is open stays in it."""

import contextlib
from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime, timedelta
from functools import partial

import pytest
from comanda_contracts import subjects
from comanda_contracts.streams import DEAD_LETTERS, ORDERS, TICKETS
from comanda_local.servers import Nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from service_kit.nats.broker import Broker
from service_kit.nats.broker import running as running_broker
from service_kit.nats.set_up import set_up
from service_kit.runtime.clock import utc_now
from service_kit.runtime.components import Component, running
from serving.application.change_ticket import ChangeTicket
from serving.application.mark_ready import mark_ready
from serving.application.queue_ticket import QueueTicket, queue_tickets
from serving.application.serve_ticket import serve_ticket
from serving.application.start_ticket import start_ticket
from serving.application.tickets import OrderedTooLongAgo
from serving.domain.ticket import Ticket, TicketStatus
from serving.inbound.nats.orders import SERVICE, order_router
from serving.outbound.bookmarks import set_up_bookmarks
from serving.outbound.connection import connected_client
from serving.outbound.hot_window import keep_in_window, publish_again
from serving.outbound.kitchen_queues import KitchenQueues, keep_open_tickets
from serving.outbound.ticket_stream import TicketStream
from uuid_utils.compat import uuid7

from tests.serving.builders import NOON, a_ticket, an_order, cancellation_requested, placed
from tests.serving.fakes import InMemoryTickets
from tests.support.eventually import eventually
from tests.support.streams import client_with

WINDOW_S = 3.0


@pytest.fixture
def server(new_nats_server: Callable[[], Nats]) -> Nats:
    return new_nats_server()


@pytest.fixture
async def client(server: Nats) -> AsyncIterator[Client]:
    async with client_with(ORDERS, TICKETS, DEAD_LETTERS, server=server) as client:
        yield client


@pytest.fixture
def js(client: Client) -> JetStreamContext:
    return client.jetstream()


@pytest.fixture
def tickets(client: Client) -> TicketStream:
    return TicketStream(lambda: client)


async def keep_for(js: JetStreamContext, seconds: float) -> None:
    config = (await js.stream_info(TICKETS.name)).config
    await js.update_stream(config.evolve(max_age=seconds, duplicate_window=0.1))


@contextlib.asynccontextmanager
async def consuming_orders(server: Nats) -> AsyncIterator[None]:
    broker = Broker([server.url], SERVICE)
    tickets = TicketStream(partial(connected_client, broker))
    broker.include_router(order_router(tickets=tickets, clock=utc_now, new_id=uuid7))
    await set_up(broker, [server.url], streams=[], replicas=1)
    component = Component("orders", broker.watching(ORDERS))
    async with running_broker(broker), running([component]):
        yield


async def is_settled(js: JetStreamContext) -> bool:
    info = await js.consumer_info(ORDERS.name, SERVICE)
    return not info.num_pending and not info.num_ack_pending


async def messages(js: JetStreamContext) -> int:
    return (await js.stream_info(TICKETS.name)).state.messages


async def is_empty(js: JetStreamContext) -> bool:
    return await messages(js) == 0


async def served(tickets: TicketStream, ticket: Ticket) -> None:
    for change in (start_ticket, mark_ready, serve_ticket):
        command = ChangeTicket(ticket_id=ticket.id)
        await change(command, tickets=tickets, clock=utc_now, new_id=uuid7)


async def test_a_round_that_may_have_been_forgotten_is_not_queued_and_the_others_are() -> None:
    tickets = InMemoryTickets()
    tickets.hot_window = timedelta(days=30)
    old, new = (a_ticket(ordered_at=NOON - timedelta(days=days)) for days in (31, 29))

    outcomes = await queue_tickets(
        [QueueTicket(old, {}), QueueTicket(new, {})],
        tickets=tickets,
        clock=lambda: NOON,
        new_id=uuid7,
    )

    assert [type(each) for each in outcomes] == [OrderedTooLongAgo, type(None)]
    assert [event.ticket for event in tickets.events] == [new]


async def test_what_was_served_and_has_left_the_stream_is_not_cooked_again_by_a_new_durable(
    server: Nats, js: JetStreamContext, tickets: TicketStream
) -> None:
    order = an_order()
    for message in (placed(order), cancellation_requested(order, 1)):
        headers = dict(message.headers)
        await js.publish(message.subject, message.body, headers=headers)
        if message.subject.endswith("placed"):
            async with consuming_orders(server):
                await eventually(partial(is_settled, js))
            await served(tickets, a_ticket(order_id=order.order_id, restaurant=order.restaurant))
    await keep_for(js, WINDOW_S)
    await eventually(partial(is_empty, js))
    end = (await js.stream_info(TICKETS.name)).state.last_seq
    await js.delete_consumer(ORDERS.name, SERVICE)

    async with consuming_orders(server):
        await eventually(partial(is_settled, js))

    assert (await js.stream_info(TICKETS.name)).state.last_seq == end
    assert await is_empty_of_dead_letters(js)


async def is_empty_of_dead_letters(js: JetStreamContext) -> bool:
    return (await js.stream_info(DEAD_LETTERS.name)).state.messages == 0


async def test_an_open_ticket_stays_in_the_stream_as_it_is_for_longer_than_the_window(
    client: Client, js: JetStreamContext, tickets: TicketStream
) -> None:
    ticket = a_ticket(ordered_at=utc_now())
    await queue_tickets([QueueTicket(ticket, {})], tickets=tickets, clock=utc_now, new_id=uuid7)
    await start_ticket(
        ChangeTicket(ticket_id=ticket.id), tickets=tickets, clock=utc_now, new_id=uuid7
    )
    before = await js.get_msg(TICKETS.name, 2)
    await keep_for(js, WINDOW_S)
    queues = KitchenQueues(lambda: client)

    async def has_left() -> bool:
        return (await js.stream_info(TICKETS.name)).state.first_seq > 2

    following = Component("queue", partial(queues.keep_up_to_date, client))
    keeping = Component("window", partial(keep_in_window, js, queues.open_sequences))
    async with running([following, keeping]):
        await eventually(has_left)
        subject = subjects.every_event_of_ticket(ticket.restaurant, ticket.order_id, ticket.round)
        after = await js.get_last_msg(TICKETS.name, subject)
        stored = await tickets.load(ticket.id)

    assert (after.subject, after.data) == (before.subject, before.data)
    assert stored is not None
    assert (stored.ticket.status, stored.ticket.version) == (TicketStatus.PREPARING, 2)
    assert (after.headers or {})["ce-id"] == (before.headers or {})["ce-id"]


async def test_a_ticket_that_changes_meanwhile_is_not_set_back(
    js: JetStreamContext, tickets: TicketStream
) -> None:
    ticket = a_ticket(ordered_at=utc_now())
    await queue_tickets([QueueTicket(ticket, {})], tickets=tickets, clock=utc_now, new_id=uuid7)
    await served(tickets, ticket)

    count = await publish_again(js, [1], stored_before=datetime.now(UTC) + timedelta(hours=1))

    stored = await tickets.load(ticket.id)
    assert (count, await messages(js)) == (0, 4)
    assert stored is not None
    assert stored.ticket.status is TicketStatus.SERVED


async def test_before_a_window_is_set_what_is_open_and_older_is_published_again_without_a_replica(
    client: Client, js: JetStreamContext, tickets: TicketStream
) -> None:
    over, still_open = (a_ticket(ordered_at=utc_now()) for _ in range(2))
    for ticket in (over, still_open):
        command = QueueTicket(ticket, {})
        await queue_tickets([command], tickets=tickets, clock=utc_now, new_id=uuid7)
    await served(tickets, over)
    config = (await js.stream_info(TICKETS.name)).config
    await js.update_stream(config.evolve(duplicate_window=0.1))
    await set_up_bookmarks(js, replicas=1)

    async def is_published_again() -> bool:
        await keep_open_tickets(client, WINDOW_S / 10)
        return await messages(js) > 5

    await eventually(is_published_again)
    last = await js.get_msg(TICKETS.name, 6)
    assert subjects.parse_ticket(last.subject or "").order_id == str(still_open.order_id)
