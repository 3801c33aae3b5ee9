"""Projects the streams: each batch of events becomes one write to each store."""

from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from functools import partial

from comanda_contracts.streams import MENU, ORDERS, RESTAURANTS, TICKETS, Stream
from nats.aio.client import Client
from prometheus_client import Counter, Histogram
from service_kit.nats.router import Router
from service_kit.nats.subscriber import Received
from service_kit.runtime.turns import in_turns

from query.projection.apply import FAILURES, apply_batch
from query.views.ports import Stores

SERVICE = "query"
"""The name of its consumers, its connections and its dead letters."""
PROJECTED = (ORDERS, TICKETS, MENU, RESTAURANTS)
"""The streams that the views are made from."""
CONCURRENT_BATCHES = 2
"""Of a backlog: one is taken apart while the store merges the other, in any order."""
ACKS_PER_TURN = 128
"""An acknowledgement takes microseconds, and those of one turn are sent together."""

EVENTS = Counter("comanda_query_events_projected", "Events whose effect is stored", ["stream"])
LAG = Histogram(
    "comanda_query_projection_lag_seconds",
    "From when an event happened until its effect was stored",
    ["stream"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 60, 600),
)
BATCH = Histogram(
    "comanda_query_batch_events",
    "Events that were written together",
    ["stream"],
    buckets=(1, 2, 5, 10, 25, 50, 100, 250, 500),
)


def projection_router(
    stores: Stores,
    before: Callable[[Stream, Client], Awaitable[None]] | None = None,
    note_stored: Callable[[str, int], Awaitable[None]] | None = None,
) -> Router:
    """The consumers of the projected streams, one each, so that none waits for another.

    A message is acknowledged once its effect is stored, so it may be projected more than once;
    that changes nothing, nor does the order. If the store is away nothing is acknowledged and the
    batch comes again. If one event can't be stored the halves of its batch are, and so on, until it
    is alone; then it is set aside. `before` is done before a stream's messages are asked for, and
    `note_stored` is told of the last message of a batch before any of it is acknowledged.
    """
    router = Router(FAILURES)

    def checked(stream: Stream) -> Callable[[Client], Awaitable[None]] | None:
        return partial(before, stream) if before else None

    async def project(stream: str, batch: Sequence[Received]) -> None:
        await apply_batch(batch, stores)
        if note_stored is not None:
            last = max(each.message.metadata.sequence.stream for each in batch)
            await note_stored(stream, last)
        await _acknowledge(batch)
        _measure(stream, batch)

    @router.batch_subscriber(
        ORDERS,
        durable=SERVICE,
        filter_subjects=[ORDERS.subject],
        batches=CONCURRENT_BATCHES,
        before=checked(ORDERS),
    )
    async def project_orders(batch: list[Received]) -> None:
        """Merges orders, and how they change, into the order views."""
        await project(ORDERS.name, batch)

    @router.batch_subscriber(
        TICKETS,
        durable=SERVICE,
        filter_subjects=[TICKETS.subject],
        batches=CONCURRENT_BATCHES,
        before=checked(TICKETS),
    )
    async def project_tickets(batch: list[Received]) -> None:
        """Merges the kitchen's work into the order views."""
        await project(TICKETS.name, batch)

    @router.batch_subscriber(
        MENU,
        durable=SERVICE,
        filter_subjects=[MENU.subject],
        batches=CONCURRENT_BATCHES,
        before=checked(MENU),
    )
    async def project_menu(batch: list[Received]) -> None:
        """Keeps the newest state of each menu item."""
        await project(MENU.name, batch)

    @router.batch_subscriber(
        RESTAURANTS,
        durable=SERVICE,
        filter_subjects=[RESTAURANTS.subject],
        batches=CONCURRENT_BATCHES,
        before=checked(RESTAURANTS),
    )
    async def project_restaurants(batch: list[Received]) -> None:
        """Keeps the newest state of each restaurant."""
        await project(RESTAURANTS.name, batch)

    return router


async def _acknowledge(batch: Sequence[Received]) -> None:
    async for received in in_turns(batch, items_per_turn=ACKS_PER_TURN):
        await received.message.ack()  # puts it in the connection's buffer: no round trip to gather


def _measure(stream: str, batch: Sequence[Received]) -> None:
    now, lag = datetime.now(UTC), LAG.labels(stream)
    for received in batch:
        lag.observe((now - received.event.at).total_seconds())
    EVENTS.labels(stream).inc(len(batch))
    BATCH.labels(stream).observe(len(batch))
