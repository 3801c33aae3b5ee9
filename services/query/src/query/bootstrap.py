"""The only wiring: every part of query, made and joined here."""

import contextlib
import ssl
from collections.abc import AsyncIterator
from enum import StrEnum
from functools import partial
from typing import Any, NamedTuple

from comanda_contracts.streams import ARCHIVES, ORDERS, Stream
from fastapi import APIRouter, FastAPI
from service_kit.access.admission import admission_by
from service_kit.access.guests import GuestVerifier
from service_kit.access.key_source import source_of
from service_kit.access.keys import KeySet
from service_kit.access.withdrawals import Withdrawals
from service_kit.http.draining import ShutdownHook
from service_kit.http.fast_lane import FastLane, Lane
from service_kit.http.openapi import ApiDescription
from service_kit.http.server import Application, application
from service_kit.nats.asyncapi import asyncapi_routes
from service_kit.nats.broker import Broker, running
from service_kit.nats.set_up import set_up as set_up_messaging
from service_kit.nats.withdrawal_follower import access_components
from service_kit.operate.connection import OperatorConnection
from service_kit.operate.examples import OPERATE_EXAMPLES
from service_kit.operate.letters import TAGS as OPERATE_TAGS
from service_kit.operate.letters import letter_routes
from service_kit.operate.status import status_routes
from service_kit.runtime.components import Component
from service_kit.runtime.nats_servers import NatsServers
from service_kit.runtime.settings import ServiceSettings, load

from query.api.board_routes import board_cache, board_lane, board_routes
from query.api.http import schema
from query.api.http.age import AgeOfViews
from query.api.http.openapi import ANSWERS, FEEDS, TAGS
from query.api.http.read_your_writes import ReadYourWrites
from query.api.http.responses import listed_order_as_json, order_as_json
from query.api.live_routes import CachedFeeds, live_routes
from query.api.menu_routes import menu_cache, menu_routes
from query.api.orders.list_routes import OrderListReader, list_lane, list_routes, table_cache
from query.api.orders.routes import OrderReader, order_lane, order_routes
from query.api.orders.wait_routes import wait_routes
from query.api.restaurant_routes import restaurant_routes
from query.api.sales.chain_routes import chain_routes
from query.api.sales.routes import sales_routes, top_items_cache, top_lane
from query.live.change_stream import ChangeStream
from query.live.feeds import MongoLiveOrders
from query.live.stale_caches import Caches, StaleMenus
from query.live.version_waiter import ChangeStreamVersionWaiter
from query.maintenance.jobs.routes import JOB_EXAMPLES, job_routes
from query.maintenance.jobs.runner import JobRunner
from query.maintenance.operate_routes import GENERATION_EXAMPLES, generation_routes
from query.maintenance.recovery import keep_recovering
from query.maintenance.session import OperatorSession, open_session
from query.projection.archive_lag import ArchiveLag
from query.projection.forgetting import DURABLE as FORGETTING
from query.projection.forgetting import forgetting_router
from query.projection.lag import keep_measuring
from query.projection.projector import PROJECTED, SERVICE, projection_router
from query.projection.provenance import Provenance
from query.settings import OperatorSettings, Settings
from query.storage.checkpoints import MongoCheckpoints
from query.storage.client import connect, monitor_server
from query.storage.generations import Generations
from query.storage.orders.lists import MongoLists
from query.storage.orphaned_transactions import keep_ending_orphaned_transactions
from query.storage.sales.roll_up import RollUp
from query.storage.stores import set_up, stores_over
from query.views.ports import Stores

TITLE = "Comanda query"
NO_STORE = "mongodb://none.invalid/comanda"
"""Set-up declares the projections and projects nothing: it is given no store."""
DESCRIPTION = "Answers every question about orders, from views that are filled by events alone."


class Role(StrEnum):
    """The work of a process: any number of each may run beside the others."""

    EVERYTHING = "everything"
    API = "api"
    PROJECTOR = "projector"


