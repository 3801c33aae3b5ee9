"""The service as it is run, and steps that its tests have in common."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass
from typing import Any

import comanda_contracts as contracts
import httpx
import uvicorn
from comanda_contracts.streams import DEAD_LETTERS, ORDERS, TICKETS
from comanda_local.ports import LOOPBACK, free_port
from comanda_local.servers import Nats
from comanda_local.services import Service
from nats.aio.client import Client
from nats.js import JetStreamContext
from pydantic import SecretStr
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import set_up_stream
from serving.bootstrap import bootstrap
from serving.bootstrap import set_up as set_up_serving
from serving.settings import Settings

from tests.serving.builders import an_order, placed
from tests.support.eventually import eventually
from tests.support.tokens import bearer

NewService = Callable[[str], Service]


@dataclass
class Kitchen:
    """A NATS, ordering's part of it, and a client of one replica of serving."""

    nats: Nats
    client: Client
    http: httpx.AsyncClient

    async def order(self, **fields: Any) -> contracts.Order:
        """Place an order, as ordering does."""
        order = an_order(**fields)
        message = placed(order)
        await self.client.jetstream().publish(
            message.subject, message.body, headers=dict(message.headers)
        )
        return order

    async def command(self, order: contracts.Order, command: str) -> httpx.Response:
        return await self.http.post(f"{ticket_path(order)}/{command}")

    async def ticket(self, order: contracts.Order) -> httpx.Response:
        return await self.http.get(ticket_path(order))

    async def queue(self) -> list[str]:
        answer = await self.http.get("/v1/restaurants/la-piazza/queue")
        return [ticket["order_id"] for ticket in answer.raise_for_status().json()["tickets"]]

    async def health(self) -> httpx.Response:
        return await self.http.get("/health/ready")

    async def is_ready(self) -> None:
        await eventually(lambda: _is_ready(self.http))

    async def is_queued(self, order: contracts.Order) -> None:
        await eventually(lambda: self._has(order))

    async def _has(self, order: contracts.Order) -> bool:
        return (await self.ticket(order)).status_code == 200


def ticket_path(order: contracts.Order) -> str:
    return f"/v1/restaurants/{order.restaurant}/orders/{order.order_id}/rounds/1"


async def all_events(js: JetStreamContext) -> list[Any]:
    last = (await js.stream_info(TICKETS.name)).state.last_seq
    return [await js.get_msg(TICKETS.name, seq=number) for number in range(1, last + 1)]


def settings_for(nats_url: str, replicas: int = 1) -> Settings:
    return Settings(nats_url=SecretStr(nats_url), stream_replicas=replicas)


async def set_up(nats_url: str, replicas: int = 1) -> None:
    """Have the streams and durables that serving needs, as after the set-up of every service."""
    async with connected([nats_url], "test") as client:
        for stream in (ORDERS, DEAD_LETTERS):
            await set_up_stream(client.jetstream(), stream, replicas=replicas)
    await set_up_serving(settings_for(nats_url, replicas))


@contextlib.asynccontextmanager
async def in_this_process(nats_url: str) -> AsyncIterator[str]:
    """Set up and run the service here, where a test can set the module's constants.

    Yields its URL.
    """
    await set_up(nats_url)
    app = bootstrap(settings_for(nats_url))
    port = free_port()
    server = uvicorn.Server(
        uvicorn.Config(app, LOOPBACK, port, log_config=None, timeout_graceful_shutdown=1)
    )
    serving = asyncio.create_task(server.serve())
    url = f"http://{LOOPBACK}:{port}"
    try:
        async with httpx.AsyncClient(base_url=url, timeout=60, headers=bearer()) as http:
            await eventually(lambda: _is_ready(http))
        yield url
    finally:
        server.should_exit = True
        await serving


async def _is_ready(http: httpx.AsyncClient) -> bool:
    with contextlib.suppress(httpx.TransportError):
        return (await http.get("/health/ready")).is_success
    return False
