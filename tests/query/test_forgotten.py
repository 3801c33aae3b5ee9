"""A guest is forgotten in the views; audits and rebuilds agree without what was erased."""

import contextlib

from comanda_contracts import OrderForgotten, TicketForgotten, TicketStatus, subjects
from comanda_contracts.streams import ORDERS, TICKETS
from comanda_local.servers import Nats
from nats.aio.client import Client
from nats.js.errors import NotFoundError
from query.bootstrap import Role
from query.storage.client import Database
from query.storage.generations import Generation, Generations
from query.storage.orders.store import MongoOrders
from query.views.orders.view import document, merge, view_of

from tests.query.builders import after, an_order, closed, its_ticket, news_of, placed
from tests.query.operators import run
from tests.query.running import publish, quiet, running_service


async def test_views_audits_and_rebuilds_agree_once_what_came_before_is_erased(
    nats: Client, nats_server: Nats, fresh_mongodb_url: str, database: Database, restaurant: str
) -> None:
    servers = nats_server.url, fresh_mongodb_url
    order = an_order(restaurant=restaurant, customer="Zebulon")
    ticket = its_ticket(order, status=TicketStatus.SERVED, version=4)
    over = closed(order)
    last = over.order
    cleared = last.model_copy(update={"version": last.version + 1, "customer": None})
    forgotten = OrderForgotten(order=cleared, at=after(60))
    of_ticket = TicketForgotten(
        ticket=ticket.model_copy(update={"version": 5, "customer": None}), at=after(61)
    )
    async with running_service(*servers, Role.PROJECTOR):
        await publish(nats, placed(order), news_of(ticket), over, forgotten, of_ticket)
        await quiet(nats)
        before = await run(servers, "audit")

        await erase_older(nats, str(order.order_id))

        audited, rebuilt = await run(servers, "audit"), await run(servers, "rebuild")
    expected = document(merge(view_of(forgotten), view_of(of_ticket)))
    assert (before.code, audited.code, rebuilt.code) == (0, 0, 0), (audited.output, rebuilt.notes)
    assert "differ" not in rebuilt.output
    for number in (1, 2):
        orders = Generation(database, number).orders
        assert await orders.find_one({"_id": expected["_id"]}) == expected


async def erase_older(nats: Client, order_id: str) -> None:
    """Erase the messages of an order, and of its ticket, but for the last of each."""
    js = nats.jetstream()
    for stream, subject in (
        (ORDERS, subjects.order("*", order_id, "*")),
        (TICKETS, subjects.ticket("*", order_id, "*", "*")),
    ):
        last = (await js.get_last_msg(stream.name, subject)).seq or 0
        sequence = 0
        with contextlib.suppress(NotFoundError):
            while True:
                message = await js.get_msg(stream.name, sequence + 1, subject=subject, next=True)
                sequence = message.seq or last
                if sequence == last:
                    break
                await js.delete_msg(stream.name, sequence)


async def test_a_guest_is_forgotten_also_in_a_generation_that_is_kept(database: Database) -> None:
    order = an_order(customer="Zebulon")
    over = closed(order)
    cleared = over.order.model_copy(update={"version": over.order.version + 1, "customer": None})
    forgotten = view_of(OrderForgotten(order=cleared, at=after(60)))
    kept = Generation(database, 7).orders
    await kept.insert_one(document(merge(view_of(placed(order)), view_of(over))))

    for _ in range(2):
        await MongoOrders(Generations(database)).forget(forgotten)

    assert await kept.find_one({"_id": str(order.order_id)}) == document(forgotten)


async def test_a_guest_is_forgotten_also_where_a_projector_is_behind(database: Database) -> None:
    order = an_order(customer="Zebulon")
    over = closed(order)
    cleared = over.order.model_copy(update={"version": over.order.version + 1, "customer": None})
    forgotten = view_of(OrderForgotten(order=cleared, at=after(60)))
    orders = MongoOrders(Generations(database))
    await orders.merge([merge(view_of(placed(order)), view_of(over))])

    await orders.forget(forgotten)

    written = Generation(database, 1).orders
    assert await written.find_one({"_id": str(order.order_id)}) == document(forgotten)
