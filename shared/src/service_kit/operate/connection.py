"""The connection by which an operator's request does what the service's own user may not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager

import nats.errors
from nats.js import JetStreamContext

from service_kit.http.problems import ProblemError
from service_kit.nats.broker import Broker
from service_kit.nats.jetstream import connected, jetstream
from service_kit.nats.leader import LeaderSilent
from service_kit.runtime.nats_servers import NatsServers

CONNECT_TIMEOUT_S = 5.0

ReplayingBroker = Callable[[NatsServers, str | None], AbstractAsyncContextManager[Broker]]
"""The service's broker with its handlers, connected to these servers, and consuming nothing.

Of a service of commands it is given whose those are that nobody is known of: a subject, or None.
"""


# decision/0069: operators work over http as a user of their own
class OperatorConnection:
    """NATS as the service's second user, who may what an operator's command may.

    Each request connects and leaves nothing open: requests are few.
    """

    def __init__(self, service: str, servers: NatsServers | None) -> None:
        """Without servers nobody has said who that is, and nothing can be done as he."""
        self.service = service
        self._servers = servers

    @property
    def servers(self) -> NatsServers:
        """The servers, with that user. Raises ProblemError if there is none."""
        if self._servers is None:
            raise not_operable()
        return self._servers

    @asynccontextmanager
    async def jetstream(self) -> AsyncIterator[JetStreamContext]:
        """JetStream, for one request. Raises ProblemError if NATS does not answer, also within."""
        servers = self.servers
        with silence_as_problem():
            async with contextlib.AsyncExitStack() as connections:
                async with asyncio.timeout(CONNECT_TIMEOUT_S):
                    connection = connected(servers, f"{self.service}-operate")
                    client = await connections.enter_async_context(connection)
                yield jetstream(client)


@contextlib.contextmanager
def silence_as_problem() -> Iterator[None]:
    """Answer 503 where NATS does not answer, or lets the user not do what is asked."""
    try:
        yield
    except (nats.errors.Error, LeaderSilent, TimeoutError, OSError) as error:
        raise nats_unavailable() from error


def not_operable() -> ProblemError:
    """The service was not told as whom it may do what operators do."""
    return ProblemError(
        503,
        "not-operable",
        "This service was given no user of NATS's for operators (COMANDA_OPERATOR_NATS_URL).",
    )


def nats_unavailable() -> ProblemError:
    """What is needed for this can't be reached."""
    detail = "NATS does not answer now, or does not let the operator's user do this."
    return ProblemError(503, "store-unavailable", detail, headers={"Retry-After": "1"})
