"""The only wiring: every part of serving is made and joined here."""

from functools import partial

from comanda_contracts.streams import DEAD_LETTERS, TICKETS
from fastapi import FastAPI
from service_kit.http.openapi_examples import add_examples
from service_kit.http.server import application
from service_kit.nats.consumer import consume
from service_kit.nats.jetstream import connected, jetstream
from service_kit.nats.set_up import set_up_stream
from service_kit.runtime.clock import utc_now
from service_kit.runtime.components import Component, Ready
from uuid_utils.compat import uuid7

from serving.inbound.http.openapi import RESPONSE_EXAMPLES
from serving.inbound.http.tickets import routes
from serving.inbound.nats.orders import SERVICE, orders_consumer
from serving.outbound.bookmarks import keep_bookmark, set_up_bookmarks
from serving.outbound.kitchen_queues import KitchenQueues, export_lengths
from serving.outbound.link import Link
from serving.outbound.ticket_stream import TicketStream
from serving.settings import Settings

DESCRIPTION = "Carries each order's tickets through the kitchen to the guest."


def bootstrap(settings: Settings) -> FastAPI:
    """The service: its HTTP side, and beside it the queues, the bookmark and the orders.

    Without ordering there is no stream of orders; the kitchen works on with what it has, so the
    service is ready without that consumer.
    """
    link = Link()
    queues = KitchenQueues(link)
    export_lengths(queues)
    app = application(
        "Comanda serving",
        DESCRIPTION,
        [
            Component("queue", partial(_keep_queues, settings, link, queues)),
            Component("orders", partial(_consume_orders, settings), required=False),
            Component("bookmark", partial(_keep_bookmark, settings, queues), required=False),
        ],
        on_shutdown=[queues.close],
    )
    app.include_router(
        routes(
            tickets=TicketStream(link.client),
            read_queue=queues.of,
            open_feed=queues.feed,
            clock=utc_now,
            new_id=uuid7,
        )
    )
    add_examples(app, RESPONSE_EXAMPLES)
    return app


async def _keep_queues(settings: Settings, link: Link, queues: KitchenQueues, ready: Ready) -> None:
    async with connected(settings.nats_servers, SERVICE) as client:
        js = jetstream(client)
        for stream in (TICKETS, DEAD_LETTERS):
            await set_up_stream(js, stream, replicas=settings.stream_replicas)
        with link.over(client):
            await queues.keep_up_to_date(client, ready)


async def _keep_bookmark(settings: Settings, queues: KitchenQueues, ready: Ready) -> None:
    async with connected(settings.nats_servers, SERVICE) as client:
        js = jetstream(client)
        await set_up_bookmarks(js, replicas=settings.stream_replicas)
        await keep_bookmark(js, queues.bookmark, ready)


async def _consume_orders(settings: Settings, ready: Ready) -> None:
    async with connected(settings.nats_servers, SERVICE) as client:
        tickets = TicketStream(lambda: client)
        consumer = orders_consumer(client, tickets=tickets, clock=utc_now, new_id=uuid7)
        await consume(client, SERVICE, [consumer], ready)
