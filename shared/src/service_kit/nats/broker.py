"""A service's one connection to NATS, and the FastStream broker that carries messages over it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from typing import Any

import structlog
from comanda_contracts.streams import Stream
from faststream._internal.broker import BrokerUsecase
from faststream.nats import NatsBroker
from nats.aio.client import Client
from nats.errors import ConnectionClosedError
from nats.js import JetStreamContext
from typing_extensions import override

from service_kit.nats.closing import abort_if_closing, close, why_given_up
from service_kit.nats.consumer_lag import LagMeasure
from service_kit.nats.jetstream import (
    PING_INTERVAL_S,
    RECONNECT_INTERVAL_S,
    ConnectionTroubles,
    api_prefix_of,
    credentials,
    jetstream,
    require_server,
)
from service_kit.nats.middlewares import Settlement, Spans, metrics
from service_kit.nats.router import Router
from service_kit.nats.subscriber import BatchSubscriber
from service_kit.nats.wire import tolerate_any_bytes
from service_kit.runtime.cancellation import cancel_until_ended
from service_kit.runtime.components import Ready, WaitingFor, reason_of

log = structlog.get_logger()

START_AGAIN_AFTER_S = 1.0
GRACE_S = 5.0
"""Seconds that batches in flight are given to end; then they are given back."""
CONNECT_TIMEOUT_S = 10.0
"""Seconds in which an operator's command must be connected."""
PROBE_INTERVAL_S = 2.0
"""Seconds between two looks at whether a durable is still there."""
FIRST_CONNECTION_TIMEOUT_S = 2.0
"""Seconds for which whoever starts with the broker waits for it before saying so."""
CLIENT_CHECK_INTERVAL_S = 0.25
"""Seconds between two looks at whether the client has given the servers up."""


class NatsAway(WaitingFor, ConnectionClosedError):
    """There is no connection to NATS, and one is being made."""

    def __init__(self) -> None:
        super().__init__("NATS")


