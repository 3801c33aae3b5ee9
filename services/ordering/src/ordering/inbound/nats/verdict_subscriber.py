"""The kitchen's verdicts on rounds, from the events of their tickets."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

import structlog
from comanda_contracts import (
    Event,
    TicketAbandoned,
    TicketRecalled,
    TicketRestated,
    TicketServed,
    TicketStatus,
    TicketVoided,
    TicketVoidRefused,
    Unreadable,
    subjects,
)
from comanda_contracts.streams import TICKETS
from nats.aio.msg import Msg
from service_kit.nats.router import Router
from service_kit.nats.subscriber import Received, read_event
from service_kit.runtime.tracing import traced

from ordering.application.take_verdict import TakeVerdict, take_verdict
from ordering.domain.order import KitchenVerdict, TicketState
from ordering.domain.refusals import UnknownOrder
from ordering.inbound.change import Store
from ordering.inbound.nats.failures import FAILURES, beside

log = structlog.get_logger()

VERDICT_EVENTS = ("served", "recalled", "voided", "void-refused", "abandoned", "restated")
"""The events of a ticket that are verdicts on its round."""

# decision/0066: a loss of streams is made good by restatements
VERDICTS: Mapping[str, KitchenVerdict | None] = {
    TicketStatus.QUEUED: None,
    TicketStatus.PREPARING: KitchenVerdict.STARTED,
    TicketStatus.READY: KitchenVerdict.STARTED,
    TicketStatus.SERVED: KitchenVerdict.SERVED,
    TicketStatus.VOIDED: KitchenVerdict.VOIDED,
    TicketStatus.ABANDONED: KitchenVerdict.ABANDONED,
}
"""By the status of a ticket that is said again; one that is queued may be voided still."""


def verdict_router(
    store: Store, clock: Callable[[], datetime], *, recall_grace: timedelta
) -> Router:
    """The subscriber that has ordering take the kitchen's verdicts."""
    router, others = Router(FAILURES), beside(store)

    async def on_verdict(received: Received[TakeVerdict]) -> None:
        command = received.event
        try:
            with traced(received.message.headers):
                await store.run(
                    lambda tx: take_verdict(
                        command, transaction=tx, at=clock(), recall_grace=recall_grace
                    ),
                    restaurant=command.restaurant,
                    comes_again=True,
                )
        except UnknownOrder:
            log.warning("cooked, but not known here", order_id=str(command.order_id))
        await received.message.ack()

    @router.batch_subscriber(
        TICKETS,
        durable="ordering",
        filter_subjects=[subjects.ticket("*", "*", "*", name) for name in VERDICT_EVENTS],
        reader=read_verdict,
    )
    async def on_verdicts(batch: list[Received[TakeVerdict]]) -> None:
        """Take the kitchen's verdicts on rounds.

        Safe to repeat; a verdict that could not be stored is not settled, and comes again.
        """
        await others.handle(on_verdict, batch, lambda each: each.restaurant)

    return router


def read_verdict(message: Msg) -> TakeVerdict:
    """The verdict in a message. Raises Unreadable if it is none."""
    return verdict_of(read_event(message))


def verdict_of(event: Event) -> TakeVerdict:
    """The verdict that an event tells of. Raises Unreadable if it tells of none."""
    verdict: KitchenVerdict | None
    match event:
        case TicketServed(ticket=ticket):
            verdict = KitchenVerdict.SERVED
        case TicketVoided(ticket=ticket):
            verdict = KitchenVerdict.VOIDED
        case TicketVoidRefused(ticket=ticket) if ticket.status is TicketStatus.SERVED:
            verdict = KitchenVerdict.SERVED
        case TicketVoidRefused(ticket=ticket) if ticket.status is TicketStatus.ABANDONED:
            verdict = KitchenVerdict.ABANDONED
        case TicketVoidRefused(ticket=ticket):  # the kitchen refuses to void what it has started
            verdict = KitchenVerdict.STARTED
        case TicketAbandoned(ticket=ticket):
            verdict = KitchenVerdict.ABANDONED
        case TicketRecalled(ticket=ticket):
            verdict = KitchenVerdict.STARTED
        case TicketRestated(ticket=ticket) if ticket.status in VERDICTS:
            verdict = VERDICTS[ticket.status]
        case _:
            raise Unreadable(f"{event.TYPE} is no verdict of the kitchen")
    return TakeVerdict(
        order_id=ticket.order_id,
        restaurant=ticket.restaurant,
        round=ticket.round,
        verdict=verdict,
        ticket=TicketState(ticket.version, served_at=ticket.served_at),
    )
