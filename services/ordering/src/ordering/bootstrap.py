"""How ordering is put together: the only place that knows every part."""

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
from ordering.inbound.http.openapi import BODIES
from ordering.inbound.http.orders import order_routes
from ordering.inbound.http.placing import placing, placing_lane
from ordering.inbound.nats.commands import commands_consumer
from ordering.inbound.nats.kitchen import kitchen_news
from ordering.outbound.database.engine import connect, watch
from ordering.outbound.outbox.first_events import HandOver
from ordering.outbound.relay.relay import Relay
from ordering.outbound.transaction.group_commit import GroupCommit
from ordering.outbound.transaction.idempotency import forget_expired
from ordering.settings import Settings


def bootstrap(settings: Settings) -> FastAPI:
    """The whole service. Orders are taken while PostgreSQL is there, whatever else is not."""
    engine = connect(settings.database_url.get_secret_value())
    handed = HandOver()
    relay = Relay(engine, settings.nats_servers, settings.stream_replicas, handed)
    commands = GroupCommit(engine, new_id=new_id, handed=handed)

    async def database(ready: Ready) -> None:
        await watch(engine, ready)

    async def sweep(ready: Ready) -> None:
        await forget_expired(engine, ready)

    async def kitchen(ready: Ready) -> None:
        async with connected(settings.nats_servers, "ordering") as nats:
            await set_up_stream(jetstream(nats), DEAD_LETTERS, replicas=settings.stream_replicas)
            news = kitchen_news(commands, utc_now)
            await consume(nats, "ordering", [news], ready)

    async def tills(ready: Ready) -> None:
        async with connected(settings.nats_servers, "ordering") as nats:
            for stream in (COMMANDS, DEAD_LETTERS):
                await set_up_stream(jetstream(nats), stream, replicas=settings.stream_replicas)
            orders = commands_consumer(nats, commands, clock=utc_now, new_id=new_id)
            await consume(nats, "ordering", [orders], ready)

    app = application(
        "Comanda ordering",
        "Takes orders and decides on every change to them.",
        [
            Component("database", database),
            Component("relay", relay.run, required=False),
            Component("sweep", sweep, required=False),
            Component("kitchen", kitchen, required=False),
            Component("commands", tills, required=False),
        ],
    )
    app.include_router(menu_routes(commands, utc_now))
    place = placing(commands, clock=utc_now, new_id=new_id)
    app.include_router(order_routes(commands, place, clock=utc_now))
    app.add_middleware(FastLane, lanes=[placing_lane(place)])
    add_examples(app, BODIES)
    return app


def new_id() -> UUID:
    """A new UUIDv7: unique, and in the order of time."""
    return uuid7()
