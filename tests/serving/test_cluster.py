"""Serving on a cluster of three: storing takes a while there, so races look different."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Iterator
from functools import partial

import pytest
from comanda_contracts.streams import TICKETS
from comanda_local.folders import temporary_folder
from nats.aio.client import Client
from service_kit.nats.broker import Broker
from service_kit.nats.broker import running as running_broker
from service_kit.nats.jetstream import connected
from service_kit.nats.set_up import set_up_stream
from service_kit.nats.stream_follower import set_up_stored_subjects
from service_kit.runtime.components import Component, Ready, running
from serving.application.change_ticket import ChangeTicket
from serving.application.start_ticket import start_ticket
from serving.application.tickets import NewTicket, StoreUnavailable, TicketTooLarge
from serving.contract import ticket_to_contract
from serving.domain.ticket import Ticket, WrongStatus
from serving.outbound.connection import connected_client, until_connected
from serving.outbound.kitchen_queues import KitchenQueues
from serving.outbound.ticket_stream import TicketStream
from uuid_utils.compat import uuid7

from tests.serving.builders import LATER, a_ticket, queued
from tests.serving.cluster import SIZE, Node, new_cluster
from tests.support.eventually import eventually

pytestmark = pytest.mark.servers


@pytest.fixture(scope="module")
def nodes() -> Iterator[list[Node]]:
    with temporary_folder() as folder, contextlib.ExitStack() as ends:
        nodes = new_cluster(folder)
        for node in nodes:
            ends.callback(node.process.stop)
        yield nodes


@pytest.fixture
async def replicas(nodes: list[Node]) -> AsyncIterator[list[Client]]:
    """The connection of each of three replicas of the service, each to a node of its own."""
    async with contextlib.AsyncExitStack() as connections:
        clients = [
            await connections.enter_async_context(connected([node.url], "test")) for node in nodes
        ]

        async def set_up() -> bool:
            with contextlib.suppress(Exception):  # until the nodes have agreed on a leader
                await set_up_stream(clients[0].jetstream(), TICKETS, replicas=SIZE)
                await set_up_stored_subjects(clients[0].jetstream(), TICKETS)
                return True
            return False

        async def answers(client: Client) -> bool:
            return await _add(client, a_ticket(restaurant="warm-up")) is None

        await eventually(set_up)
        for client in clients:  # each node hears of the stream's leader in its own time
            await eventually(partial(answers, client))
        yield clients


async def start(client: Client, ticket: Ticket) -> Ticket:
    command = ChangeTicket(ticket_id=ticket.id)
    store = TicketStream(lambda: client)
    started = await start_ticket(command, tickets=store, clock=lambda: LATER, new_id=uuid7)
    return started.ticket


async def test_of_cooks_on_different_replicas_exactly_one_starts_each_round(
    replicas: list[Client], restaurant: str
) -> None:
    tickets = [a_ticket(restaurant=restaurant) for _ in range(50)]
    store = TicketStream(lambda: replicas[0])
    assert not any(await store.add([NewTicket(queued(each), uuid7()) for each in tickets]))

    for ticket in tickets:
        outcomes = await asyncio.gather(
            *(start(client, ticket) for client in replicas), return_exceptions=True
        )

        (started,) = (outcome for outcome in outcomes if isinstance(outcome, Ticket))
        refused = [outcome for outcome in outcomes if isinstance(outcome, WrongStatus)]
        assert [refusal.ticket for refusal in refused] == [started, started]


async def test_a_round_that_is_delivered_to_all_replicas_at_once_gets_one_ticket(
    replicas: list[Client], restaurant: str
) -> None:
    for _ in range(50):
        ticket = a_ticket(restaurant=restaurant)
        before = await _count(replicas[0])

        outcomes = await asyncio.gather(*(_add(client, ticket) for client in replicas))

        assert any(outcome is None for outcome in outcomes)
        assert await _add(replicas[1], ticket) is None
        assert await _count(replicas[0]) == before + 1


async def _add(client: Client, ticket: Ticket) -> StoreUnavailable | TicketTooLarge | None:
    (outcome,) = await TicketStream(lambda: client).add([NewTicket(queued(ticket), uuid7())])
    return outcome


async def _count(client: Client) -> int:
    return (await client.jetstream().stream_info(TICKETS.name)).state.messages


async def test_the_queue_and_the_store_survive_the_loss_of_a_node(
    nodes: list[Node], replicas: list[Client], restaurant: str
) -> None:
    leader = await _leader(replicas[0])
    lost = next(node for node in nodes if node.name == leader)
    urls = [lost.url, *(node.url for node in nodes if node is not lost)]

    broker = Broker(urls, "test")
    queues = KitchenQueues(partial(connected_client, broker))

    async def keep(ready: Ready) -> None:
        await queues.keep_up_to_date(await until_connected(broker, ready), ready)

    before, after = a_ticket(restaurant=restaurant), a_ticket(restaurant=restaurant)
    store = TicketStream(partial(connected_client, broker))

    async def added(ticket: Ticket) -> bool:
        with contextlib.suppress(StoreUnavailable):
            return await store.add([NewTicket(queued(ticket), uuid7())]) == [None]
        return False

    async def shown(*tickets: Ticket) -> bool:
        with contextlib.suppress(StoreUnavailable):
            return queues.of(restaurant) == [ticket_to_contract(ticket) for ticket in tickets]
        return False

    async with running_broker(broker), running([Component("queue", keep)]):
        await eventually(lambda: added(before))
        await eventually(lambda: shown(before))

        await asyncio.to_thread(lost.process.kill)

        await eventually(lambda: added(after))
        await eventually(lambda: shown(before, after))
    await asyncio.to_thread(lost.process.start)


async def _leader(client: Client) -> str | None:
    cluster = (await client.jetstream().stream_info(TICKETS.name)).cluster
    return cluster.leader if cluster else None
