"""Puts ordering together: the only place that knows every part."""

from uuid import UUID

from comanda_contracts.streams import COMMANDS, DEAD_LETTERS
from fastapi import FastAPI
from service_kit.http.fast_lane import FastLane
from service_kit.http.openapi_examples import add_examples
from service_kit.http.server import application
from service_kit.nats.consumer import consume
from service_kit.nats.jetstream import connected, jetstream
from service_kit.nats.set_up import set_up_stream
from service_kit.runtime.clock import utc_now
from service_kit.runtime.components import Component, Ready
from uuid_utils.compat import uuid7

from ordering.inbound.http.menu import menu_routes
from ordering.inbound.http.openapi import BODY_EXAMPLES
from ordering.inbound.http.order_placement import placement_endpoint, placement_lane
from ordering.inbound.http.orders import order_routes
from ordering.inbound.nats.command_subscriber import command_subscriber
from ordering.inbound.nats.verdict_subscriber import verdict_subscriber
from ordering.outbound.database.engine import connect, watch
from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.relay.relay import Relay
from ordering.outbound.transaction.group_commit import GroupCommit
from ordering.outbound.transaction.idempotency import delete_expired_answers
from ordering.settings import Settings


def bootstrap(settings: Settings) -> FastAPI:
    """The whole service. Orders are taken while PostgreSQL is there, whatever else is not."""
    engine = connect(settings.database_url.get_secret_value())
    first_events = FirstEvents()
    relay = Relay(engine, settings.nats_servers, settings.stream_replicas, first_events)
    store = GroupCommit(engine, new_id=new_id, first_events=first_events)

    async def database(ready: Ready) -> None:
        await watch(engine, ready)

    async def sweep(ready: Ready) -> None:
        await delete_expired_answers(engine, ready)

    async def kitchen(ready: Ready) -> None:
        async with connected(settings.nats_servers, "ordering") as nats:
            await set_up_stream(jetstream(nats), DEAD_LETTERS, replicas=settings.stream_replicas)
            await consume(nats, "ordering", [verdict_subscriber(store, utc_now)], ready)

    async def commands(ready: Ready) -> None:
        async with connected(settings.nats_servers, "ordering") as nats:
            for stream in (COMMANDS, DEAD_LETTERS):
                await set_up_stream(jetstream(nats), stream, replicas=settings.stream_replicas)
            subscriber = command_subscriber(nats, store, clock=utc_now, new_id=new_id)
            await consume(nats, "ordering", [subscriber], ready)

    app = application(
        "Comanda ordering",
        "Takes orders and decides on every change to them.",
        [
            Component("database", database),
            Component("relay", relay.run, required=False),
            Component("sweep", sweep, required=False),
            Component("kitchen", kitchen, required=False),
            Component("commands", commands, required=False),
        ],
    )
    app.include_router(menu_routes(store, utc_now))
    place = placement_endpoint(store, clock=utc_now, new_id=new_id)
    app.include_router(order_routes(store, place, clock=utc_now))
    app.add_middleware(FastLane, lanes=[placement_lane(place)])
    add_examples(app, BODY_EXAMPLES)
    return app


def new_id() -> UUID:
    """A new UUIDv7: unique, and in the order of time."""
    return uuid7()
