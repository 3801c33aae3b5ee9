"""The only wiring: every part of serving is made and joined here."""

import contextlib
from collections.abc import AsyncIterator
from functools import partial

from comanda_contracts.streams import ORDERS, TICKETS, TICKETS_ARCHIVE
from service_kit.access.admission import admission_by
from service_kit.access.withdrawals import Withdrawals
from service_kit.http.openapi import ApiDescription
from service_kit.http.server import Application, application
from service_kit.nats.asyncapi import asyncapi_routes
from service_kit.nats.broker import Broker, running
from service_kit.nats.fill import watch_fill
from service_kit.nats.jetstream import jetstream
from service_kit.nats.set_up import Limits
from service_kit.nats.set_up import set_up as set_up_messaging
from service_kit.nats.stream_follower import set_up_stored_subjects
from service_kit.nats.withdrawal_follower import access_components
from service_kit.operate.connection import OperatorConnection
from service_kit.operate.examples import OPERATE_EXAMPLES
from service_kit.operate.letters import TAGS as OPERATE_TAGS
from service_kit.operate.letters import letter_routes
from service_kit.operate.status import status_routes
from service_kit.runtime.clock import utc_now
from service_kit.runtime.components import Component, Ready
from service_kit.runtime.nats_servers import NatsServers
from service_kit.runtime.settings import ServiceSettings, load
from uuid_utils.compat import uuid7

from serving.inbound.http.openapi import FEEDS, RESPONSE_EXAMPLES, TAGS
from serving.inbound.http.problems import Problem
from serving.inbound.http.tickets import routes
from serving.inbound.nats.forgotten import DURABLE as FORGETTING
from serving.inbound.nats.forgotten import forgotten_router
from serving.inbound.nats.orders import SERVICE, order_router
from serving.outbound.bookmarks import keep_bookmark, set_up_bookmarks
from serving.outbound.connection import connected_client, until_connected
from serving.outbound.hot_window import keep_in_window
from serving.outbound.kitchen_queues import KitchenQueues, export_lengths, keep_open_tickets
from serving.outbound.room import watch_room
from serving.outbound.ticket_erasure import TicketErasure
from serving.outbound.ticket_stream import TicketStream
from serving.settings import Settings

TITLE = "Comanda serving"
DESCRIPTION = "Carries each order's tickets through the kitchen to the guest."


def bootstrap(settings: Settings) -> Application:
    """The service: HTTP, and over one connection to NATS the queues, their bookmark and the orders.

    Without ordering there is no stream of orders; the kitchen works on with what it has, so the
    service is ready without that consumer.
    """
    broker, tickets = _messaging(settings)
    withdrawals = Withdrawals(token_life_max_s=settings.token_life_max_s)
    queues = KitchenQueues(partial(connected_client, broker))
    export_lengths(queues, utc_now)
    app = application(
        TITLE,
        DESCRIPTION,
        [
            Component("queue", partial(_keep_queues, broker, queues)),
            *access_components(withdrawals, broker.client),
            Component("room", partial(_watch_room, broker)),
            Component("fill", partial(_watch_fill, broker, settings), required=False),
            Component("orders", broker.watching(ORDERS), required=False),
            Component("forgetting", broker.watching(ORDERS, FORGETTING), required=False),
            Component("window", partial(_keep_in_window, broker, queues), required=False),
            Component("bookmark", partial(_keep_bookmark, broker, queues), required=False),
        ],
        on_shutdown=[queues.close],
        messaging=partial(running, broker),
        admission=admission_by(settings, withdrawals),
    )
    app.include_router(
        routes(
            tickets=tickets,
            read_queue=queues.of,
            open_feed=queues.feed,
            clock=utc_now,
            new_id=uuid7,
            recall_grace=settings.recall_grace,
        )
    )
    app.include_router(
        asyncapi_routes(broker, title=TITLE, description=DESCRIPTION, version=app.version)
    )
    operator = OperatorConnection(SERVICE, settings.operator_servers)
    app.include_router(letter_routes(operator, partial(_replaying, settings)))
    app.include_router(status_routes(app, operator, broker, lambda: broker.batch_subscribers))
    examples = {**RESPONSE_EXAMPLES, **OPERATE_EXAMPLES}
    app.described = ApiDescription(TAGS | OPERATE_TAGS, examples, Problem, FEEDS)
    return app


async def set_up(settings: ServiceSettings, *, apply_retention: bool = False) -> None:
    """Make TICKETS, its archive, the bookmark's bucket and the durable. Safe to repeat.

    ORDERS is ordering's, and is waited for. Raises TimeoutError if it does not come.
    """
    broker, _ = _messaging(settings)
    replicas = settings.stream_replicas
    await set_up_messaging(
        broker,
        settings.nats_servers,
        streams=[TICKETS],
        replicas=replicas,
        limits=Limits.of(settings),
        archives=[TICKETS_ARCHIVE],
        archive_tags=settings.archive_server_tags,
        apply_retention=apply_retention,
        before_retention=keep_open_tickets,
        steps=[
            partial(set_up_stored_subjects, stream=TICKETS),
            partial(set_up_bookmarks, replicas=replicas),
        ],
    )


@contextlib.asynccontextmanager
async def replaying_broker() -> AsyncIterator[Broker]:
    """Serving's handlers on the running system's stream, with nothing consumed."""
    settings = load(ServiceSettings)
    async with _replaying(settings, settings.nats_servers) as broker:
        yield broker


@contextlib.asynccontextmanager
async def _replaying(
    settings: ServiceSettings, servers: NatsServers, _: str | None = None
) -> AsyncIterator[Broker]:
    """The same, over these servers."""
    broker, _tickets = _messaging(settings, servers)
    async with broker.without_consuming():
        yield broker


def _messaging(
    settings: ServiceSettings, servers: NatsServers | None = None
) -> tuple[Broker, TicketStream]:
    """The process's one connection to NATS with what is consumed over it, and the store on it.

    The servers are those of the settings, unless others are given.
    """
    broker = Broker(servers or settings.nats_servers, SERVICE)
    tickets = TicketStream(partial(connected_client, broker))
    broker.include_router(order_router(tickets=tickets, clock=utc_now, new_id=uuid7))
    erasure = TicketErasure(SERVICE, broker.client)
    broker.include_router(
        forgotten_router(tickets=tickets, erasure=erasure, clock=utc_now, new_id=uuid7)
    )
    return broker, tickets


async def _keep_queues(broker: Broker, queues: KitchenQueues, ready: Ready) -> None:
    await queues.keep_up_to_date(await until_connected(broker, ready), ready)


async def _watch_room(broker: Broker, ready: Ready) -> None:
    await watch_room(jetstream(await until_connected(broker, ready)), ready)


async def _watch_fill(broker: Broker, settings: Settings, ready: Ready) -> None:
    js = await broker.jetstream_context()
    await watch_fill(js, [TICKETS], ready, orders_max=settings.orders_kept_max)


async def _keep_in_window(broker: Broker, queues: KitchenQueues, ready: Ready) -> None:
    await keep_in_window(await broker.jetstream_context(), queues.open_sequences, ready)


async def _keep_bookmark(broker: Broker, queues: KitchenQueues, ready: Ready) -> None:
    await keep_bookmark(await broker.jetstream_context(), queues.bookmark, ready)