# decision/0031: FastStream carries the messaging, with batches that come at once
class Broker(NatsBroker):
    """FastStream's broker as Comanda's services use it.

    It waits for the servers, and reconnects, for as long as it takes. Nothing is buffered while it
    is disconnected: a publish then fails at once, so that no message is sent late, behind the back
    of whoever gave it up. Its subscribers use durables that were set up before: it creates nothing.
    """

    def __init__(
        self, servers: Sequence[str], service: str, routers: Sequence[Router] = ()
    ) -> None:
        """`service` names the connection and the service's dead letters.

        A user and password are those of the first server's URL; see `jetstream.credentials`.
        """
        troubles = ConnectionTroubles(service)
        user = credentials(servers)
        super().__init__(
            list(servers),
            name=service,
            inbox_prefix=user.get("inbox_prefix", "_INBOX"),
            js_options={"prefix": api_prefix_of(user.get("user"))},
            max_reconnect_attempts=-1,
            reconnect_time_wait=RECONNECT_INTERVAL_S,  # type: ignore[arg-type]  # any number does
            pending_size=0,
            error_cb=troubles.report,
            reconnected_cb=troubles.forget,
            ping_interval=PING_INTERVAL_S,  # type: ignore[arg-type]  # any number does
            graceful_timeout=GRACE_S,
            middlewares=(Spans, metrics(), Settlement),
            routers=routers,
            logger=None,
            apply_types=False,
            serializer=None,
        )
        self._connection_kwargs |= {each: user[each] for each in user.keys() - {"inbox_prefix"}}
        self.service = service
        self._first_connected = asyncio.Event()
        self._lags: dict[tuple[str, str], LagMeasure] = {}

    async def client(self) -> Client:
        """The connection, as soon as it is there for the first time.

        Raises NatsAway if that takes long, and while a lost one is made anew, so that whoever
        depends on it says that it is not there.
        """
        try:
            async with asyncio.timeout(FIRST_CONNECTION_TIMEOUT_S):
                await self._first_connected.wait()
        except TimeoutError:
            raise NatsAway from None
        if self._connection is None:
            raise NatsAway
        return self._connection

    async def jetstream_context(self) -> JetStreamContext:
        """JetStream over the connection, once that is there. Raises as `client` does."""
        return jetstream(await self.client())

    @property
    def batch_subscribers(self) -> list[BatchSubscriber]:
        """The declared consumers."""
        return [each for each in self.subscribers if isinstance(each, BatchSubscriber)]

    @override
    async def start(self) -> None:
        await super().start()
        require_server(self.connection)
        self._first_connected.set()

    @override
    async def _connect(self) -> Client:
        return tolerate_any_bytes(await super()._connect())

    @contextlib.asynccontextmanager
    async def without_consuming(self) -> AsyncIterator["Broker"]:
        """Connected, with nothing consumed: for an operator's command. Raises TimeoutError."""
        try:
            async with asyncio.timeout(CONNECT_TIMEOUT_S):
                await self.connect()
            self._first_connected.set()
            yield self
        finally:
            await self.stop()

    async def stop_consuming(self) -> None:
        """Let the batches in flight end, and take no more. The connection stays."""
        await BrokerUsecase.stop(self)

    @override
    async def stop(self, *_: Any) -> None:
        await self.stop_consuming()
        if self._connection is not None:
            connection, self._connection = self._connection, None
            await close(connection)
        self.config.disconnect()

    async def keep_started(self) -> None:
        """Start, and start anew should the client give up, until cancelled."""
        said: str | None = None
        while True:
            try:
                await self.start()
                said = None
                while (reason := why_given_up(self.connection)) is None:
                    abort_if_closing(self.connection)
                    await asyncio.sleep(CLIENT_CHECK_INTERVAL_S)
                log.warning("nats connection closed", connection=self.service, reason=reason)
            except Exception as error:  # whatever it is, it is tried again
                if (reason := reason_of(error)) != said:
                    log.warning("nats", connection=self.service, reason=reason)
                said = reason
            await self.stop()
            await asyncio.sleep(START_AGAIN_AFTER_S)

    def watching(
        self, stream: Stream, durable: str | None = None
    ) -> Callable[[Ready], Awaitable[None]]:
        """What a component runs that reports on the consumer of a stream, and measures its lag.

        `durable` tells which, if it is not that of the service's name.
        It is not ready while the durable is missing, without which FastStream would be silent for
        ever, while there is no connection, or while batches fail.
        """
        subscriber = self._subscriber(stream, durable)
        lag = self._lag_of(stream, subscriber.durable)

        async def watch(ready: Ready) -> None:
            while True:
                try:
                    js = await self.jetstream_context()
                except ConnectionClosedError:
                    lag.forget()
                    raise
                await lag.measure(js)
                ready(failing=subscriber.failing)
                await asyncio.sleep(PROBE_INTERVAL_S)

        return watch

    def settled_until(self, stream: Stream, clock: Callable[[], datetime]) -> datetime | None:
        """A time before which all that the stream stored is settled, as far as was seen.

        It is seen by what `watching` runs; None before that has seen it once. What was delivered
        and is not acknowledged is not settled.
        """
        lag_s = self._lag_of(stream, self.service).seconds_max
        return None if lag_s is None else clock() - timedelta(seconds=lag_s)

    def _lag_of(self, stream: Stream, durable: str) -> LagMeasure:
        name = (stream.name, durable)
        if name not in self._lags:
            self._lags[name] = LagMeasure(stream, durable)
        return self._lags[name]

    def _subscriber(self, stream: Stream, durable: str | None = None) -> BatchSubscriber:
        """The one that consumes the stream by the durable, which has the service's name if none
        is given.
        """
        wanted = (stream.name, durable or self.service)
        (found,) = (
            each for each in self.batch_subscribers if (each.stream.name, each.durable) == wanted
        )
        return found

    @override
    def _log_connection_broken(self, error_cb: Any = None) -> Any:
        return error_cb  # FastStream's wrapper raises in the client's own tasks, which then end

    @override
    def _log_reconnected(self, cb: Any = None) -> Any:
        return cb


@contextlib.asynccontextmanager
async def running(broker: Broker) -> AsyncIterator[None]:
    """Keep the broker started in the background; in the end let batches in flight finish."""
    starting = asyncio.create_task(broker.keep_started())
    try:
        yield
    finally:
        await cancel_until_ended([starting])
        await broker.stop()
