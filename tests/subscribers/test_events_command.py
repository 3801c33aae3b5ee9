"""`comanda events`: what passes is shown and given back, and every event happens once."""

import asyncio
import contextlib
import json
import subprocess
import sys
from pathlib import Path

import httpx
import nats
import pytest
from comanda_contracts import OrderForgotten, OrderRestated, TicketForgotten, TicketRestated
from comanda_contracts.examples import EXAMPLES as EVENTS
from comanda_contracts.orders import OrderEvent
from comanda_contracts.reading import EVENTS as EVENT_TYPES
from comanda_contracts.streams import MENU, ORDERS, RESTAURANTS, TICKETS, Stream
from comanda_local import cli
from comanda_local.api import Addresses, Api, RefusedRequest
from comanda_local.events.trigger import RESTAURANT, Trial
from comanda_local.stack import NATS_URL, Stack
from comanda_local.system_urls import SystemUrls
from comanda_local.teams import NotGranted
from jsonschema import Draft202012Validator
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError
from typer.testing import CliRunner

from tests.e2e.restaurant import Restaurant
from tests.subscribers.broker import Broker
from tests.support.asyncapi import contract_document

NOT_OF_A_TRIAL = {
    *(OrderRestated.TYPE, TicketRestated.TYPE),
    *(OrderForgotten.TYPE, TicketForgotten.TYPE),
}
"""Events that come of a loss of streams alone, or erase what came before."""
COMANDA = str(Path(sys.executable).with_name("comanda"))
ORDER_EVENTS = [event for event in EVENTS if isinstance(event, OrderEvent)]


async def tail(broker: Broker, *arguments: str) -> list[str]:
    """What it prints of the orders that are stored."""
    command = [COMANDA, "events", "tail", "--history", "--stop", *arguments]
    ran = await asyncio.to_thread(
        subprocess.run,
        [*command, "--nats", broker.server.url],
        check=False,
        capture_output=True,
        text=True,
    )
    assert ran.returncode == 0, ran.stderr
    return ran.stdout.splitlines()


async def test_an_operator_sees_what_fits_and_leaves_no_trace(broker: Broker) -> None:
    await broker.publish(*EVENTS)
    await broker.publish_raw("orders.v1.a.b.placed", b"\x1b[2Jnot json", "comanda.order.placed.v1")

    shown = await tail(broker, "orders.v1.>")
    whole = [json.loads(line) for line in await tail(broker, "orders.v1.*.*.placed", "--json")]

    assert len(shown) == len(ORDER_EVENTS) + 1
    assert "order.placed" in shown[0]
    assert "A-017 open 2300 EUR v1  by Luigi" in shown[0]
    assert "can't be read" in shown[-1]
    assert [each["sequence"] for each in whole] == [1, len(ORDER_EVENTS) + 1]
    assert whole[0]["body"]["order"]["number"] == "A-017"
    assert whole[0]["headers"]["ce-type"] == "comanda.order.placed.v1"
    assert whole[1]["body"] == "\x1b[2Jnot json"
    assert await broker.jetstream.consumers_info(ORDERS.name) == []


async def test_a_team_sees_what_it_has_not_settled_and_has_it_still(broker: Broker) -> None:
    team = await broker.team("curious", ["orders.v1.>"])
    await broker.publish(*EVENTS)
    as_team = ("--team", team.name, "--key", str(broker.key_file(team.name)))

    shown = await tail(broker, "orders.v1.*.*.closed", *as_team)
    again = await tail(broker, "orders.v1.>", *as_team)

    assert ["order.closed" in line for line in shown] == [True]
    assert len(again) == len(ORDER_EVENTS)


@pytest.mark.parametrize("name", ["La Piazza", None])
async def test_a_restaurant_that_is_for_something_else_is_left_alone(name: str | None) -> None:
    """Also where query has not heard of it yet."""
    asked: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        asked.append(request.method)
        listed = [{"restaurant": "la-piazza", "name": name}] if name else []
        return httpx.Response(200, json={"items": [], "restaurants": listed, "next": None})

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        services = Api(client, Addresses("http://ordering", "http://serving", "http://query"))
        with pytest.raises(NotGranted, match="la-piazza is there already"):
            await Trial(services, "la-piazza", print).run()

    assert set(asked) == {"GET"}


async def test_a_restaurant_that_was_opened_to_try_events_is_opened_again() -> None:
    put: list[str] = []

    def answer(request: httpx.Request) -> httpx.Response:
        if request.method == "PUT":
            put.append(request.url.path)
            return httpx.Response(403, json={})
        page = {"restaurants": [{"restaurant": "mine", "name": "Events, tried once"}], "next": None}
        after_first = {"restaurants": [], "next": "mine"}
        return httpx.Response(200, json=page if request.url.query else after_first)

    async with httpx.AsyncClient(transport=httpx.MockTransport(answer)) as client:
        services = Api(client, Addresses("http://ordering", "http://serving", "http://query"))
        with pytest.raises(RefusedRequest):
            await Trial(services, "mine", print).run()

    assert put == ["/v1/restaurants/mine"]


@pytest.mark.xdist_group("pickup")
@pytest.mark.timeout(300)
def test_every_event_happens_again_whenever_it_is_triggered(stack: Stack) -> None:
    SystemUrls.of(stack).save(stack.folder)

    for _ in range(2):
        ran = CliRunner().invoke(cli.app, ["events", "trigger", "--data", str(stack.folder)])

        assert ran.exit_code == 0, ran.output
        did, came = ran.output.split("On the streams:")
        for event_type in EVENT_TYPES.keys() - NOT_OF_A_TRIAL:
            name = event_type.removeprefix("comanda.").removesuffix(".v1")
            assert name in did, "it says what it does"
            assert f"{name} " in came
        assert all(f" {RESTAURANT} " in line for line in came.strip().splitlines())


@pytest.mark.xdist_group("pickup")
@pytest.mark.timeout(300)
async def test_a_message_has_no_header_that_the_document_does_not_have(stack: Stack) -> None:
    restaurant = Restaurant(stack)
    order = restaurant.takeaway()
    restaurant.cook(order, 1, "start")
    restaurant.keyed_move(order, 1, "ready")
    schema = contract_document()["components"]["schemas"]["Headers"]
    is_valid = Draft202012Validator(schema).is_valid

    seen: set[str] = set()
    async with await nats.connect(stack.urls[NATS_URL]) as operator:
        for stream in (ORDERS, TICKETS, MENU, RESTAURANTS):
            for headers in await newest_headers(operator.jetstream(), stream):
                assert is_valid(headers), headers
                seen |= headers.keys()

    assert {"ce-type", "Comanda-Request"} <= seen
    assert seen - schema["properties"].keys() == set()


async def newest_headers(js: JetStreamContext, stream: Stream) -> list[dict[str, str]]:
    """Those of the last hundred messages."""
    state = (await js.stream_info(stream.name)).state
    wanted = range(max(state.first_seq, state.last_seq - 99), state.last_seq + 1)
    found = []
    for sequence in wanted:
        with contextlib.suppress(NotFoundError):  # it has left the stream
            found.append((await js.get_msg(stream.name, sequence)).headers or {})
    return found
