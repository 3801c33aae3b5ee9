"""Serving's dead letters: listed, replayed and discarded by its own command."""

from collections.abc import AsyncIterator, Callable

import pytest
from comanda_contracts import Message
from comanda_contracts.streams import DEAD_LETTERS, ORDERS, TICKETS
from comanda_local.servers import Nats
from nats.aio.client import Client
from service_kit.nats.jetstream import publish_all
from serving.domain.ticket import TicketId
from serving.outbound.ticket_stream import TicketStream

from tests.serving.builders import an_order, placed
from tests.support.operators import Ended, a_letter, run
from tests.support.streams import client_with


@pytest.fixture
def server(new_nats_server: Callable[[], Nats]) -> Nats:
    return new_nats_server()


@pytest.fixture
async def client(server: Nats) -> AsyncIterator[Client]:
    async with client_with(ORDERS, TICKETS, DEAD_LETTERS, server=server) as client:
        yield client


async def dead_letters(server: Nats, *arguments: str) -> Ended:
    return await run("serving", "dead-letters", *arguments, nats_url=server.url)


async def publish(client: Client, *messages: Message) -> None:
    for outcome in await publish_all(client, messages):
        assert not isinstance(outcome, Exception), outcome


async def test_a_release_that_knows_the_type_takes_up_what_one_before_left(
    server: Nats, client: Client
) -> None:
    order = an_order()
    event = placed(order)
    unreadable = Message(event.subject, event.headers, b"{")
    await publish(client, event)
    await publish(
        client,
        a_letter("serving", "ORDERS", 1, event, is_copy=False),
        a_letter("serving", "ORDERS", 7, unreadable),
    )

    outcome = await dead_letters(server, "replay", "--reason", "unknown-type")

    assert (outcome.code, outcome.output) == (0, "1: carried out\n"), outcome.notes
    assert await TicketStream(lambda: client).load(TicketId(order.restaurant, order.order_id, 1))
    left = await dead_letters(server, "list")
    assert left.output.splitlines() == [f"2  ORDERS 7  {event.subject}", "    not read"]


async def test_what_is_gone_or_still_fails_is_told_and_stays(server: Nats, client: Client) -> None:
    event = placed(an_order())
    await publish(
        client,
        a_letter("serving", "ORDERS", 3, event, is_copy=False),
        a_letter("serving", "TICKETS", 3, event),
        a_letter("serving", "ORDERS", 4, Message(event.subject, event.headers, b"\x1b[31m{")),
    )

    outcome = await dead_letters(server, "replay", "--all")
    shown = await dead_letters(server, "show", "3")
    discarded = await dead_letters(server, "discard", "--all")

    assert outcome.code == 1
    gone, foreign, garbled = outcome.output.splitlines()
    assert gone == "1: its original is no longer on ORDERS"
    assert foreign == "2: serving reads no stream TICKETS"
    assert "Invalid JSON" in garbled
    assert "\x1b" not in outcome.output + shown.output
    assert shown.output.endswith("\n\n\\x1b[31m{\n")
    assert (discarded.code, (await dead_letters(server, "list")).output) == (0, "")


async def test_while_the_store_is_away_a_letter_stays_and_the_command_says_so(
    server: Nats, client: Client
) -> None:
    await client.jetstream().delete_stream(TICKETS.name)
    await publish(client, a_letter("serving", "ORDERS", 1, placed(an_order())))

    outcome = await dead_letters(server, "replay", "1")

    assert outcome.code == 1
    assert "can't be done now" in outcome.notes
    assert (await dead_letters(server, "list")).output


@pytest.mark.servers
async def test_without_nats_it_says_so_in_a_line() -> None:
    outcome = await run("serving", "dead-letters", "list", nats_url="nats://127.0.0.1:1")

    assert (outcome.code, len(outcome.notes.splitlines())) == (1, 1)
    assert "NATS does not answer" in outcome.notes
