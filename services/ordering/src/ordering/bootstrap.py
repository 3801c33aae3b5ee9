"""Puts ordering together: the only place that knows every part."""

import contextlib
from collections.abc import AsyncIterator
from datetime import date, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from comanda_contracts.streams import (
    ACCESS,
    COMMANDS,
    DEAD_LETTERS,
    MENU,
    ORDERS,
    ORDERS_ARCHIVE,
    RESTAURANTS,
    TICKETS,
)
from service_kit.access.admission import admission_by
from service_kit.access.guests import GuestSigner
from service_kit.access.withdrawals import Withdrawals
from service_kit.http.fast_lane import FastLane
from service_kit.http.openapi import ApiDescription
from service_kit.http.server import Application, application
from service_kit.nats.asyncapi import asyncapi_routes
from service_kit.nats.broker import Broker, running
from service_kit.nats.fill import watch_fill
from service_kit.nats.set_up import Limits, set_up
from service_kit.nats.stream_follower import set_up_stored_subjects
from service_kit.operate.connection import OperatorConnection
from service_kit.operate.examples import OPERATE_EXAMPLES
from service_kit.operate.letters import TAGS as OPERATE_TAGS
from service_kit.operate.letters import letter_routes
from service_kit.operate.status import status_routes
from service_kit.runtime.clock import utc_now
from service_kit.runtime.components import Component, Ready
from service_kit.runtime.nats_servers import NatsServers
from service_kit.runtime.settings import ServiceSettings, load
from sqlalchemy.ext.asyncio import AsyncEngine
from uuid_utils.compat import uuid7

from ordering.application.close_day import (
    CloseDay,
    FinishDayClosing,
    close_day,
    finish_day_closing,
)
from ordering.application.close_handed_over import CloseHandedOver, close_handed_over
from ordering.application.end_order import EndOrder, end_order
from ordering.domain.day_closing import DayClosing
from ordering.domain.order import RECALL_GRACE
from ordering.inbound.change import Store
from ordering.inbound.http.access import access_routes
from ordering.inbound.http.days import day_routes
from ordering.inbound.http.menu import menu_routes
from ordering.inbound.http.openapi import BODY_EXAMPLES, TAGS
from ordering.inbound.http.order_placement import placement_endpoint, placement_lane
from ordering.inbound.http.order_reading import order_reading_routes
from ordering.inbound.http.orders import forgetting_routes, order_routes
from ordering.inbound.nats.command_subscriber import command_router
from ordering.inbound.nats.forgotten_subscriber import DURABLE as FORGETTING
from ordering.inbound.nats.forgotten_subscriber import forgotten_router
from ordering.inbound.nats.sender import Identify, by_letter, by_token, nobody
from ordering.inbound.nats.verdict_subscriber import verdict_router
from ordering.outbound.database.cancellations import watch_cancellations
from ordering.outbound.database.engine import connect
from ordering.outbound.database.handed_over import watch_handed_over
from ordering.outbound.database.health import WriteHealth, needing_schema, watch
from ordering.outbound.database.withdrawals import (
    access_components,
    delete_expired_withdrawals,
    is_withdrawn,
)
from ordering.outbound.forgetting.erasure import OrderErasure
from ordering.outbound.outbox.first_events import FirstEvents
from ordering.outbound.outbox.operate_routes import OUTBOX_EXAMPLES, outbox_routes
from ordering.outbound.outbox.waiting import oldest_s, watch_waiting
from ordering.outbound.relay.publisher import event_router
from ordering.outbound.relay.relay import Relay
from ordering.outbound.transaction.day_closings import DayClosings, watch_day_closings
from ordering.outbound.transaction.group_commit import GroupCommit, export_queue
from ordering.outbound.transaction.idempotency import delete_expired_answers
from ordering.outbound.transaction.menus import PostgresMenus
from ordering.outbound.transaction.orders import PostgresOrders
from ordering.outbound.transaction.restaurants import PostgresRestaurants
from ordering.settings import OperatorSettings, Settings

SERVICE = "ordering"
TITLE = "Comanda ordering"
DESCRIPTION = "Takes orders and decides on every change to them."

OWN_STREAMS = (ORDERS, MENU, RESTAURANTS, ACCESS, COMMANDS, DEAD_LETTERS)


