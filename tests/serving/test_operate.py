"""What operators do with serving over HTTP: its status, and its dead letters."""

import contextlib
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
from comanda_contracts import Message
from comanda_contracts.streams import DEAD_LETTERS, ORDERS, TICKETS
from comanda_local.servers import Nats
from nats.aio.client import Client
from pydantic import SecretStr
from service_kit.nats.jetstream import publish_all
from service_kit.operate import letters
from serving.bootstrap import bootstrap
from serving.settings import Settings

from tests.conftest import NewNatsServer
from tests.serving.builders import an_order, placed
from tests.serving.running import set_up
from tests.support.operators import a_letter
from tests.support.streams import client_with
from tests.support.tokens import bearer

pytestmark = pytest.mark.servers

LETTERS = "/v1/operate/dead-letters"


@pytest.fixture
def server(new_nats_server: NewNatsServer) -> Nats:
    return new_nats_server()


@pytest.fixture
async def client(server: Nats) -> AsyncIterator[Client]:
    async with client_with(ORDERS, TICKETS, DEAD_LETTERS, server=server) as client:
        yield client


@contextlib.asynccontextmanager
async def serving(server: Nats, operator_url: str) -> AsyncIterator[httpx.AsyncClient]:
    await set_up(server.url)
    operator = SecretStr(operator_url)
    app = bootstrap(Settings(nats_url=SecretStr(server.url), operator_nats_url=operator))
    transport = httpx.ASGITransport(app)
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(
            transport=transport, base_url="http://test", headers=bearer(), timeout=60
        ) as http,
    ):
        yield http


@pytest.fixture
async def http(server: Nats, client: Client) -> AsyncIterator[httpx.AsyncClient]:
    async with serving(server, server.url) as http:
        yield http


async def set_aside(client: Client, *messages: Message) -> None:
    for outcome in await publish_all(client, messages):
        assert not isinstance(outcome, Exception), outcome


def unreadable(number: int, service: str = "serving") -> Message:
    event = placed(an_order())
    return a_letter(service, "ORDERS", number, Message(event.subject, event.headers, b"{"))


async def numbers(http: httpx.AsyncClient, **parameters: Any) -> list[int]:
    answer = (await http.get(LETTERS, params=parameters)).raise_for_status().json()
    return [each["number"] for each in answer["letters"]]


async def test_letters_are_listed_in_pages_and_shown(
    client: Client, http: httpx.AsyncClient
) -> None:
    await set_aside(client, unreadable(7), unreadable(8, "ordering"), unreadable(9))

    first = (await http.get(LETTERS, params={"limit": 1})).json()
    second = (await http.get(LETTERS, params={"limit": 1, "after": first["next"]})).json()
    shown = (await http.get(f"{LETTERS}/1")).json()

    assert [each["sequence"] for each in (*first["letters"], *second["letters"])] == [7, 9]
    assert second["next"] is None
    assert (shown["body"], shown["headers"]["Comanda-Reason"]) == ("{", "not read")
    assert await numbers(http, reason="unknown") == []


async def test_anothers_letter_and_one_that_is_gone_are_unknown(
    client: Client, http: httpx.AsyncClient
) -> None:
    await set_aside(client, unreadable(7, "ordering"))

    answers = [await http.get(f"{LETTERS}/{number}") for number in (1, 2)]

    assert [(each.status_code, each.json()["code"]) for each in answers] == [
        (404, "unknown-letter")
    ] * 2


async def test_a_replayed_letter_is_handled_and_gone_and_what_still_fails_stays(
    client: Client, http: httpx.AsyncClient
) -> None:
    order = an_order()
    await set_aside(client, a_letter("serving", "ORDERS", 7, placed(order)), unreadable(8))

    answer = await http.post(f"{LETTERS}/replay", json={"numbers": [1, 2, 3]})

    done, failed, missing = answer.raise_for_status().json()["outcomes"]
    assert done == {"number": 1, "is_done": True, "reason": None}
    assert not failed["is_done"]
    assert "Invalid JSON" in failed["reason"]
    assert missing == {"number": 3, "is_done": False, "reason": "it is not there"}
    ticket = f"/v1/restaurants/{order.restaurant}/orders/{order.order_id}/rounds/1"
    assert (await http.get(ticket)).json()["status"] == "queued"
    assert await numbers(http) == [2]


async def test_all_are_discarded_in_portions_and_no_other_services(
    client: Client, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "CHOSEN_MAX", 2)
    await set_aside(client, *(unreadable(each) for each in range(3)), unreadable(9, "ordering"))

    first = (await http.post(f"{LETTERS}/discard", json={"every": True})).json()
    second = await http.post(f"{LETTERS}/discard", json={"every": True, "after": first["next"]})

    assert [each["number"] for each in first["outcomes"]] == [1, 2]
    assert [each["number"] for each in second.json()["outcomes"]] == [3]
    assert second.json()["next"] is None
    assert (await client.jetstream().stream_info(DEAD_LETTERS.name)).state.messages == 1


async def test_a_request_whose_time_is_over_says_where_to_go_on_though_it_found_nothing(
    client: Client, http: httpx.AsyncClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(letters, "WORK_TIME_S", 0.0)
    await set_aside(client, *(unreadable(each) for each in range(3)))

    listed = (await http.get(LETTERS, params={"reason": "unknown"})).json()
    chosen = {"reason": "unknown", "after": listed["next"]}
    discarded = (await http.post(f"{LETTERS}/discard", json=chosen)).raise_for_status().json()

    assert listed == {"letters": [], "next": 1}
    assert discarded == {"outcomes": [], "next": 2}


@pytest.mark.parametrize("body", [{}, {"every": False}, {"every": True, "numbers": [1]}, {"x": 1}])
async def test_a_change_says_which_it_is_about(http: httpx.AsyncClient, body: Any) -> None:
    answer = await http.post(f"{LETTERS}/discard", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid-request")


async def test_the_status_has_health_lag_and_dead_letters(
    client: Client, http: httpx.AsyncClient
) -> None:
    await set_aside(client, unreadable(7))

    status = (await http.get("/v1/operate/status")).raise_for_status().json()

    assert (status["service"], status["dead_letters"]) == ("serving", 1)
    assert "queue" in status["components"]
    assert status["consumers"] == [
        {"stream": "ORDERS", "durable": durable, "behind": 0, "unsettled": 0}
        for durable in ("serving", "serving-forgetting")
    ]


async def test_without_an_operators_user_the_status_is_told_and_nothing_is_done(
    server: Nats, client: Client
) -> None:
    async with serving(server, "") as http:
        status = await http.get("/v1/operate/status")
        refused = await http.post(f"{LETTERS}/discard", json={"every": True})

    assert status.raise_for_status().json()["dead_letters"] is None
    assert (refused.status_code, refused.json()["code"]) == (503, "not-operable")
