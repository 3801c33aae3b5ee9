"""How the store takes the stream's answers, and the messages that it leaves in the stream."""

from collections.abc import Callable
from functools import partial
from typing import Any

import comanda_contracts as contracts
import pytest
from comanda_contracts.streams import TICKETS
from comanda_local.servers import Nats
from nats.aio.client import Client
from nats.js import JetStreamContext
from nats.js.api import DiscardPolicy, StreamConfig
from nats.js.errors import BadRequestError, NoStreamResponseError
from opentelemetry import context, propagate
from service_kit.nats.broker import Broker
from service_kit.nats.jetstream import Outcome, connected
from serving.application.tickets import NewTicket, StoreUnavailable
from serving.contract import ticket_to_contract
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
