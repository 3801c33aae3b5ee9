"""Replicas of query's API run in this process, each behind a socket, where feeds are streamed."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from typing import Any

import uvicorn
from comanda_local.ports import LOOPBACK, free_port
from fastapi import FastAPI
from pymongo.monitoring import CommandListener
from query.bootstrap import answers_from
from query.live.change_stream import ChangeStream
from query.storage.client import Client, Database
from query.storage.generations import Generations
from query.storage.menus import MongoMenus
from query.storage.orders.store import MongoOrders
from service_kit.http.server import application

from tests.support.admission import own_admission
from tests.support.eventually import eventually


class Replica:
    """One replica, and the stores as it sees them."""

    def __init__(
        self, database: Database, generations: Generations, changes: ChangeStream, url: str
    ) -> None:
        self.changes = changes
        self.database = database
        self.generations = generations
        self.orders = MongoOrders(generations)
        self.menus = MongoMenus(generations)
        self.url = url


@contextlib.asynccontextmanager
async def a_replica(mongodb_url: str, *listeners: CommandListener) -> AsyncIterator[Replica]:
    """A replica that answers from what tests store."""
    client = Client(mongodb_url, serverSelectionTimeoutMS=2000, event_listeners=list(listeners))
    database = client.get_default_database("comanda")
    generations = Generations(database)
    answers = answers_from(generations, min_version_wait=5.0)
    app = application("query", "under test", answers.beside, admission=own_admission())
    answers.add_to(app)
    async with client, served(app) as url:
        replica = Replica(database, generations, answers.changes, url)
        await replica.orders.set_up()
        await replica.menus.set_up()
        yield replica


@contextlib.asynccontextmanager
async def served(app: FastAPI) -> AsyncIterator[str]:
    """The URL at which the application is served."""
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, LOOPBACK, port, log_config=None, timeout_graceful_shutdown=2)
    )
    serving = asyncio.create_task(server.serve())
    await eventually(lambda: _value(server.started), bool)
    try:
        yield f"http://{LOOPBACK}:{port}"
    finally:
        server.should_exit = True
        await serving


async def _value(value: Any) -> Any:
    return value