def bootstrap(settings: Settings, role: Role = Role.EVERYTHING) -> Application:
    """The service in this role, not connected to anything yet.

    It is ready once MongoDB is and, if it projects, once it is not too far behind the streams.
    Without NATS, or without a stream because its owner never ran, the views grow old, but they are
    answered from. An API only reads from MongoDB.
    """
    client, database = connect(settings.mongodb_url.get_secret_value(), settings.mongodb_tls)
    generations = Generations(database, live=None)
    checkpoints, projects = MongoCheckpoints(database, generations), role is not Role.API
    provenance = Provenance(checkpoints, PROJECTED, is_keeper=projects)
    projecting = _projecting_broker(settings, stores_over(generations), provenance)
    broker = projecting if projects else Broker(settings.nats_servers, SERVICE)
    steps = [partial(set_up, generations)] if projects else []
    components = [
        Component("mongodb", partial(monitor_server, client, steps)),
        Component("mongodb-primary", generations.members.report_primary, required=False),
        Component("generations", generations.follow),
    ]
    answers = answers_from(generations, min_version_wait=settings.min_version_wait)
    withdrawals = Withdrawals(token_life_max_s=settings.token_life_max_s)
    operator = OperatorConnection(SERVICE, settings.operator_servers)
    jobs = JobRunner(partial(_operators_session, settings, operator))
    if role is not Role.PROJECTOR:
        components += [*access_components(withdrawals, broker.client), *answers.beside]
        components.append(Component("jobs", jobs.run, required=False))
    if projects:
        components += [_projection(broker, stream) for stream in PROJECTED]
        forgetting = broker.watching(ORDERS, FORGETTING)
        components.append(Component("forgetting", forgetting, required=False))
        ending = partial(keep_ending_orphaned_transactions, client)
        components.append(Component("abandoned-transactions", ending, required=False))
        components.append(Component("roll-up", RollUp(generations).run, required=False))
        opening = partial(_session, settings)
        recovering = partial(keep_recovering, checkpoints, opening)
        components.append(Component("recovery", recovering, required=False))
        archives = partial(ArchiveLag(ARCHIVES).keep_checking, broker.jetstream_context)
        components.append(Component("archives", archives, required=False))
    guests = None
    if settings.guest_jwks and role is not Role.PROJECTOR:
        guest_keys = KeySet(source_of(settings.guest_jwks), of="guests")
        guests = GuestVerifier(guest_keys)
        components.append(Component("guest-keys", guest_keys.run, required=False))
    components.append(_lag(broker, settings, role))
    checking = partial(provenance.keep_checking, broker.jetstream_context, generations.refresh)
    components.append(Component("views", checking))
    app = application(
        TITLE,
        DESCRIPTION,
        components,
        on_shutdown=answers.on_shutdown,
        messaging=partial(running, broker),
        admission=None
        if role is Role.PROJECTOR
        else admission_by(settings, withdrawals, guests=guests),
    )
    app.include_router(
        asyncapi_routes(projecting, title=TITLE, description=DESCRIPTION, version=app.version)
    )
    if role is not Role.PROJECTOR:
        answers.add_to(app)
        store = settings.operator_mongodb, settings.mongodb_tls
        replaying = partial(_connected_replaying, settings, store)
        app.include_router(letter_routes(operator, replaying))
        app.include_router(generation_routes(database))
        app.include_router(job_routes(operator, jobs, database))
        app.include_router(
            status_routes(app, operator, broker, lambda: projecting.batch_subscribers)
        )
    _close_in_the_end(app, client)
    return app


class Answers(NamedTuple):
    """The routes and lanes that answer over HTTP, what runs beside them, and how feeds end."""

    routes: list[APIRouter]
    lanes: list[Lane]
    changes: ChangeStream
    beside: list[Component]
    on_shutdown: list[ShutdownHook]

    def add_to(self, app: Application) -> None:
        """Have the application give the answers."""
        for each in self.routes:
            app.include_router(each)
        app.add_middleware(FastLane, lanes=self.lanes)
        app.add_middleware(AgeOfViews)
        examples = {**ANSWERS, **OPERATE_EXAMPLES, **GENERATION_EXAMPLES, **JOB_EXAMPLES}
        app.described = ApiDescription(TAGS | OPERATE_TAGS, examples, schema.Problem, FEEDS)


