"""The streams are lost in an evening that goes on: nobody acts twice, and nothing is lost."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, field
from datetime import timedelta
from functools import partial
from uuid import UUID

import pytest
from comanda_contracts import OrderEvent, OrderPlaced, Ticket, TicketEvent, TicketStatus, read
from comanda_contracts.streams import DEAD_LETTERS, ORDERS, TICKETS, Stream
from comanda_local.servers import Nats
from nats.aio.client import Client
from nats.aio.msg import Msg
from nats.js import JetStreamContext
from ordering.domain.order import KitchenVerdict, Order, OrderStatus
from ordering.inbound.nats.verdict_subscriber import verdict_router
from ordering.outbound.republish.restatements import Restatements, Scope
from query.views.orders.view import BatchFold, document
from service_kit.nats.broker import Broker
from service_kit.nats.broker import running as broker_running
from service_kit.nats.set_up import set_up, set_up_stream
from service_kit.runtime.clock import utc_now
from service_kit.runtime.components import Component, running
from serving.application.change_ticket import ChangeTicket
from serving.application.mark_ready import mark_ready
from serving.application.recall_ticket import recall_ticket
from serving.application.serve_ticket import serve_ticket
from serving.application.start_ticket import start_ticket
from serving.domain.ticket import TicketId
from serving.inbound.nats.orders import order_router
from serving.outbound.connection import connected_client
from serving.outbound.open_tickets import OpenTickets
from serving.outbound.ticket_stream import TicketStream
from uuid_utils.compat import uuid7

from tests.ordering.builders import NOON, TABLE_12, a_place_order
from tests.ordering.conftest import Database
from tests.ordering.relaying import a_relay, messages, outbox_is_empty, set_up_streams
from tests.ordering.use_cases import (
    NO_GRACE,
    adding,
    cancelling,
    closing,
    finding,
    open_la_piazza,
    placing,
)
from tests.support.eventually import eventually

MOVES: dict[str, Callable[..., Awaitable[object]]] = {
    "start": start_ticket,
    "ready": mark_ready,
    "serve": serve_ticket,
    "recall": partial(recall_ticket, grace=timedelta(minutes=15)),
}


@dataclass
class Team:
    """A subscriber: it keeps a view of all that it heard, and acts on each `placed` once.

    It comes again after each loss, by a consumer that begins at the beginning.
    """

    fold: BatchFold = field(default_factory=BatchFold)
    acted: list[UUID] = field(default_factory=list)
    _seen: set[str] = field(default_factory=set)

    def hear(self, found: list[Msg]) -> None:
        for each in found:
            event = read(each.headers, each.data)
            assert isinstance(event, OrderEvent | TicketEvent)
            self.fold.add(event)
            if isinstance(event, OrderPlaced) and (each.headers or {})["ce-id"] not in self._seen:
                self._seen.add((each.headers or {})["ce-id"])
                self.acted.append(event.order.order_id)


class Evening:
    """Ordering and serving on real servers, and a team that listens."""

    def __init__(self, database: Database, server: Nats, client: Client) -> None:
        self._database, self._server, self._client = database, server, client
        self.js = client.jetstream()
        self.store = database.replica()
        self.team = Team()

    @contextlib.asynccontextmanager
    async def services(self) -> AsyncIterator[None]:
        """Both services at work, until there is nothing left to do."""
        ordering, serving = (
            Broker([self._server.url], "ordering"),
            Broker([self._server.url], "serving"),
        )
        verdicts = verdict_router(self.store, lambda: NOON, recall_grace=NO_GRACE)
        ordering.include_router(verdicts)
        kitchen = TicketStream(partial(connected_client, serving))
        serving.include_router(order_router(tickets=kitchen, clock=lambda: NOON, new_id=uuid7))
        await set_up_streams(self._server)
        for stream in (TICKETS, DEAD_LETTERS):
            await set_up_stream(self.js, stream, replicas=1)
        for broker in (ordering, serving):
            await set_up(broker, [self._server.url], streams=[], replicas=1)
        components = [
            a_relay(self._database, self._server),
            Component("tickets", ordering.watching(TICKETS)),
            Component("orders", serving.watching(ORDERS)),
        ]
        async with broker_running(ordering), broker_running(serving), running(components):
            yield
            await self.is_quiet()

    async def is_quiet(self) -> None:
        """Nothing is on its way: not in the outbox, nor to one of the services."""

        async def quiet() -> bool:
            consumers = [
                await self.js.consumer_info(ORDERS.name, "serving"),
                await self.js.consumer_info(TICKETS.name, "ordering"),
            ]
            heard = not any(each.num_pending or each.num_ack_pending for each in consumers)
            return heard and await outbox_is_empty(self._database)()

        await eventually(quiet)
        await eventually(quiet)  # what the last one led to

    async def place(self, rounds: int = 1) -> UUID:
        order = await self.store.run(placing(a_place_order(party=TABLE_12)))
        for _ in range(rounds - 1):
            await self.store.run(adding(order.order_id))
        await self.is_quiet()
        return order.order_id

    async def cook(self, order_id: UUID, number: int, *moves: str) -> None:
        command = ChangeTicket(ticket_id=TicketId("la-piazza", order_id, number))
        for move in moves:
            await MOVES[move](
                command,
                tickets=TicketStream(lambda: self._client),
                clock=lambda: NOON,
                new_id=uuid7,
            )
        await self.is_quiet()

    async def listen(self) -> None:
        for stream in (ORDERS, TICKETS):
            self.team.hear(await messages(self.js, stream))

    async def republish(self) -> None:
        now = utc_now()
        restatements = Restatements(self._database.engine, new_id=uuid7, clock=utc_now)
        await restatements.restate(Scope(NOON.replace(year=2020), now))

    async def order(self, order_id: UUID) -> Order:
        order = await self.store.run(finding(order_id))
        assert order
        return order

    async def queue(self) -> list[tuple[UUID, int]]:
        """The rounds that the kitchen has, as its screen shows them."""
        open_tickets = OpenTickets()
        for sequence, each in enumerate(await messages(self.js, TICKETS), 1):
            open_tickets.apply(sequence, each.subject, each.headers, each.data)
        return sorted((each.order_id, each.round) for each in open_tickets.of("la-piazza"))

    async def agrees(self) -> None:
        """Ordering knows of each round what has become of its ticket."""
        tickets: dict[tuple[UUID, int], Ticket] = {}
        for each in await messages(self.js, TICKETS):
            event = read(each.headers, each.data)
            assert isinstance(event, TicketEvent)
            id_ = event.ticket.order_id, event.ticket.round
            if id_ not in tickets or tickets[id_].version < event.ticket.version:
                tickets[id_] = event.ticket
        for (order_id, number), ticket in tickets.items():
            verdict = (await self.order(order_id)).verdicts.get(number)
            assert (verdict is KitchenVerdict.SERVED) == (ticket.status is TicketStatus.SERVED)
            assert (verdict is KitchenVerdict.VOIDED) == (ticket.status is TicketStatus.VOIDED)


async def wipe(js: JetStreamContext, stream: Stream) -> None:
    await js.delete_stream(stream.name)


async def restore_older(js: JetStreamContext, stream: Stream) -> None:
    """The stream is as it was a while ago, and its durables know as little."""
    last = (await js.stream_info(stream.name)).state.last_seq
    for sequence in range(last // 2, last + 1):
        await js.delete_msg(stream.name, sequence)
    for durable in {"ordering", "serving"} - {stream.owner}:
        await js.delete_consumer(stream.name, durable)


@pytest.mark.parametrize(
    ("lose", "lost", "is_kept"),
    [
        pytest.param(wipe, (ORDERS, TICKETS), True, id="wiped"),
        pytest.param(wipe, (ORDERS, TICKETS), False, id="wiped, and found out late"),
        pytest.param(wipe, (TICKETS,), False, id="tickets wiped"),
        pytest.param(wipe, (ORDERS,), False, id="orders wiped"),
        pytest.param(restore_older, (ORDERS, TICKETS), False, id="an older copy"),
    ],
)
async def test_streams_are_lost_and_the_evening_goes_on(
    lose: Callable[[JetStreamContext, Stream], Awaitable[None]],
    lost: tuple[Stream, ...],
    is_kept: bool,
    database: Database,
    nats_server: Nats,
    client: Client,
) -> None:
    """`is_kept` says whether ordering still keeps what it published: for five minutes it does."""
    evening = Evening(database, nats_server, client)
    await open_la_piazza(evening.store)
    async with evening.services():
        fresh, served, half, closed, begun, voided = [await evening.place(2) for _ in range(6)]
        recalled = await evening.place(1)
        await evening.cook(recalled, 1, "start", "ready", "serve")
        for number in (1, 2):
            await evening.cook(served, number, "start", "ready", "serve")
            await evening.cook(closed, number, "start", "ready", "serve")
        await evening.cook(half, 1, "start", "ready", "serve")
        await evening.cook(begun, 1, "start")
        await evening.store.run(cancelling(voided))
        await evening.is_quiet()
        await evening.store.run(closing(closed))
        await evening.cook(recalled, 1, "recall")
    await evening.listen()
    queue_before = await evening.queue()
    if lose is restore_older:  # from before it was recalled
        queue_before.remove((recalled, 1))

    for stream in lost:
        await lose(evening.js, stream)
    if not is_kept:
        await database.administer("DELETE FROM outbox WHERE sequence IS NOT NULL")
    async with evening.services():
        for _ in range(2):
            await evening.republish()
            await evening.is_quiet()
            assert await evening.queue() == queue_before
        await evening.cook(fresh, 2, "start", "ready", "serve")
        await evening.store.run(cancelling(half, 2))
    await evening.listen()

    placed = [fresh, served, half, closed, begun, voided, recalled]
    assert sorted(evening.team.acted) == sorted(placed)
    views = {each.order_id: document(each) for each in evening.team.fold.views()}
    statuses = {
        name: views[str(order_id)]["status"]
        for name, order_id in {
            "fresh": fresh,
            "served": served,
            "half": half,
            "closed": closed,
            "begun": begun,
            "voided": voided,
        }.items()
    }
    assert statuses == {
        "fresh": "preparing",
        "served": "served",
        "half": "served",
        "closed": "closed",
        "begun": "preparing" if lost == (ORDERS,) else "placed",
        "voided": "cancelled",
    }
    for order_id in placed:
        order, view = await evening.order(order_id), views[str(order_id)]["order"]
        assert (view["version"], view["status"]) == (order.version, str(order.status))
    assert (await evening.order(half)).status is OrderStatus.OPEN
    await evening.agrees()
    again = BatchFold()
    for stream in (ORDERS, TICKETS):
        for each in await messages(evening.js, stream):
            again.add(read(each.headers, each.data))  # type: ignore[arg-type]
    of_streams = {each.order_id: document(each) for each in again.views()}
    for name, known in views.items():
        assert of_streams[name] == known | {"timeline": of_streams[name]["timeline"]}
