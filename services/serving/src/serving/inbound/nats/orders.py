"""Events of orders from NATS: rounds become tickets, and end when cancelled or with the day."""

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

import comanda_contracts as contracts
import structlog
from comanda_contracts import (
    CancellationRequested,
    ItemsAdded,
    Order,
    OrderPlaced,
    OrderRestated,
    Unreadable,
    subjects,
)
from comanda_contracts import Round as OrderedRound
from comanda_contracts.envelope import MAX_SAFE_INTEGER
from comanda_contracts.streams import ORDERS
from nats.aio.msg import Msg
from service_kit.nats.batches import each_by_itself
from service_kit.nats.failures import BatchFailed, Classifier, Failure
from service_kit.nats.router import Router
from service_kit.nats.subscriber import Received, read_event
from service_kit.runtime.tracing import traced

from serving.application.change_ticket import ChangeTicket, Clock, NewId
from serving.application.end_ticket import end_ticket
from serving.application.queue_ticket import QueueTicket, queue_tickets
from serving.application.restate_ticket import RestateTicket, restate_ticket
from serving.application.tickets import (
    OrderedTooLongAgo,
    StoreUnavailable,
    Tickets,
    TicketTooLarge,
)
from serving.application.void_ticket import void_ticket
from serving.contract import EVENT_MODELS, sender_from_contract
from serving.domain.ticket import (
    CancellationOver,
    Ticket,
    TicketId,
    TicketLine,
    TicketStatus,
    UnknownTicket,
    version_at_restatement,
)

log = structlog.get_logger()

SERVICE = "serving"
"""The name of the durable, of the connection and of the service's dead letters."""
CONSUMED_EVENTS = ("placed", "items-added", "cancellation-requested", "restated")
"""The events of an order that are of concern to the kitchen."""
FAILURES = Classifier(permanent=(TicketTooLarge,), outages=(StoreUnavailable,))
"""The errors by which a message fails: which are its own fault, and which nobody's."""
TRACE_HEADERS = ("traceparent",)


@dataclass(frozen=True, slots=True)
class KitchenRequest:
    """The commands that a message leads to: tickets to queue or restate, then some to void.

    If it `closes` the order these end, though they are begun.
    """

    to_queue: Sequence[QueueTicket] = ()
    to_restate: Sequence[RestateTicket] = ()
    to_void: Sequence[ChangeTicket] = ()
    closes: bool = False


def order_router(*, tickets: Tickets, clock: Clock, new_id: NewId) -> Router:
    """The consumer of the events of orders that are of concern to the kitchen."""
    router = Router(FAILURES)
    router.publishes(*EVENT_MODELS.values())

    @router.batch_subscriber(
        ORDERS,
        durable=SERVICE,
        filter_subjects=[subjects.order("*", "*", event) for event in CONSUMED_EVENTS],
        reader=read_kitchen_request,
    )
    async def on_orders(batch: list[Received[KitchenRequest]]) -> None:
        """Queues a ticket for each round, and voids the tickets of cancelled rounds.

        Of an order that is closed with its day it ends the tickets. Of one that is restated it
        restates the tickets, and makes those that are missing.
        """
        await carry_out(batch, tickets=tickets, clock=clock, new_id=new_id)

    return router


async def carry_out(
    batch: Sequence[Received[KitchenRequest]], *, tickets: Tickets, clock: Clock, new_id: NewId
) -> None:
    """Queue, restate and void the tickets of a batch. Safe to repeat.

    A round that is restated in the batch, too, is queued by that alone, if it still is open: no
    kitchen is shown what was served before the streams were lost. So what is restated comes first,
    and a cancellation finds it. Each message is acknowledged once its commands are stored. Raises
    BatchFailed, which names the others, once all are done with.
    """
    restated = {each.ticket.id for received in batch for each in received.event.to_restate}
    wanted = {
        id(each): [one for one in each.event.to_queue if one.ticket.id not in restated]
        for each in batch
    }
    to_queue = [command for each in batch for command in wanted[id(each)]]
    failures = iter(await queue_tickets(to_queue, tickets=tickets, clock=clock, new_id=new_id))
    of_each = {id(each): [next(failures) for _ in wanted[id(each)]] for each in batch}

    failed: dict[int, Failure] = {}
    missing = set[TicketId]()

    async def finish(received: Received[KitchenRequest]) -> None:
        if any(each.ticket_id in missing for each in received.event.to_void):
            raise StoreUnavailable("its ticket has to be restated first")
        await _finish(received, of_each[id(received)], tickets, clock, new_id)

    for restates in (True, False):
        part = [each for each in batch if bool(each.event.to_restate) is restates]
        try:
            await each_by_itself(finish, part)
        except BatchFailed as error:
            failed |= {id(each.message): each for each in error.failures}
        not_done = [each for each in part if id(each.message) in failed]
        missing |= {one.ticket.id for each in not_done for one in each.event.to_restate}
    if failed:
        raise BatchFailed([*failed.values()])


