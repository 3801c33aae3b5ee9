"""Has ordering erase what it keeps, once it is published that a guest is forgotten."""

from collections.abc import Awaitable, Callable

from comanda_contracts import OrderForgotten, subjects
from comanda_contracts.streams import ORDERS
from service_kit.nats.batches import one_after_another
from service_kit.nats.erasure import read_forgotten
from service_kit.nats.router import Router
from service_kit.nats.subscriber import Received
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from ordering.application.transaction import StoreUnavailable
from ordering.inbound.nats.failures import FAILURES

DURABLE = "ordering-forgetting"

Erase = Callable[[OrderForgotten, int], Awaitable[None]]
"""Erases what came before an event that is stored at this sequence."""


# decision/0077: a guest is forgotten
def forgotten_router(erase: Erase) -> Router:
    """The subscriber that has ordering erase."""
    router = Router(FAILURES)

    async def on_one(received: Received[OrderForgotten]) -> None:
        try:
            await erase(received.event, received.message.metadata.sequence.stream)
        except (DBAPIError, PoolTimeoutError) as error:
            raise StoreUnavailable(type(error).__name__) from error
        await received.message.ack()

    @router.batch_subscriber(
        ORDERS,
        durable=DURABLE,
        filter_subjects=[subjects.order("*", "*", "forgotten")],
        reader=read_forgotten,
    )
    async def on_forgotten(batch: list[Received[OrderForgotten]]) -> None:
        """Erase what was said of orders before their guests were forgotten.

        Safe to repeat; what could not be erased now comes again.
        """
        await one_after_another(on_one, batch)

    return router
