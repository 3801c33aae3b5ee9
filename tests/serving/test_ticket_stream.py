"""How the store takes the stream's answers, and the messages that it leaves in the stream."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial
from typing import Any

import comanda_contracts as contracts
import pytest
from comanda_contracts.envelope import Message
from comanda_contracts.streams import TICKETS
from comanda_local.servers import Nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StreamConfig
from nats.js.errors import BadRequestError, NoStreamResponseError
from opentelemetry import context, propagate
from service_kit.nats.broker import Broker
from service_kit.nats.jetstream import Outcome, connected, publish_all
from serving.application.change_ticket import ChangeTicket
from serving.application.start_ticket import start_ticket
from serving.application.tickets import NewTicket, StoreUnavailable
from serving.contract import ticket_to_contract
from serving.domain.ticket import Ticket, TicketStatus
from serving.outbound import ticket_stream
from serving.outbound.connection import connected_client
from serving.outbound.ticket_stream import TicketStream
from uuid_utils.compat import uuid7

from tests.serving.builders import LATER, a_ticket, queued

TRACEPARENT = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


async def test_an_event_in_the_stream_is_one_of_the_published_contract(
    client: Client, js: JetStreamContext, restaurant: str
) -> None:
    event, event_id = a_ticket(restaurant=restaurant).start(at=LATER, actor="Luigi"), uuid7()

    await TicketStream(lambda: client).append(event, event_id=event_id, after=0)

    message = await js.get_last_msg(TICKETS.name, f"tickets.v1.{restaurant}.>")
    read = contracts.read(message.headers, message.data or b"")
    assert read == contracts.TicketStarted(
        ticket=ticket_to_contract(event.ticket), at=LATER, actor="Luigi"
    )
    assert message.subject == read.subject
    assert message.headers is not None
    assert message.headers["Nats-Msg-Id"] == message.headers["ce-id"] == str(event_id)


async def test_an_event_carries_the_trace_of_the_request_that_caused_it(
    client: Client, js: JetStreamContext, restaurant: str
) -> None:
    token = context.attach(propagate.extract({"traceparent": TRACEPARENT}))

    await TicketStream(lambda: client).append(
        queued(a_ticket(restaurant=restaurant)), event_id=uuid7(), after=0
    )

    context.detach(token)
    message = await js.get_last_msg(TICKETS.name, f"tickets.v1.{restaurant}.>")
    assert message.headers is not None
    assert message.headers["traceparent"] == TRACEPARENT


@pytest.mark.parametrize(
    "outcome",
    [
        BadRequestError(code=400, err_code=10164, description="another is in flight"),
        BadRequestError(code=400, err_code=10158, description="the same is in flight"),
        NoStreamResponseError(),
        TimeoutError("not acknowledged in time"),
    ],
    ids=str,
)
async def test_a_ticket_of_which_nobody_knows_whether_it_is_stored_is_not_taken_for_added(
    client: Client, monkeypatch: pytest.MonkeyPatch, outcome: Exception
) -> None:
    async def publish_all(*_: Any) -> list[Outcome]:
        return [outcome]

    monkeypatch.setattr(ticket_stream, "publish_all", publish_all)

    (failure,) = await TicketStream(lambda: client).add([NewTicket(queued(a_ticket()), uuid7())])

    assert isinstance(failure, StoreUnavailable)


async def test_what_the_stream_has_no_room_for_is_neither_stored_nor_taken_for_overtaken(
    new_nats_server: Callable[[], Nats],
) -> None:
    async with connected([new_nats_server().url], "test") as client:
        full = StreamConfig(
            name=TICKETS.name, subjects=[TICKETS.subject], max_msgs=1, discard=DiscardPolicy.NEW
        )
        await client.jetstream().add_stream(full)
        store = TicketStream(lambda: client)
        await store.append(queued(a_ticket()), event_id=uuid7(), after=0)

        with pytest.raises(StoreUnavailable):
            await store.append(queued(a_ticket()), event_id=uuid7(), after=0)
        (failure,) = await store.add([NewTicket(queued(a_ticket()), uuid7())])

    assert isinstance(failure, StoreUnavailable)


async def test_without_a_connection_the_store_is_unavailable() -> None:
    broker = Broker(["nats://localhost:4222"], "test")
    store = TicketStream(partial(connected_client, broker))

    with pytest.raises(StoreUnavailable):
        await store.load(a_ticket().id)


def of_a_later_release(ticket: Ticket, body: bytes, after: int) -> Message:
    """An event of a type that this release does not know, as the later one stored it."""
    event_id = str(uuid7())
    subject = f"tickets.v1.{ticket.restaurant}.{ticket.order_id}.{ticket.round}.moved"
    headers = {
        "ce-type": "comanda.ticket.moved.v1",
        "ce-id": event_id,
        "Nats-Msg-Id": event_id,
        "Nats-Expected-Last-Subject-Sequence": str(after),
        "Nats-Expected-Last-Subject-Sequence-Subject": f"{subject.rpartition('.')[0]}.>",
    }
    return Message(subject, headers, body)


async def a_queued_ticket_and(client: Client, restaurant: str, body: bytes | None) -> Ticket:
    """A queued ticket, followed by a later release's event; without a body one that we can read."""
    tickets, ticket = TicketStream(lambda: client), a_ticket(restaurant=restaurant)
    await tickets.append(queued(ticket), event_id=uuid7(), after=0)
    stored = await tickets.load(ticket.id)
    assert stored is not None
    if body is None:
        moved = replace(ticket, table="7", version=2)
        body = b'{"ticket": %b}' % ticket_to_contract(moved).model_dump_json().encode()
    (outcome,) = await publish_all(client, [of_a_later_release(ticket, body, stored.sequence)])
    assert not isinstance(outcome, Exception), outcome
    return ticket