def answers_from(generations: Generations, *, min_version_wait: float) -> Answers:
    """The answers to every question, from these views."""
    stores, changes = stores_over(generations), ChangeStream(generations)
    menu_changes = ChangeStream(generations, lambda each: [each.menu, each.restaurants])
    lists = MongoLists(generations, listed_order_as_json)
    waiter = ChangeStreamVersionWaiter(changes)
    read_your_writes = ReadYourWrites(lists, waiter, timeout_s=min_version_wait)
    boards = board_cache(stores.orders, stores.menus, changes.request)
    tables = table_cache(lists, stores.menus, changes.request)
    menus = menu_cache(stores.menus, menu_changes.request)
    menu_changes.add(StaleMenus(menus))
    tops = top_items_cache(stores.sales, stores.menus)
    order = OrderReader(stores.orders, waiter, timeout_s=min_version_wait)
    listed = OrderListReader(lists, stores.menus)
    live = MongoLiveOrders(generations, changes, render=order_as_json, cache=Caches(boards, tables))
    cached = CachedFeeds(boards, tables, menus, menu_changes.kept_open)
    return Answers(
        [
            live_routes(live, order, cached, stores.menus),
            order_routes(order, lists),
            wait_routes(order, boards),
            list_routes(listed, lists, stores.menus, read_your_writes),
            board_routes(boards, read_your_writes),
            menu_routes(stores.menus),
            sales_routes(stores.sales, stores.menus, tops),
            restaurant_routes(stores.menus),
            chain_routes(stores.sales, stores.menus),
        ],
        [board_lane(boards), order_lane(order), list_lane(listed), top_lane(tops)],
        changes,
        beside=[
            Component("changes", changes.run, required=False),
            Component("menu-changes", menu_changes.run, required=False),
        ],
        on_shutdown=[live.close, boards.close, tables.close, menus.close],
    )


async def set_up_durables(settings: ServiceSettings) -> None:
    """Make the durables by which the streams are projected, once their owners have made these.

    Raises TimeoutError, which names the streams that are not there.
    """
    client, database = connect(NO_STORE)
    async with client:  # it is never used, and so does not connect
        broker = _projecting_broker(settings, stores_over(Generations(database)))
        servers, replicas = settings.nats_servers, settings.stream_replicas
        await set_up_messaging(broker, servers, streams=[], replicas=replicas)


@contextlib.asynccontextmanager
async def replaying_broker() -> AsyncIterator[Broker]:
    """The projection into the running system's views, with nothing consumed."""
    settings = load(OperatorSettings)
    store = settings.mongodb_url.get_secret_value(), settings.mongodb_tls
    async with _connected_replaying(settings, store, settings.nats_servers) as broker:
        yield broker


@contextlib.asynccontextmanager
async def _connected_replaying(
    settings: ServiceSettings,
    store: tuple[str, ssl.SSLContext | None],
    servers: NatsServers,
    _: str | None = None,
) -> AsyncIterator[Broker]:
    """The same into the views of this store, over these servers."""
    client, database = connect(*store)
    async with client:
        stores = stores_over(Generations(database, live=None))
        broker = _projecting_broker(settings, stores, servers=servers)
        async with broker.without_consuming():
            yield broker


def _session(settings: OperatorSettings) -> contextlib.AbstractAsyncContextManager[OperatorSession]:
    """Connections of its own for a rebuild, of a user that may make no consumer."""
    store = settings.mongodb_url.get_secret_value(), settings.mongodb_tls
    return open_session(settings.nats_servers, *store, makes_consumers=False)


def _operators_session(
    settings: Settings, operator: OperatorConnection
) -> contextlib.AbstractAsyncContextManager[OperatorSession]:
    """Connections of its own for a job, of the users that an operator's command has."""
    return open_session(operator.servers, settings.operator_mongodb, settings.mongodb_tls)


def _projecting_broker(
    settings: ServiceSettings,
    stores: Stores,
    provenance: Provenance | None = None,
    *,
    servers: NatsServers | None = None,
) -> Broker:
    """The process's one connection to NATS, and the projection of the streams over it.

    The servers are those of the settings, unless others are given.
    """
    broker = Broker(servers or settings.nats_servers, SERVICE)
    checks = (provenance.note, provenance.note_stored) if provenance else (None, None)
    broker.include_router(projection_router(stores, *checks))
    broker.include_router(forgetting_router(stores.orders, broker.client))
    return broker


def _projection(broker: Broker, stream: Stream) -> Component:
    """Reports on a stream's projection: each by itself, as one that is missing stops no other."""
    name = f"projector-{stream.name.lower()}"
    return Component(name, broker.watching(stream), required=False)


def _lag(broker: Broker, settings: Settings, role: Role) -> Component:
    """An API reports how old its views are, and answers from them; a projector has to keep up."""
    measuring = partial(keep_measuring, broker.jetstream_context, PROJECTED, settings.ready_within)
    return Component("lag", measuring, required=role is not Role.API)


def _close_in_the_end(app: FastAPI, client: contextlib.AbstractAsyncContextManager[object]) -> None:
    """Close the client after the components that use it have ended."""
    components = app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with client, components(app) as state:
            yield state

    app.router.lifespan_context = lifespan
