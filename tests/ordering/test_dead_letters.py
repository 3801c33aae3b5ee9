"""Ordering's dead letters: a command that was set aside is carried out, once, as its sender's."""

import contextlib
import json
import uuid
from collections.abc import AsyncIterator
from typing import Any

import pytest
from comanda_contracts import Message
from comanda_contracts.streams import COMMANDS, DEAD_LETTERS
from comanda_local.servers import Nats
from nats.aio.client import Client
from nats.js.api import RawStreamMsg
from nats.js.errors import NotFoundError
from ordering.inbound.change import Store
from ordering.inbound.nats.command_subscriber import command_router
from ordering.inbound.nats.sender import by_token
from service_kit.nats.broker import Broker, running
from service_kit.nats.jetstream import publish_all
from service_kit.nats.set_up import set_up
from sqlalchemy.exc import DataError

from tests.conftest import NewNatsServer
from tests.ordering.conftest import Database
from tests.ordering.test_command_subscriber import TAKEAWAY
from tests.ordering.use_cases import open_la_piazza
from tests.support.admission import own_admission
from tests.support.eventually import eventually
from tests.support.operators import a_letter, run
from tests.support.streams import client_with
from tests.support.tokens import SUBJECT, token

COMMAND = "commands.v1.la-piazza.place-order"
NAMED = {"Comanda-Request-Id": "till-1/17", "Comanda-Actor": "Gina"}
SOMEBODY_ELSE = {
    "subject": "mario",
    "role": "manager",
    "device": None,
    "actor": "mario",
    "issued_at": 4_000_000_000,
}


@pytest.fixture
def nats_server(new_nats_server: NewNatsServer) -> Nats:
    return new_nats_server()


@pytest.fixture
async def client(nats_server: Nats) -> AsyncIterator[Client]:
    async with client_with(COMMANDS, DEAD_LETTERS, server=nats_server) as client:
        yield client


class Refusing:
    """A store that takes nothing."""

    def is_blocked(self, restaurant: str) -> bool:
        return False

    async def run(self, *_: Any, **__: Any) -> Any:
        raise DataError("INSERT", {}, ValueError("never"))

    run_once = run


@contextlib.asynccontextmanager
async def commands_carried_out(server: Nats, store: Store) -> AsyncIterator[None]:
    """Ordering's commands, on this store."""
    broker = Broker([server.url], "ordering")
    router = command_router(
        store,
        broker.client,
        clock=lambda: pytest.fail("no command is so late"),
        new_id=uuid.uuid4,
        identify=by_token(own_admission()),
    )
    broker.include_router(router)
    await set_up(broker, [server.url], streams=[], replicas=1)
    async with running(broker):
        yield


async def send(client: Client, headers: dict[str, str]) -> None:
    (outcome,) = await publish_all(
        client, [Message(COMMAND, NAMED | headers, json.dumps(TAKEAWAY).encode())]
    )
    assert not isinstance(outcome, Exception), outcome


async def the_letter(client: Client, number: int) -> RawStreamMsg | None:
    with contextlib.suppress(NotFoundError):
        return await client.jetstream().get_msg(DEAD_LETTERS.name, number)
    return None


async def test_a_command_that_was_set_aside_is_carried_out_once_as_its_senders(
    nats_server: Nats, client: Client, database: Database
) -> None:
    """However often it was, and whoever else it names as its sender; his token is not kept."""
    await open_la_piazza(database.replica())
    own = {"Authorization": f"Bearer {token()}"}
    forged = {"Comanda-Sender": json.dumps(SOMEBODY_ELSE)}
    async with commands_carried_out(nats_server, Refusing()):
        await send(client, own)
        await send(client, own | forged | {"comanda-sender": forged["Comanda-Sender"]})
        letters = [await eventually(lambda n=n: the_letter(client, n)) for n in (1, 2)]  # type: ignore[misc]
    urls = {"nats_url": nats_server.url, "database_url": database.url}

    first = await run("ordering", "dead-letters", "replay", "1", **urls)
    second = await run("ordering", "dead-letters", "replay", "2", "--actor", "mario", **urls)
    listed = await run("ordering", "dead-letters", "list", nats_url=nats_server.url)

    for each in letters:
        assert json.loads((each.headers or {})["Comanda-Sender"])["subject"] == SUBJECT
        assert "mario" not in str(each.headers)
        assert token() not in f"{each.headers}{each.data!r}"
    assert (first.output, first.code) == ("1: carried out\n", 0), first.notes
    assert (second.output, second.code) == ("2: carried out\n", 0), second.notes
    assert await senders(database) == [("Gina", SUBJECT)]
    assert (listed.code, listed.output, listed.notes) == (0, "", "0 dead letters.\n")


async def test_a_command_of_nobody_stays_until_an_operator_says_whose_it_is_to_be(
    nats_server: Nats, client: Client, database: Database
) -> None:
    await open_la_piazza(database.replica())
    command = Message(COMMAND, NAMED, json.dumps(TAKEAWAY).encode())
    letters = [a_letter("ordering", "COMMANDS", number, command) for number in (5, 9)]
    for outcome in await publish_all(client, letters):
        assert not isinstance(outcome, Exception), outcome
    urls = {"nats_url": nats_server.url, "database_url": database.url}

    refused = await run("ordering", "dead-letters", "replay", "--all", **urls)
    replayed = await run("ordering", "dead-letters", "replay", "--all", "--actor", "luigi", **urls)

    assert refused.code == 1
    assert [line[:16] for line in refused.output.splitlines()] == [
        "1: no good token",
        "2: no good token",
    ]
    assert replayed.output.splitlines() == ["1: carried out", "2: carried out"], replayed.notes
    assert await senders(database) == [("luigi", None)]


async def senders(database: Database) -> list[tuple[object, object]]:
    """The actor of each order that was placed, and by whose token."""
    bodies = await database.rows(
        "SELECT body FROM outbox WHERE subject LIKE 'orders.%' ORDER BY id"
    )
    events = [json.loads(bytes(body)) for (body,) in bodies]  # type: ignore[call-overload]
    return [(event["actor"], event["by"] and event["by"]["subject"]) for event in events]
