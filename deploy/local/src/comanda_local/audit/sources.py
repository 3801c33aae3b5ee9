"""The audit's sources: ordering's tables, the streams, and query over HTTP."""

import asyncio
import contextlib
import json
from collections import defaultdict
from collections.abc import AsyncIterator, Collection, Iterable
from typing import Protocol
from uuid import UUID

import asyncpg
from comanda_contracts import Order, Ticket, TicketEvent, TicketStatus, read, streams, subjects
from comanda_contracts.streams import Stream
from nats.aio.msg import Msg
from nats.js import JetStreamContext, api
from nats.js.errors import NotFoundError

from comanda_local.api import Api, Json
from comanda_local.server_files import connect_nats, tls
from comanda_local.stack import DATABASE_URL
from comanda_local.system_urls import SystemUrls

VIEWS_IN_FLIGHT = 24
"""Views that are requested at a time."""
BATCH_MESSAGES = 500
FETCH_TIMEOUT_S = 10.0
SETTLED = (TicketStatus.SERVED, TicketStatus.VOIDED, TicketStatus.ABANDONED)
CONSUMER_INACTIVE_S = 300.0
"""Seconds after which the server removes a consumer that no longer reads."""

COLUMNS = (
    *("id", "restaurant", "number", "business_day", "version", "status", "channel", '"table"'),
    *("guests", "customer", "phone", "currency", "rounds", "total", "placed_at"),
)


class WriteSide:
    """Orders as ordering's database has them, and tickets as serving's stream has them."""

    def __init__(
        self, database: "asyncpg.Connection[asyncpg.Record]", js: JetStreamContext
    ) -> None:
        self._database = database
        self._js = js

    async def restaurants(self) -> list[str]:
        rows = await self._database.fetch("SELECT DISTINCT restaurant FROM orders ORDER BY 1")
        return [row["restaurant"] for row in rows]

    async def order_ids(self, restaurant: str) -> set[UUID]:
        rows = await self._database.fetch("SELECT id FROM orders WHERE restaurant = $1", restaurant)
        return {row["id"] for row in rows}

    async def orders(self, restaurant: str, order_ids: Collection[UUID]) -> dict[UUID, Order]:
        rows = await self._database.fetch(
            f"SELECT {', '.join(COLUMNS)} FROM orders"  # noqa: S608 - constants
            " WHERE restaurant = $1 AND id = ANY($2)",
            restaurant,
            list(order_ids),
        )
        return {row["id"]: _order(row) for row in rows}

    async def follow_tickets(self, restaurant: str) -> "TicketStates":
        """Also those that have left the stream: they are in its archive."""
        subject = subjects.ticket(restaurant, "*", "*", "*")
        reader = await _StreamReader.open(self._js, streams.TICKETS, subject)
        if (await self._js.stream_info(streams.TICKETS.name)).state.first_seq <= 1:
            return TicketStates(reader)
        past = subjects.archived_ticket(restaurant, "*")
        with contextlib.suppress(NotFoundError):  # it has none
            archive = await _StreamReader.open(self._js, streams.TICKETS_ARCHIVE, past)
            return TicketStates(reader, past=archive)
        return TicketStates(reader)

    async def follow_order_ids(self, restaurant: str) -> "PublishedOrderIds":
        subject = subjects.order(restaurant, "*", "*")
        return PublishedOrderIds(
            await _StreamReader.open(self._js, streams.ORDERS, subject, headers_only=True)
        )


class _Reader(Protocol):
    """Some messages, each once."""

    def new(self) -> AsyncIterator[Msg]:
        """The messages since the last call."""
        ...


class TicketStates:
    """The newest ticket of each round, as of the last `catch_up`.

    Of a ticket that the stream has nothing in its `past` counts; nor does one that was open there,
    since what is open stays on the stream, or was lost.
    """

    def __init__(self, reader: "_Reader", *, past: "_Reader | None" = None) -> None:
        self._reader, self._past = reader, past
        self.by_order: defaultdict[UUID, dict[int, Ticket]] = defaultdict(dict)

    async def catch_up(self) -> None:
        past, self._past = self._past, None
        if past:
            await self._take(past)
            for order_id, tickets in self.by_order.items():
                settled = {n: each for n, each in tickets.items() if each.status in SETTLED}
                self.by_order[order_id] = settled
        await self._take(self._reader)

    async def _take(self, reader: "_Reader") -> None:
        async for message in reader.new():
            event = read(message.headers, message.data)
            if isinstance(event, TicketEvent):
                self.by_order[event.ticket.order_id][event.ticket.round] = event.ticket


class PublishedOrderIds:
    """The ids of the orders that were published, as of the last `catch_up`."""

    def __init__(self, reader: "_StreamReader") -> None:
        self._reader = reader
        self.ids: set[UUID] = set()

    async def catch_up(self) -> None:
        async for message in self._reader.new():
            self.ids.add(UUID(subjects.parse_order(message.subject).order_id))


class _StreamReader:
    """Reads a subject of a stream from its beginning, each message once."""

    def __init__(self, subscription: JetStreamContext.PullSubscription) -> None:
        self._subscription = subscription

    @classmethod
    async def open(
        cls, js: JetStreamContext, stream: Stream, subject: str, *, headers_only: bool = False
    ) -> "_StreamReader":
        config = api.ConsumerConfig(
            ack_policy=api.AckPolicy.NONE,
            inactive_threshold=CONSUMER_INACTIVE_S,
            headers_only=headers_only,
            mem_storage=True,
        )
        return cls(await js.pull_subscribe(subject, stream=stream.name, config=config))

    async def new(self) -> AsyncIterator[Msg]:
        """The messages since the last call."""
        pending = (await self._subscription.consumer_info()).num_pending or 0
        while pending > 0:
            batch = await self._subscription.fetch(
                min(pending, BATCH_MESSAGES), timeout=FETCH_TIMEOUT_S
            )
            pending -= len(batch)
            for message in batch:
                yield message


async def views(query: Api, restaurant: str, order_ids: Iterable[UUID]) -> dict[UUID, Json | None]:
    """Query's view of each order; None for one that it does not have."""
    turn = asyncio.Semaphore(VIEWS_IN_FLIGHT)

    async def view(order_id: UUID) -> tuple[UUID, Json | None]:
        async with turn:
            return order_id, await query.order_view(restaurant, order_id)

    return dict(await asyncio.gather(*(view(order_id) for order_id in order_ids)))


@contextlib.asynccontextmanager
async def write_side(system: SystemUrls) -> AsyncIterator[WriteSide]:
    """Connections to ordering's database and to NATS."""
    context = tls(DATABASE_URL, system.files)
    database = await asyncpg.connect(system.database.replace("+asyncpg", "", 1), ssl=context)
    try:
        async with await connect_nats(
            system.nats, system.files, max_reconnect_attempts=5
        ) as client:
            yield WriteSide(database, client.jetstream())
    finally:
        await database.close()


def _order(row: asyncpg.Record) -> Order:
    fields = dict(row)
    fields["order_id"] = fields.pop("id")
    fields["rounds"] = json.loads(fields["rounds"])
    return Order.model_validate(fields)
