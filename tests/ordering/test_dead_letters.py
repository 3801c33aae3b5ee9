"""Ordering's dead letters: a command that was set aside is carried out, once."""

import json
from collections.abc import AsyncIterator

import pytest
from comanda_contracts import Message
from comanda_contracts.streams import COMMANDS, DEAD_LETTERS
from comanda_local.servers import Nats
from nats.aio.client import Client
from service_kit.nats.jetstream import publish_all

from tests.conftest import NewNatsServer
from tests.ordering.conftest import Database
from tests.ordering.test_command_subscriber import TAKEAWAY
from tests.ordering.use_cases import open_la_piazza
from tests.support.operators import a_letter, run
from tests.support.streams import client_with


@pytest.fixture
def nats_server(new_nats_server: NewNatsServer) -> Nats:
    return new_nats_server()


@pytest.fixture
async def client(nats_server: Nats) -> AsyncIterator[Client]:
    async with client_with(COMMANDS, DEAD_LETTERS, server=nats_server) as client:
        yield client


async def test_a_command_is_carried_out_once_however_often_it_was_set_aside(
    nats_server: Nats, client: Client, database: Database
) -> None:
    await open_la_piazza(database.replica())
    command = Message(
        "commands.v1.la-piazza.place-order",
        {"Nats-Msg-Id": "till-1/17", "Comanda-Actor": "till-1"},
        json.dumps(TAKEAWAY).encode(),
    )
    letters = [a_letter("ordering", "COMMANDS", number, command) for number in (5, 9)]
    for outcome in await publish_all(client, letters):
        assert not isinstance(outcome, Exception), outcome

    urls = {"nats_url": nats_server.url, "database_url": database.url}
    replayed = await run("ordering", "dead-letters", "replay", "--all", **urls)
    listed = await run("ordering", "dead-letters", "list", nats_url=nats_server.url)

    assert replayed.output.splitlines() == ["1: carried out", "2: carried out"], replayed.notes
    assert replayed.code == 0
    assert await database.rows("SELECT count(*) FROM orders") == [(1,)]
    assert (listed.code, listed.output, listed.notes) == (0, "", "0 dead letters.\n")
