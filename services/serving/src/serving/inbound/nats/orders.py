"""QueueUpdate of orders from NATS: rounds that become tickets, and rounds not wanted any more."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from comanda_contracts import (
    CancellationRequested,
    ItemsAdded,
    Order,
    OrderPlaced,
    Unreadable,
    subjects,
)
from comanda_contracts import Round as OrderedRound
from comanda_contracts.streams import ORDERS
from nats.aio.client import Client
from service_kit.nats.consumer import Consumer
from service_kit.nats.dead_letters import DeadLetter, set_aside
from service_kit.nats.subscriber import Received
from service_kit.runtime.tracing import traced

from serving.application.change_ticket import ChangeTicket, Clock, NewId
from serving.application.queue_ticket import QueueTicket, queue_tickets
from serving.application.tickets import StoreUnavailable, Tickets
from serving.application.void_ticket import void_ticket
from serving.domain.ticket import Channel, Ticket, TicketLine

SERVICE = "serving"
TRACE_HEADERS = ("traceparent", "tracestate")


@dataclass(frozen=True, slots=True)
class KitchenRequest:
    """One message as commands to the kitchen: tickets to queue, then those of them to void."""

    received: Received
    to_queue: Sequence[QueueTicket]
    to_void: Sequence[ChangeTicket] = ()


def orders_consumer(client: Client, *, tickets: Tickets, clock: Clock, new_id: NewId) -> Consumer:
    """The durable consumer of the events of orders that are of concern to the kitchen."""
    return Consumer(
        stream=ORDERS,
        durable=SERVICE,
        subjects=tuple(
            subjects.order("*", "*", event)
            for event in ("placed", "items-added", "cancellation-requested")
        ),
        handler=partial(handle_orders, client=client, tickets=tickets, clock=clock, new_id=new_id),
    )


async def handle_orders(
    batch: Sequence[Received],
    *,
    client: Client,
    tickets: Tickets,
    clock: Clock,
    new_id: NewId,
) -> None:
    """Queue a ticket for each round, and void the tickets of cancelled rounds. Safe to repeat.

    Each message is acknowledged once its commands are stored; the others come again. A message that
    no ticket can be made of goes to the dead-letter stream. Raises the first failure to store, once
    all other messages are done with.
    """
    requests, dead_letters = [], []
    for received in batch:
        try:
            requests.append(kitchen_request(received))
        except Unreadable as error:
            dead_letters.append(DeadLetter(received.message, str(error)))
    if dead_letters:
        await set_aside(client, SERVICE, dead_letters)
    to_queue = [command for each in requests for command in each.to_queue]
    failures = iter(await queue_tickets(to_queue, tickets=tickets, clock=clock, new_id=new_id))
    outcomes = await asyncio.gather(
        *(
            _finish(each, [next(failures) for _ in each.to_queue], tickets, clock, new_id)
            for each in requests
        ),
        return_exceptions=True,
    )
    for outcome in outcomes:
        if outcome is not None:
            raise outcome


async def _finish(
    request: KitchenRequest,
    failures: Sequence[StoreUnavailable | None],
    tickets: Tickets,
    clock: Clock,
    new_id: NewId,
) -> None:
    """Void the request's tickets and acknowledge its message.

    `failures` says of each of its tickets whether it could be queued; raises the first of them.
    """
    for failure in filter(None, failures):
        raise failure
    with traced(request.received.message.headers):
        for command in request.to_void:
            await void_ticket(command, tickets=tickets, clock=clock, new_id=new_id)
    await request.received.message.ack()


def kitchen_request(received: Received) -> KitchenRequest:
    """The commands that follow from an event. Raises Unreadable if it is not of the kitchen."""
    match received.event:
        case OrderPlaced(order=order):
            return KitchenRequest(received, [_queue(received, order, 1)])
        case ItemsAdded(order=order, round=number):
            return KitchenRequest(received, [_queue(received, order, number)])
        case CancellationRequested(order=order) as event:
            rounds = order.cancellation.rounds if order.cancellation else ()
            to_queue = [_queue(received, order, number) for number in rounds]
            to_void = [_void(event, each.ticket, received) for each in to_queue]
            return KitchenRequest(received, to_queue, to_void)
        case event:
            raise Unreadable(f"{event.TYPE} does not belong on {received.message.subject}")


def _queue(received: Received, order: Order, number: int) -> QueueTicket:
    headers = received.message.headers or {}
    trace = {name: headers[name] for name in TRACE_HEADERS if name in headers}
    return QueueTicket(_ticket(order, number), trace)


def _void(event: CancellationRequested, ticket: Ticket, received: Received) -> ChangeTicket:
    """The event's id is the command's key, so that one delivered twice has one effect."""
    event_id = (received.message.headers or {}).get("ce-id")
    key = f"message/{event_id}" if event_id else None
    return ChangeTicket(ticket_id=ticket.id, actor=event.actor, request_key=key)


def _ticket(order: Order, number: int) -> Ticket:
    ordered = _round(order, number)
    _require_subject(order, number)
    return Ticket(
        restaurant=order.restaurant,
        order_id=order.order_id,
        round=number,
        number=order.number,
        channel=Channel(order.channel),
        table=order.table,
        customer=order.customer,
        lines=tuple(
            TicketLine(sku=line.sku, name=line.name, quantity=line.quantity, note=line.note)
            for line in ordered.lines
        ),
        ordered_at=ordered.ordered_at,
    )


def _round(order: Order, number: int) -> OrderedRound:
    for each in order.rounds:
        if each.round == number:
            return each
    raise Unreadable(f"order.rounds: there is no round {number}")


def _require_subject(order: Order, number: int) -> None:
    """Raise Unreadable if the ticket's events would have nowhere to go."""
    try:
        subjects.every_event_of_ticket(order.restaurant, order.order_id, number)
    except ValueError as error:
        raise Unreadable(f"order.restaurant: {error}") from error
