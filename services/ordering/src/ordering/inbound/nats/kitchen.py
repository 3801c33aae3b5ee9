"""What ordering hears from the kitchen."""

import asyncio
from collections.abc import Callable
from datetime import datetime

import structlog
from comanda_contracts import Event, TicketEvent, subjects
from comanda_contracts.streams import TICKETS
from service_kit.nats.consumer import Consumer
from service_kit.nats.subscriber import Received
from service_kit.runtime.tracing import traced

from ordering.application.hear_kitchen import KitchenNews, hear_kitchen
from ordering.domain.order import Heard
from ordering.domain.refusals import UnknownOrder
from ordering.inbound.answering import Store

log = structlog.get_logger()

NEWS = {
    "served": Heard.SERVED,
    "voided": Heard.VOIDED,
    "void-refused": Heard.BEGUN,
}
"""What each event of a ticket that ordering cares for tells it."""


def kitchen_news(store: Store, clock: Callable[[], datetime]) -> Consumer:
    """The consumer that tells ordering what becomes of the rounds."""

    async def hear(received: Received) -> None:
        news = _news(received.event)
        try:
            with traced(received.message.headers):
                await store.run(lambda tx: hear_kitchen(news, transaction=tx, at=clock()))
        except UnknownOrder:
            log.warning("cooked, but not known here", order_id=str(news.order_id))
        await received.message.ack()

    async def handle(batch: list[Received]) -> None:
        """Safe to repeat; what could not be stored is not settled, and comes again."""
        async with asyncio.TaskGroup() as tasks:
            for received in batch:
                tasks.create_task(hear(received))

    heard = tuple(subjects.ticket("*", "*", "*", name) for name in NEWS)
    return Consumer(TICKETS, "ordering", heard, handle)


def _news(event: Event) -> KitchenNews:
    assert isinstance(event, TicketEvent)  # noqa: S101 - the subjects say so
    ticket = event.ticket
    return KitchenNews(
        order_id=ticket.order_id,
        restaurant=ticket.restaurant,
        round=ticket.round,
        heard=NEWS[event.name],
    )
