"""Has serving forget the tickets of an order whose guest is forgotten."""

from collections.abc import Mapping
from typing import Protocol

from comanda_contracts import Order, OrderForgotten, subjects
from comanda_contracts.streams import ORDERS
from service_kit.nats.batches import one_after_another
from service_kit.nats.erasure import read_forgotten
from service_kit.nats.router import Router
from service_kit.nats.subscriber import Received
from service_kit.runtime.tracing import traced

from serving.application.change_ticket import ChangeTicket, Clock, NewId
from serving.application.forget_ticket import forget_ticket
from serving.application.tickets import Tickets
from serving.domain.ticket import Ticket, TicketId
from serving.inbound.nats.orders import FAILURES

DURABLE = "serving-forgetting"


class Erasure(Protocol):
    """What the store can do about the past. Safe to repeat; each raises nats.errors.Error."""

    async def past_tickets(self, order: Order) -> Mapping[int, Ticket]:
        """The order's tickets by round, also those that only the archive has."""

    async def erase(self, order: Order) -> None:
        """Erase what came before the order's tickets were forgotten."""


# decision/0077: a guest is forgotten
def forgotten_router(*, tickets: Tickets, erasure: Erasure, clock: Clock, new_id: NewId) -> Router:
    """The consumer by which guests are forgotten, apart from that which a kitchen waits for."""
    router = Router(FAILURES)

    async def on_one(received: Received[OrderForgotten]) -> None:
        order = received.event.order
        key = f"message/{(received.message.headers or {}).get('ce-id')}"
        with traced(received.message.headers):
            past = await erasure.past_tickets(order)
            for each in order.rounds:
                command = ChangeTicket(
                    ticket_id=TicketId(order.restaurant, order.order_id, each.round),
                    request_key=key,
                    order_version=order.version,
                )
                await forget_ticket(
                    command, past.get(each.round), tickets=tickets, clock=clock, new_id=new_id
                )
            await erasure.erase(order)
        await received.message.ack()

    @router.batch_subscriber(
        ORDERS,
        durable=DURABLE,
        filter_subjects=[subjects.order("*", "*", "forgotten")],
        reader=read_forgotten,
    )
    async def on_forgotten(batch: list[Received[OrderForgotten]]) -> None:
        """Forgets the tickets of an order, and then erases what was said of them before.

        The last message of a ticket is the ticket: so the one that forgets is there first.
        """
        await one_after_another(on_one, batch)

    return router
