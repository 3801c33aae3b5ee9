"""The service in process, and what its streams are filled with."""

import contextlib
import uuid
from collections.abc import AsyncIterator, Iterable
from typing import Any

import httpx
import nats.errors as nats_errors
from comanda_contracts import Event, Message, seal, subjects
from comanda_contracts.streams import ORDERS, Stream
from fastapi import FastAPI
from nats.aio.client import Client
from pydantic import SecretStr
from query.bootstrap import Role, bootstrap
from query.projection.forgetting import DURABLE as FORGETTING
from query.projection.projector import PROJECTED, SERVICE
from query.settings import Settings
from service_kit.nats.jetstream import publish_all
from service_kit.nats.set_up import set_up_consumer, set_up_stream

from tests.support.eventually import eventually
from tests.support.tokens import bearer

STREAMS = PROJECTED
AT_ONCE = 2000
"""Messages that are published together."""


@contextlib.asynccontextmanager
async def running_service(
    nats_url: str, mongodb_url: str, role: Role = Role.EVERYTHING, **more: Any
) -> AsyncIterator[httpx.AsyncClient]:
    """A client of the service in this role; `more` are further settings."""
    settings = Settings(nats_url=SecretStr(nats_url), mongodb_url=SecretStr(mongodb_url), **more)
    app = bootstrap(settings, role)
    async with app.router.lifespan_context(app), in_process(app) as client:
        yield client


def in_process(app: FastAPI) -> httpx.AsyncClient:
    """A client of the application, without a socket between."""
    transport = httpx.ASGITransport(app, raise_app_exceptions=False)
    return httpx.AsyncClient(
        transport=transport, base_url="http://query", timeout=30, headers=bearer()
    )


async def set_up(nats: Client, *streams: Stream) -> None:
    """Make the streams, and query's durables of those that it projects."""
    js = nats.jetstream()
    for stream in streams:
        await set_up_stream(js, stream, replicas=1)
        if stream in PROJECTED:
            await set_up_consumer(js, stream.name, SERVICE, [stream.subject])
    if ORDERS in streams:
        await set_up_consumer(js, ORDERS.name, FORGETTING, [subjects.order("*", "*", "forgotten")])


async def publish(nats: Client, *events: Event | Message) -> None:
    """Publish them in this order; each is stored when this returns."""
    messages = [
        each if isinstance(each, Message) else seal(each, event_id=uuid.uuid4()) for each in events
    ]
    for start in range(0, len(messages), AT_ONCE):
        acknowledged(await publish_all(nats, messages[start : start + AT_ONCE], timeout=60))


def acknowledged(outcomes: Iterable[object]) -> None:
    for outcome in outcomes:
        if isinstance(outcome, Exception):
            raise outcome


async def quiet(nats: Client, *, within: float = 100.0) -> None:
    """Wait until query has acknowledged all that is on the streams."""

    async def left() -> int:
        with contextlib.suppress(nats_errors.Error):  # the broker is away, or no consumer there yet
            return sum([await left_over(nats, stream) for stream in STREAMS])
        return -1

    await eventually(left, lambda count: count == 0, within=within)


async def left_over(nats: Client, stream: Stream) -> int:
    """How many messages of the stream query has not acknowledged."""
    consumer = await nats.jetstream().consumer_info(stream.name, "query")
    return (consumer.num_pending or 0) + (consumer.num_ack_pending or 0)


def is_ok(response: httpx.Response) -> bool:
    return response.status_code == httpx.codes.OK


async def lag_of(client: httpx.AsyncClient) -> str:
    """What the probe says of the component that measures the lag."""
    state: str = (await client.get("/health/ready")).json()["components"]["lag"]
    return state
