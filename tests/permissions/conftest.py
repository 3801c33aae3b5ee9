"""A NATS server with Comanda's permissions, its streams, and the connections of a test."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path

import pytest
from comanda_contracts import streams
from comanda_local.folders import temporary_folder
from comanda_local.servers import Nats
from comanda_local.servers.nats import ACCOUNTS
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import set_up_stream

from tests.permissions.nats_user import NatsUser

SERVICES = ("ordering", "serving", "query")
STREAMS = (
    *(streams.ORDERS, streams.TICKETS, streams.MENU, streams.RESTAURANTS),
    *(streams.ACCESS, streams.COMMANDS, streams.DEAD_LETTERS),
)

ConnectAs = Callable[[str], Awaitable[NatsUser]]


@pytest.fixture(scope="package")
def server_folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


@pytest.fixture(scope="package", params=[(), ("js_ack_fc_v2",)], ids=["", "ack-v2"])
def server(server_folder: Path, request: pytest.FixtureRequest) -> Iterator[Nats]:
    """With and without the acknowledgements' subjects that a later server will have."""
    folder = server_folder / "-".join(("nats", *request.param))
    server = Nats(folder, accounts=ACCOUNTS, feature_flags=request.param)
    server.start()
    yield server
    server.stop()


@pytest.fixture
async def connect_as(server: Nats) -> AsyncIterator[ConnectAs]:
    """Lets a user in, by the user's name; all streams are there."""
    async with contextlib.AsyncExitStack() as connections:
        async with connected([server.url], "operator") as operator:
            for stream in STREAMS:
                await set_up_stream(operator.jetstream(), stream, replicas=1)

        async def connect_as(user: str) -> NatsUser:
            own = user.removesuffix("-operator") in SERVICES
            inbox = f"_INBOX_{user}" if own else "_INBOX"
            return await connections.enter_async_context(NatsUser.of(server, user, inbox))

        yield connect_as


async def last_sequences(operator: NatsUser) -> dict[str, int]:
    """Of each stream, how many messages it has ever stored."""
    infos = await operator.client.jetstream().streams_info()
    return {info.config.name or "": info.state.last_seq for info in infos}


@pytest.fixture
async def operator(connect_as: ConnectAs) -> NatsUser:
    return await connect_as("operator")