def bootstrap(settings: Settings) -> Application:
    """The whole service. Orders are taken while PostgreSQL is there, whatever else is not."""
    engine = connect(settings.database_url.get_secret_value(), settings.database_tls)
    first_events = FirstEvents()
    writes = WriteHealth()
    withdrawals = Withdrawals(token_life_max_s=settings.token_life_max_s)
    store = GroupCommit(engine, new_id=new_id, first_events=first_events, writes=writes)
    export_queue(store)
    admission = admission_by(settings, withdrawals)
    guests = _guests(settings)
    broker = messaging(
        settings.nats_servers,
        store,
        engine,
        by_token(admission),
        guests,
        recall_grace=settings.recall_grace,
    )
    relay = Relay(engine, broker.client, first_events, token_life_max_s=settings.token_life_max_s)

    async def database(ready: Ready) -> None:
        await watch(engine, ready, writes)

    async def waiting(ready: Ready) -> None:
        await watch_waiting(engine, ready, within_s=settings.outbox_within, clock=utc_now)

    async def fill(ready: Ready) -> None:
        js = await broker.jetstream_context()
        await watch_fill(js, OWN_STREAMS, ready, orders_max=settings.orders_kept_max)

    async def cancellations(ready: Ready) -> None:
        await watch_cancellations(engine, ready, clock=utc_now)

    async def handed_over(ready: Ready) -> None:
        grace = settings.recall_grace

        async def close(restaurant: str, order_id: UUID) -> None:
            command = CloseHandedOver(order_id=order_id, restaurant=restaurant)
            await store.run(
                lambda tx: close_handed_over(
                    command, transaction=tx, at=utc_now(), recall_grace=grace
                ),
                restaurant=restaurant,
                comes_again=True,
            )

        await watch_handed_over(
            engine,
            ready,
            close=close,
            heard_until=partial(broker.settled_until, TICKETS, utc_now),
            recall_grace=grace,
        )

    async def sweep(ready: Ready) -> None:
        await delete_expired_answers(engine, ready)

    async def withdrawals_sweep(ready: Ready) -> None:
        kept_for = timedelta(seconds=withdrawals.remembered_s)
        await delete_expired_withdrawals(engine, ready, kept_for=kept_for)

    on_the_database = [
        Component("database", database),
        *access_components(engine, withdrawals),
        Component("outbox", waiting),
        Component("relay", relay.run, required=False),
        Component("cancellations", cancellations, required=False),
        Component("handed-over", handed_over, required=False),
        Component("day-closings", partial(_watch_day_closings, engine, store), required=False),
        Component("sweep", sweep, required=False),
        Component("withdrawals-sweep", withdrawals_sweep, required=False),
    ]
    for component in on_the_database:
        component.run = needing_schema(component.run)
    app = application(
        TITLE,
        DESCRIPTION,
        [
            *on_the_database,
            Component("fill", fill, required=False),
            Component("kitchen", broker.watching(TICKETS), required=False),
            Component("commands", broker.watching(COMMANDS), required=False),
            Component("forgetting", broker.watching(ORDERS, FORGETTING), required=False),
        ],
        messaging=partial(running, broker),
        admission=admission,
    )
    app.include_router(
        menu_routes(store, PostgresRestaurants(engine), PostgresMenus(engine), utc_now)
    )
    app.include_router(day_routes(store, utc_now))
    app.include_router(access_routes(store, utc_now))
    place = placement_endpoint(store, clock=utc_now, new_id=new_id, guests=guests)
    app.include_router(order_routes(store, place, clock=utc_now))
    app.include_router(forgetting_routes(store, clock=utc_now))
    app.include_router(order_reading_routes(PostgresOrders(engine)))
    app.include_router(
        asyncapi_routes(broker, title=TITLE, description=DESCRIPTION, version=app.version)
    )
    operator = OperatorConnection(SERVICE, settings.operator_servers)
    replaying = partial(_replaying, engine, store, settings)
    app.include_router(letter_routes(operator, replaying, of_commands=True))
    app.include_router(status_routes(app, operator, broker, lambda: broker.batch_subscribers))
    app.include_router(outbox_routes(engine, partial(oldest_s, clock=utc_now)))
    app.add_middleware(FastLane, lanes=[placement_lane(place)])
    examples = {**BODY_EXAMPLES, **OPERATE_EXAMPLES, **OUTBOX_EXAMPLES}
    app.described = ApiDescription(TAGS | OPERATE_TAGS, examples)
    return app