async def test_after_a_rollback_a_ticket_is_what_the_later_releases_event_says_it_is(
    client: Client, restaurant: str
) -> None:
    ticket = await a_queued_ticket_and(client, restaurant, body=None)

    stored = await TicketStream(lambda: client).load(ticket.id)

    assert stored is not None
    assert (stored.ticket.table, stored.ticket.version) == ("7", 2)


@pytest.mark.parametrize("body", [b"{}", b'{"ticket": {"status": "flying"}}', b"", b"\xff"])
async def test_after_a_rollback_a_ticket_that_can_not_be_read_is_changed_after_its_last_version(
    client: Client, restaurant: str, body: bytes
) -> None:
    tickets, ticket = (
        TicketStream(lambda: client),
        await a_queued_ticket_and(client, restaurant, body),
    )

    stored = await tickets.load(ticket.id)
    assert stored is not None
    await tickets.append(stored.ticket.start(at=LATER), event_id=uuid7(), after=stored.sequence)
    changed = await tickets.load(ticket.id)

    assert stored.ticket == replace(ticket, version=2)
    assert changed is not None
    assert (changed.ticket.version, changed.ticket.status) == (3, TicketStatus.PREPARING)


async def test_a_request_of_before_a_rollback_is_still_answered_as_the_first_time(
    client: Client, restaurant: str
) -> None:
    tickets, ticket = TicketStream(lambda: client), a_ticket(restaurant=restaurant)
    await tickets.append(queued(ticket), event_id=uuid7(), after=0)
    command = ChangeTicket(ticket_id=ticket.id, request_key="k")
    change = partial(start_ticket, command, tickets=tickets, clock=lambda: LATER, new_id=uuid7)
    first = (await change()).ticket
    stored = await tickets.load(ticket.id)
    assert stored is not None
    await publish_all(client, [of_a_later_release(ticket, b"{}", stored.sequence)])
    await tickets.append(
        replace(first, version=3).ready(at=LATER), event_id=uuid7(), after=stored.sequence + 1
    )

    again = await change()

    assert again.is_repeated
    assert replace(again.ticket, version=2) == first
