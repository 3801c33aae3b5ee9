"""The only wiring: every part of query, made and joined here."""

import contextlib
from collections.abc import AsyncIterator
from enum import StrEnum
from functools import partial
from typing import Any

from comanda_contracts.streams import DEAD_LETTERS, MENU, ORDERS, RESTAURANTS, TICKETS, Stream
from fastapi import FastAPI
from service_kit.components import Component, Ready
from service_kit.consuming import Consumer, consume
from service_kit.http import application
from service_kit.jetstream import connected, set_up_stream

from query.inbound.http.board import board_routes
from query.inbound.http.caught_up import CaughtUp
from query.inbound.http.lists import list_routes
from query.inbound.http.menu import menu_routes
from query.inbound.http.orders import order_routes
from query.inbound.http.sales import sales_routes
from query.inbound.lag import keep_measuring
from query.inbound.projector import SERVICE, projector
from query.outbound.arrivals import Arrivals
from query.outbound.following import Following
from query.outbound.generations import Generations
from query.outbound.menus import MongoMenus
from query.outbound.mongo import connect, keep_watch
from query.outbound.orders import MongoOrders
from query.outbound.roll_up import RollUp
from query.outbound.sales import MongoSales
from query.settings import Settings
from query.views.store import Menus, Orders, Sales

DESCRIPTION = "Answers every question about orders, from views that are filled by events alone."

PROJECTED = (ORDERS, TICKETS, MENU, RESTAURANTS)
"""The streams that the views are made from."""


class Role(StrEnum):
    """What a process does: any number of each may run beside the others."""

    EVERYTHING = "everything"
    API = "api"
    PROJECTOR = "projector"


def bootstrap(settings: Settings, role: Role = Role.EVERYTHING) -> FastAPI:
    """The service in this role, not connected to anything yet.

    It is ready once MongoDB is and, if it projects, once it is not too far behind the streams.
    Without NATS, or without a stream because its owner never ran, the views grow old, but they are
    answered from.
    """
    client, database = connect(settings.mongodb_url.get_secret_value())
    generations = Generations(database)
    orders, menus = MongoOrders(generations), MongoMenus(generations)
    sales, following = MongoSales(generations), Following(generations)
    arrivals = Arrivals(following)
    set_up = [orders.set_up, menus.set_up, sales.set_up]
    components = [Component("mongodb", partial(keep_watch, client, set_up))]
    if role is not Role.PROJECTOR:
        components.append(Component("changes", following.follow, required=False))
    if role is not Role.API:
        components += [_projection(stream, orders, sales, menus, settings) for stream in PROJECTED]
        components.append(Component("roll-up", RollUp(generations).run, required=False))
    components.append(_lag(settings, role))
    app = application("Comanda query", DESCRIPTION, components)
    if role is not Role.PROJECTOR:
        wait = settings.min_version_wait
        caught_up = CaughtUp(orders, arrivals, within=wait)
        for routes in (
            order_routes(orders, arrivals, min_version_wait=wait),
            list_routes(orders, menus, caught_up),
            board_routes(orders, menus, caught_up),
            menu_routes(menus),
            sales_routes(sales, menus),
        ):
            app.include_router(routes)
    _close_in_the_end(app, client)
    return app


def _projection(
    stream: Stream, orders: Orders, sales: Sales, menus: Menus, settings: Settings
) -> Component:
    """Each stream has a component of its own, so that one that is missing stops no other."""

    async def run(ready: Ready) -> None:
        async with connected(settings.nats_servers, SERVICE) as nats:
            await set_up_stream(nats.jetstream(), DEAD_LETTERS, replicas=settings.stream_replicas)
            handler = projector(stream, orders, sales, menus, nats)
            consumer = Consumer(stream, SERVICE, (stream.subject,), handler)
            await consume(nats, SERVICE, [consumer], ready)

    return Component(f"projector-{stream.name.lower()}", run, required=False)


def _lag(settings: Settings, role: Role) -> Component:
    """An API reports how old its views are, and answers from them; a projector has to keep up."""
    measuring = partial(keep_measuring, settings.nats_servers, PROJECTED, settings.ready_within)
    return Component("lag", measuring, required=role is not Role.API)


def _close_in_the_end(app: FastAPI, client: contextlib.AbstractAsyncContextManager[object]) -> None:
    """Close the client after the components that use it have ended."""
    components = app.router.lifespan_context

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[Any]:
        async with client, components(app) as state:
            yield state

    app.router.lifespan_context = lifespan