async def _watch_day_closings(engine: AsyncEngine, store: Store, ready: Ready) -> None:
    """Close days, each step in a transaction of its own."""
    run = partial(store.run, comes_again=True)

    async def close(restaurant: str, day: date) -> None:
        command = CloseDay(restaurant=restaurant, business_day=day)
        await run(
            lambda tx: close_day(command, transaction=tx, at=utc_now()), restaurant=restaurant
        )

    async def end(closing: DayClosing, order_id: UUID) -> None:
        command = EndOrder(
            order_id=order_id,
            restaurant=closing.restaurant,
            reason=closing.reason,
            actor=closing.actor,
            by=closing.by,
        )
        await run(
            lambda tx: end_order(command, transaction=tx, at=utc_now()),
            restaurant=closing.restaurant,
        )

    async def finish(closing: DayClosing) -> None:
        command = FinishDayClosing(restaurant=closing.restaurant, version=closing.version)
        await run(
            lambda tx: finish_day_closing(command, transaction=tx, at=utc_now()),
            restaurant=closing.restaurant,
        )

    await watch_day_closings(engine, ready, DayClosings(close, end, finish), clock=utc_now)


def _guests(settings: Settings) -> GuestSigner | None:
    """What signs guests' capabilities, if there is a key. Raises GuestKeyUnusable."""
    return GuestSigner.from_file(Path(settings.guest_key)) if settings.guest_key else None


def messaging(
    servers: list[str],
    store: Store,
    engine: AsyncEngine,
    identify: Identify = nobody,
    guests: GuestSigner | None = None,
    *,
    recall_grace: timedelta = RECALL_GRACE,
) -> Broker:
    """The broker with everything that ordering consumes and publishes.

    Without a way to `identify` their senders no command is carried out: for what consumes none.
    """
    verdicts = verdict_router(store, utc_now, recall_grace=recall_grace)
    broker = Broker(servers, SERVICE, [event_router(), verdicts])
    commands = command_router(
        store, broker.client, clock=utc_now, new_id=new_id, identify=identify, guests=guests
    )
    broker.include_router(commands)
    broker.include_router(forgotten_router(OrderErasure(engine, broker.client)))
    return broker


async def set_up_messaging(settings: ServiceSettings, *, apply_retention: bool = False) -> None:
    """Make ordering's streams and durables. Safe to repeat. Raises TimeoutError."""
    no_database = connect("postgresql+asyncpg://")  # nothing is consumed, so nothing connects
    store = GroupCommit(no_database, new_id=new_id, first_events=FirstEvents())
    await set_up(
        messaging(settings.nats_servers, store, no_database),
        settings.nats_servers,
        streams=OWN_STREAMS,
        replicas=settings.stream_replicas,
        limits=Limits.of(settings),
        archives=[ORDERS_ARCHIVE],
        archive_tags=settings.archive_server_tags,
        apply_retention=apply_retention,
        steps=[partial(set_up_stored_subjects, stream=ACCESS)],
    )


@contextlib.asynccontextmanager
async def replaying_broker(actor: str | None) -> AsyncIterator[Broker]:
    """Ordering's handlers on the running system's stores, with nothing consumed.

    Commands are whose their letters say they are, and the `actor`'s where those say nothing.
    """
    settings = load(OperatorSettings)
    engine = connect(settings.database_url.get_secret_value(), settings.database_tls)
    store = GroupCommit(engine, new_id=new_id, first_events=FirstEvents())
    try:
        async with _replaying(engine, store, settings, settings.nats_servers, actor) as broker:
            yield broker
    finally:
        await engine.dispose()


@contextlib.asynccontextmanager
async def _replaying(
    engine: AsyncEngine,
    store: Store,
    settings: ServiceSettings,
    servers: NatsServers,
    actor: str | None,
) -> AsyncIterator[Broker]:
    """The same on this store, over these servers."""
    identify = by_letter(
        actor,
        is_withdrawn=partial(is_withdrawn, engine),
        clock=utc_now,
        token_life_max_s=settings.token_life_max_s,
    )
    async with messaging(servers, store, engine, identify).without_consuming() as broker:
        yield broker


def new_id() -> UUID:
    """A new UUIDv7: unique, and in the order of time."""
    return uuid7()