async def _finish(
    received: Received[KitchenRequest],
    failures: Sequence[StoreUnavailable | TicketTooLarge | OrderedTooLongAgo | None],
    tickets: Tickets,
    clock: Clock,
    new_id: NewId,
) -> None:
    """Restate and void the tickets of a request, and acknowledge its message.

    `failures` says of each of its tickets whether it could be queued; raises the first of them, but
    for those that are long over.
    """
    for failure in filter(None, failures):
        if not isinstance(failure, OrderedTooLongAgo):
            raise failure
        log.warning("ordered too long ago for the kitchen", subject=received.message.subject)
    with traced(received.message.headers):
        for each in received.event.to_restate:
            await restate_ticket(each, tickets=tickets, clock=clock, new_id=new_id)
        end = end_ticket if received.event.closes else void_ticket
        for command in received.event.to_void:
            with contextlib.suppress(UnknownTicket, CancellationOver):  # it was answered then
                await end(command, tickets=tickets, clock=clock, new_id=new_id)
    await received.message.ack()


def read_kitchen_request(message: Msg) -> KitchenRequest:
    """The commands that a message leads to. Raises Unreadable if no ticket can be made of it."""
    match read_event(message):
        case OrderPlaced(order=order):
            return KitchenRequest([_queue(message, order, 1)])
        case ItemsAdded(order=order, round=number):
            return KitchenRequest([_queue(message, order, number)])
        case CancellationRequested(order=order) as event:
            rounds = order.cancellation.rounds if order.cancellation else ()
            to_queue = [_queue(message, order, number) for number in rounds]
            to_void = [
                _void(event.actor, event.by, each.ticket, order.version, message)
                for each in to_queue
            ]
            return KitchenRequest(to_queue, to_void=to_void, closes=_closes(order))
        case OrderRestated(order=order) as event:
            return _restatement(message, event)
        case event:
            raise Unreadable(f"{event.TYPE} does not belong on {message.subject}")


def _queue(message: Msg, order: Order, number: int) -> QueueTicket:
    headers = message.headers or {}
    trace = {name: headers[name] for name in TRACE_HEADERS if name in headers}
    return QueueTicket(_ticket(order, number), trace)


def _restatement(message: Msg, event: OrderRestated) -> KitchenRequest:
    """Each round is restated; those whose cancellation the kitchen has not answered are voided."""
    order = event.order
    version = version_at_restatement(order.version)
    if version > MAX_SAFE_INTEGER:
        raise Unreadable("order.version: no ticket can have a version above it")
    cancellation = order.cancellation
    cancelled = cancellation.rounds if cancellation else ()
    to_restate = [
        RestateTicket(
            ticket=_ticket(order, each.round),
            known=_known_status(event, each.round),
            version=version,
            order_version=order.version,
            is_cancelling=each.round in cancelled,
            said_at=event.at,
        )
        for each in order.rounds
    ]
    actor = cancellation.actor if cancellation else None
    return KitchenRequest(
        to_restate=to_restate,
        to_void=[
            _void(actor, None, each.ticket, order.version, message)
            for each in to_restate
            if each.is_cancelling and each.known is TicketStatus.QUEUED
        ],
        closes=_closes(order),
    )


def _closes(order: Order) -> bool:
    return order.cancellation is not None and order.cancellation.closes


def _known_status(event: OrderRestated, number: int) -> TicketStatus:
    """The status of a round's ticket, as far as ordering knows."""
    if number in event.open_rounds:
        return TicketStatus.QUEUED
    if number in event.abandoned_rounds:
        return TicketStatus.ABANDONED
    return TicketStatus.SERVED if number in event.served_rounds else TicketStatus.VOIDED


def _void(
    actor: str | None,
    by: contracts.Sender | None,
    ticket: Ticket,
    order_version: int,
    message: Msg,
) -> ChangeTicket:
    """The event's id is the command's key, so that one delivered twice has one effect."""
    event_id = (message.headers or {}).get("ce-id")
    key = f"message/{event_id}" if event_id else None
    return ChangeTicket(
        ticket_id=ticket.id,
        actor=actor,
        by=sender_from_contract(by),
        request_key=key,
        order_version=order_version,
    )


def _ticket(order: Order, number: int) -> Ticket:
    ordered = _round(order, number)
    return Ticket(
        restaurant=order.restaurant,
        order_id=order.order_id,
        round=number,
        number=order.number,
        channel=str(order.channel),
        table=order.table,
        guests=order.guests,
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
