"""Erases what query keeps of a forgotten guest beside the views that are written."""

from collections.abc import Awaitable, Callable

from comanda_contracts import OrderForgotten, subjects
from comanda_contracts.streams import ORDERS
from nats.aio.client import Client
from service_kit.nats.batches import one_after_another
from service_kit.nats.erasure import erase_letters, mentions, read_forgotten
from service_kit.nats.router import Router
from service_kit.nats.subscriber import Received

from query.projection.apply import FAILURES
from query.projection.projector import SERVICE
from query.views.orders.view import view_of_order
from query.views.ports import Orders

DURABLE = "query-forgetting"


# decision/0077: a guest is forgotten
def forgetting_router(orders: Orders, client: Callable[[], Awaitable[Client]]) -> Router:
    """The consumer by which guests are forgotten in generations that are kept, and dead letters.

    In the views that are written they are by the events themselves, as by any.
    """
    router = Router(FAILURES)

    async def on_one(received: Received[OrderForgotten]) -> None:
        order_id = str(received.event.order.order_id)
        await orders.forget(view_of_order(received.event))
        await erase_letters(await client(), SERVICE, lambda each: mentions(each, order_id))
        await received.message.ack()

    @router.batch_subscriber(
        ORDERS,
        durable=DURABLE,
        filter_subjects=[subjects.order("*", "*", "forgotten")],
        reader=read_forgotten,
    )
    async def on_forgotten(batch: list[Received[OrderForgotten]]) -> None:
        """Erases what is kept of orders beside their views."""
        await one_after_another(on_one, batch)

    return router
