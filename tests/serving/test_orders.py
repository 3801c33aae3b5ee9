"""The consumer of orders, on a real NATS: each round becomes one ticket."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from functools import partial
from types import SimpleNamespace
from typing import Any

import comanda_contracts as contracts
import pytest
from comanda_contracts.envelope import Message
from comanda_contracts.streams import DEAD_LETTERS, ORDERS, TICKETS, Stream
from comanda_local.servers import Nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from service_kit.nats.broker import Broker
from service_kit.nats.broker import running as running_broker
from service_kit.nats.failures import BatchFailed
from service_kit.nats.set_up import set_up, set_up_stream
from service_kit.nats.subscriber import Received
from service_kit.runtime.components import Component, running
from serving.application.change_ticket import ChangeTicket
from serving.application.start_ticket import start_ticket
from serving.application.tickets import StoreUnavailable
from serving.domain.ticket import Ticket, TicketId, TicketLine, TicketStatus
from serving.inbound.nats.orders import (
    SERVICE,
    KitchenRequest,
    carry_out,
    order_router,
    read_kitchen_request,
)
from serving.outbound.connection import connected_client
from serving.outbound.ticket_stream import TicketStream
from uuid_utils.compat import uuid7

from tests.serving.builders import (
    NOON,
    a_ticket,
    an_order,
    cancellation_requested,
    items_added,
    placed,
    restated,
)
from tests.serving.fakes import InMemoryTickets
from tests.support.eventually import eventually
from tests.support.streams import client_with


@pytest.fixture
def server(new_nats_server: Callable[[], Nats]) -> Nats:
    """A server of the test's own: the consumer's name is the same in every test."""
    return new_nats_server()


@pytest.fixture
async def client(server: Nats) -> AsyncIterator[Client]:
    async with client_with(ORDERS, TICKETS, DEAD_LETTERS, server=server) as client:
        yield client


@contextlib.asynccontextmanager
async def consuming_orders(server: Nats) -> AsyncIterator[Component]:
    """The consumer of orders, as one replica of the service runs it after the set-up."""
    broker = a_broker(server)
    await set_up(broker, [server.url], streams=[], replicas=1)
    component = Component("orders", broker.watching(ORDERS))
    async with running_broker(broker), running([component]):
        yield component


def a_broker(server: Nats) -> Broker:
    broker = Broker([server.url], SERVICE)
    tickets = TicketStream(partial(connected_client, broker))
    broker.include_router(order_router(tickets=tickets, clock=lambda: NOON, new_id=uuid7))
    return broker


async def publish(js: JetStreamContext, *messages: Message) -> None:
    for message in messages:
        await js.publish(message.subject, message.body, headers=dict(message.headers))


async def all_is_settled(js: JetStreamContext) -> None:
    """Wait until every message that is of concern to the kitchen was handled and settled."""

    async def settled() -> bool:
        with contextlib.suppress(NotFoundError):  # the consumer is not set up yet
            info = await js.consumer_info(ORDERS.name, SERVICE)
            return not info.num_pending and not info.num_ack_pending
        return False

    await eventually(settled)


async def load(client: Client, order: contracts.Order, number: int = 1) -> Ticket | None:
    ticket_id = TicketId(order.restaurant, order.order_id, number)
    stored = await TicketStream(lambda: client).load(ticket_id)
    return stored.ticket if stored else None


async def count(js: JetStreamContext, stream: Stream) -> int:
    return (await js.stream_info(stream.name)).state.messages


async def test_a_placed_order_makes_a_ticket_of_its_first_round(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    order = an_order(number="A-017", customer="Ada")
    async with consuming_orders(server):
        await publish(js, placed(order))
        await all_is_settled(js)

    assert await load(client, order) == a_ticket(
        order_id=order.order_id,
        number="A-017",
        channel="takeaway",
        table=None,
        customer="Ada",
        lines=(TicketLine(sku="margherita", name="Margherita", quantity=2),),
        ordered_at=NOON,
    )


async def test_added_items_make_a_ticket_of_their_round_alone(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    order = an_order(
        rounds=3, channel=contracts.Channel.DINE_IN, table="12", guests=2, customer=None
    )
    async with consuming_orders(server):
        await publish(js, items_added(order, 2))
        await all_is_settled(js)

    ticket = await load(client, order, 2)
    assert ticket is not None
    assert (ticket.channel, ticket.table, ticket.guests) == ("dine_in", "12", 2)
    assert len(ticket.lines) == 2
    assert await count(js, TICKETS) == 1


@pytest.mark.parametrize("closes", [False, True])
async def test_a_cancellation_voids_what_is_queued_and_spares_what_is_begun(
    server: Nats, client: Client, js: JetStreamContext, *, closes: bool
) -> None:
    """One that closes the order, with its day, abandons what is begun."""
    order = an_order(rounds=3)
    request = cancellation_requested(order, 1, 2, closes=closes)
    async with consuming_orders(server):
        await publish(js, placed(order), items_added(order, 2), items_added(order, 3))
        await all_is_settled(js)
        started = ChangeTicket(ticket_id=TicketId(order.restaurant, order.order_id, 1))
        store = TicketStream(lambda: client)
        await start_ticket(started, tickets=store, clock=lambda: NOON, new_id=uuid7)

        await publish(js, request)
        await all_is_settled(js)

    tickets = [await load(client, order, number) for number in (1, 2, 3)]
    assert [each and (each.status, each.version) for each in tickets] == [
        (TicketStatus.ABANDONED if closes else TicketStatus.PREPARING, 3),
        (TicketStatus.VOIDED, 2),
        (TicketStatus.QUEUED, 1),
    ]


async def test_a_cancellation_delivered_twice_or_before_its_round_has_one_effect(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    order = an_order()
    request = cancellation_requested(order, 1)
    again = Message(request.subject, {**request.headers, "Nats-Msg-Id": "again"}, request.body)
    async with consuming_orders(server):
        await publish(js, request, again, placed(order))
        await all_is_settled(js)

    ticket = await load(client, order)
    assert ticket is not None
    assert (ticket.status, ticket.version) == (TicketStatus.VOIDED, 2)
    assert await count(js, TICKETS) == 2


async def test_events_out_of_order_make_the_same_tickets(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    first, then = an_order(), an_order(rounds=2)
    then = then.model_copy(update={"order_id": first.order_id})
    async with consuming_orders(server):
        await publish(js, items_added(then, 2), placed(first))
        await all_is_settled(js)

    assert await load(client, first, 1) is not None
    assert await load(client, first, 2) is not None


async def test_an_order_that_is_delivered_twice_makes_one_ticket(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    order = an_order()
    async with consuming_orders(server):
        await publish(js, placed(order), placed(order))
        await all_is_settled(js)

        await publish(js, placed(order))
        await all_is_settled(js)

    assert await count(js, TICKETS) == 1


async def test_orders_that_are_delivered_again_from_the_beginning_leave_the_tickets_as_they_are(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    orders = [an_order() for _ in range(20)]
    async with consuming_orders(server):
        await publish(js, *(placed(order) for order in orders))
        await all_is_settled(js)
    started = (await _load(client, orders[0])).start(at=NOON)
    await TicketStream(lambda: client).append(started, event_id=uuid7(), after=1)
    await js.delete_consumer(ORDERS.name, SERVICE)

    async with consuming_orders(server):
        await all_is_settled(js)

    assert await count(js, TICKETS) == 21
    assert await load(client, orders[0]) == started.ticket


async def _load(client: Client, order: contracts.Order) -> Ticket:
    ticket = await load(client, order)
    assert ticket is not None
    return ticket


async def test_what_was_ordered_while_serving_was_down_is_queued_once_it_is_up(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    orders = [an_order() for _ in range(1200)]
    await asyncio.gather(*(publish(js, placed(order)) for order in orders))

    async with consuming_orders(server):
        await all_is_settled(js)

    assert await count(js, TICKETS) == 1200
    assert all([await load(client, order) for order in orders])


def with_body(message: Message, old: bytes, new: bytes) -> Message:
    return Message(message.subject, message.headers, message.body.replace(old, new))


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        (with_body(placed(an_order()), b"{", b"["), "body: Invalid JSON"),
        (with_body(placed(an_order()), b'"number":"A-001",', b""), "order.number: Field required"),
        (
            with_body(placed(an_order()), b"la-piazza", b"la piazza"),
            "'la piazza' can't be a part of a subject",
        ),
        (items_added(an_order(), 2), "order.rounds: there is no round 2"),
        (
            restated(an_order(version=2**53 - 1)),
            "order.version: no ticket can have a version above it",
        ),
    ],
    ids=["not JSON", "a field is missing", "not a slug", "no such round", "no such version"],
)
async def test_what_no_ticket_can_be_made_of_is_set_aside_and_the_next_is_handled(
    server: Nats, client: Client, js: JetStreamContext, message: Message, reason: str
) -> None:
    order = an_order()
    async with consuming_orders(server):
        await publish(js, message, placed(order))
        await all_is_settled(js)

    letter = await js.get_last_msg(DEAD_LETTERS.name, "dead-letters.v1.serving.ORDERS")
    assert letter.headers is not None
    assert reason in letter.headers["Comanda-Reason"]
    assert letter.headers["Comanda-Subject"] == message.subject
    assert letter.data == message.body
    assert await load(client, order) is not None
    assert await count(js, DEAD_LETTERS) == 1


async def test_an_event_of_another_kind_on_the_subject_is_set_aside(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    order = an_order()
    closed = contracts.seal(contracts.OrderClosed(order=order, at=NOON), event_id=uuid7())
    async with consuming_orders(server):
        await publish(js, Message(placed(order).subject, closed.headers, closed.body))
        await all_is_settled(js)

    assert await count(js, DEAD_LETTERS) == 1
    assert await count(js, TICKETS) == 0


async def test_events_of_no_concern_to_the_kitchen_are_not_delivered(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    order = an_order()
    closed = contracts.seal(contracts.OrderClosed(order=order, at=NOON), event_id=uuid7())
    async with consuming_orders(server):
        await publish(js, closed, placed(order))
        await all_is_settled(js)

    delivered = (await js.consumer_info(ORDERS.name, SERVICE)).delivered
    assert delivered is not None
    assert delivered.consumer_seq == 1


async def test_what_could_not_be_stored_comes_again_until_it_is(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    order = an_order()
    await js.delete_stream(TICKETS.name)
    async with consuming_orders(server):
        await publish(js, placed(order))
        await eventually(lambda: _was_delivered_twice(js))
        await set_up_stream(js, TICKETS, replicas=1)
        await all_is_settled(js)

    assert await load(client, order) is not None


async def _was_delivered_twice(js: JetStreamContext) -> bool:
    with contextlib.suppress(NotFoundError):
        delivered = (await js.consumer_info(ORDERS.name, SERVICE)).delivered
        return delivered is not None and delivered.consumer_seq >= 2
    return False


async def test_the_trace_of_the_order_goes_on_with_its_ticket(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    trace = {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
    async with consuming_orders(server):
        await publish(js, placed(an_order(), trace=trace))
        await all_is_settled(js)

    ticket = await js.get_last_msg(TICKETS.name, "tickets.v1.>")
    assert ticket.headers is not None
    assert ticket.headers["traceparent"] == trace["traceparent"]


async def test_without_the_stream_of_orders_the_consumer_says_so_and_the_set_up_waits_for_it(
    server: Nats, client: Client, js: JetStreamContext
) -> None:
    order = an_order()
    await js.delete_stream(ORDERS.name)
    broker = a_broker(server)
    component = Component("orders", broker.watching(ORDERS))
    async with running_broker(broker), running([component]):
        await eventually(lambda: _failed(component))

        setting_up = asyncio.create_task(
            set_up(a_broker(server), [server.url], streams=[], replicas=1)
        )
        await set_up_stream(js, ORDERS, replicas=1)
        await setting_up
        await publish(js, placed(order))
        await all_is_settled(js)

    assert await load(client, order) is not None


async def _failed(component: Component) -> bool:
    return component.state not in ("starting", "ready")


async def test_a_round_that_is_restated_in_the_same_batch_is_queued_by_that_alone() -> None:
    """After the loss of the streams what was served then is shown to no kitchen."""
    order, tickets = an_order(rounds=2, version=3), InMemoryTickets()
    batch = [
        received(placed(order)),
        received(items_added(order, 2)),
        received(restated(order, is_open=[2], is_served=[1])),
    ]

    await carry_out(batch, tickets=tickets, clock=lambda: NOON, new_id=uuid7)

    assert [
        (type(each).__name__, each.ticket.round, each.ticket.status) for each in tickets.events
    ] == [
        ("TicketRestated", 1, TicketStatus.SERVED),
        ("TicketRestated", 2, TicketStatus.QUEUED),
    ]


async def test_a_cancellation_in_the_batch_of_a_restatement_finds_its_ticket() -> None:
    order, tickets = an_order(version=3), InMemoryTickets()
    later = order.model_copy(update={"version": 4})
    batch = [received(cancellation_requested(later, 1)), received(restated(order, is_open=[1]))]

    await carry_out(batch, tickets=tickets, clock=lambda: NOON, new_id=uuid7)

    assert [each.ticket.status for each in tickets.events] == [
        TicketStatus.QUEUED,
        TicketStatus.VOIDED,
    ]


async def test_a_cancellation_comes_again_with_the_restatement_that_failed() -> None:
    class Full(InMemoryTickets):
        async def append(self, *_: Any, **__: Any) -> None:
            raise StoreUnavailable

    order = an_order(version=3)
    later = order.model_copy(update={"version": 4})
    batch = [received(cancellation_requested(later, 1)), received(restated(order, is_open=[1]))]

    with pytest.raises(BatchFailed) as failed:
        await carry_out(batch, tickets=Full(), clock=lambda: NOON, new_id=uuid7)

    assert {id(each.message) for each in failed.value.failures} == {
        id(each.message) for each in batch
    }


def received(message: Message) -> Received[KitchenRequest]:
    """The message as it comes, with nobody to acknowledge it to."""
    came: Any = SimpleNamespace(
        headers=dict(message.headers), data=message.body, subject=message.subject, ack=nothing
    )
    return Received(read_kitchen_request(came), came)


async def nothing() -> None:
    """Do nothing."""
