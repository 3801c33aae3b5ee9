"""The routes, over a store in memory."""

import contextlib
from collections.abc import AsyncIterator, Iterator
from uuid import UUID

import comanda_contracts as contracts
import httpx
import pytest
from fastapi import FastAPI
from pydantic import TypeAdapter
from service_kit.http.server import application
from serving.application.tickets import StoredTicket, StoreUnavailable
from serving.contract import event_to_contract, ticket_to_contract
from serving.domain.ticket import RECALL_GRACE, Ticket, TicketId, TicketStatus
from serving.inbound.http.queue import LastEventId
from serving.inbound.http.tickets import routes
from serving.queue_updates import QueueUpdate
from uuid_utils.compat import uuid7

from tests.serving.builders import LATER, a_ticket, queued
from tests.serving.fakes import InMemoryTickets
from tests.support.admission import own_admission
from tests.support.openapi import operations
from tests.support.tokens import bearer


def an_app(store: InMemoryTickets) -> FastAPI:
    def read_queue(restaurant: str) -> list[contracts.Ticket]:
        latest = {event.ticket.id: event.ticket for event in store.events}
        return [
            ticket_to_contract(each) for each in latest.values() if each.restaurant == restaurant
        ]

    app = application("test", "", [], admission=own_admission())
    app.include_router(
        routes(
            tickets=store,
            read_queue=read_queue,
            open_feed=open_no_feed,
            clock=lambda: LATER,
            new_id=uuid7,
            recall_grace=RECALL_GRACE,
        )
    )
    return app


@contextlib.contextmanager
def open_no_feed(restaurant: str, after: int | None) -> Iterator[AsyncIterator[QueueUpdate | None]]:
    raise StoreUnavailable("not caught up")
    yield  # as a context manager must


def client_of(store: InMemoryTickets) -> httpx.AsyncClient:
    transport = httpx.ASGITransport(an_app(store))
    return httpx.AsyncClient(
        transport=transport, base_url="http://serving/v1/restaurants", headers=bearer()
    )


@pytest.fixture
async def ticket(memory: InMemoryTickets) -> Ticket:
    ticket = a_ticket()
    await memory.append(queued(ticket), event_id=uuid7(), after=0)
    return ticket


@pytest.fixture
def memory() -> InMemoryTickets:
    return InMemoryTickets()


@pytest.fixture
async def http(memory: InMemoryTickets) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(memory) as client:
        yield client


def path(ticket: Ticket | TicketId, command: str = "") -> str:
    at = f"/{ticket.restaurant}/orders/{ticket.order_id}/rounds/{ticket.round}"
    return f"{at}/{command}" if command else at


async def test_a_started_ticket_is_answered_whole_with_its_version_as_etag(
    http: httpx.AsyncClient, memory: InMemoryTickets, ticket: Ticket
) -> None:
    answer = await http.post(path(ticket, "start"), headers={"Comanda-Actor": "Luigi"})

    started = ticket.start(at=LATER).ticket
    assert answer.status_code == 200
    assert answer.headers["etag"] == '"2"'
    assert contracts.Ticket.model_validate_json(answer.content) == ticket_to_contract(started)
    assert memory.events[-1].actor == "Luigi"


@pytest.mark.parametrize(
    ("command", "status", "name"),
    [
        ("start", "queued", "started"),
        ("ready", "preparing", "ready"),
        ("recall", "ready", "recalled"),
        ("serve", "ready", "served"),
    ],
)
async def test_every_change_says_who_sent_it(
    http: httpx.AsyncClient, memory: InMemoryTickets, command: str, status: str, name: str
) -> None:
    ticket = a_ticket(status=TicketStatus(status))
    await memory.append(queued(ticket), event_id=uuid7(), after=0)
    token = bearer({ticket.restaurant: ["manager", "kitchen", "act-as"]}, subject="luigi")

    await http.post(path(ticket, command), headers={"Comanda-Actor": "Gina", **token})

    event = event_to_contract(memory.events[-1])
    assert (event.name, event.actor) == (name, "Gina")
    assert event.by == contracts.Sender(subject="luigi", role="kitchen")


async def test_the_ticket_can_be_looked_at(http: httpx.AsyncClient, ticket: Ticket) -> None:
    answer = await http.get(path(ticket))

    assert answer.json()["status"] == "queued"
    assert answer.headers["etag"] == '"1"'


async def test_each_command_moves_the_ticket(http: httpx.AsyncClient, ticket: Ticket) -> None:
    commands = ["start", "ready", "recall", "ready", "serve", "recall", "serve"]

    answers = [await http.post(path(ticket, command)) for command in commands]

    statuses = [answer.json()["status"] for answer in answers]
    assert statuses == ["preparing", "ready", "preparing", "ready", "served", "ready", "served"]


async def test_what_was_served_too_long_ago_is_not_recalled() -> None:
    """A page tells that from a status that somebody else has changed."""
    served = a_ticket(status=TicketStatus.SERVED, served_at=LATER - 2 * RECALL_GRACE)
    store = InMemoryTickets()
    await store.append(queued(served), event_id=uuid7(), after=0)

    async with client_of(store) as http:
        answer = await http.post(path(served, "recall"))

    assert (answer.status_code, answer.json()["code"]) == (409, "too-late-to-recall")
    assert answer.json()["ticket"]["status"] == "served"


@pytest.mark.parametrize("command", ["recall", "serve"])
async def test_a_command_the_status_does_not_allow_is_refused_with_the_ticket_as_it_is(
    http: httpx.AsyncClient, ticket: Ticket, command: str
) -> None:
    answer = await http.post(path(ticket, command))

    problem = answer.json()
    assert answer.status_code == 409
    assert answer.headers["content-type"] == "application/problem+json"
    assert problem["code"] == "wrong-status"
    assert "A-001 is queued" in problem["detail"]
    assert contracts.Ticket.model_validate(problem["ticket"]) == ticket_to_contract(ticket)


async def test_a_change_meant_for_another_version_is_refused_with_the_ticket_as_it_is(
    http: httpx.AsyncClient, ticket: Ticket
) -> None:
    answer = await http.post(path(ticket, "start"), headers={"If-Match": '"2"'})

    assert answer.status_code == 412
    assert answer.json()["errors"][0]["field"] == "If-Match"
    assert answer.json()["ticket"]["version"] == 1


async def test_a_request_repeated_with_its_key_is_answered_like_the_first(
    http: httpx.AsyncClient, ticket: Ticket
) -> None:
    headers = {"Idempotency-Key": "tablet-7/42"}

    answers = [await http.post(path(ticket, "start"), headers=headers) for _ in range(2)]

    assert [answer.status_code for answer in answers] == [200, 200]
    assert answers[0].json() == answers[1].json()
    assert answers[0].headers["ETag"] == answers[1].headers["ETag"] == '"2"'
    said = [answer.headers.get("Idempotent-Replayed") for answer in answers]
    assert said == [None, "true"]


async def test_a_key_that_was_used_for_another_change_is_refused_naming_the_header(
    http: httpx.AsyncClient, ticket: Ticket
) -> None:
    headers = {"Idempotency-Key": "tablet-7/42"}
    await http.post(path(ticket, "start"), headers=headers)

    answer = await http.post(path(ticket, "ready"), headers=headers)

    assert (answer.status_code, answer.json()["code"]) == (422, "idempotency-key-reused")
    assert answer.json()["errors"][0]["field"] == "Idempotency-Key"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_an_unknown_ticket_is_not_found(http: httpx.AsyncClient, method: str) -> None:
    unknown = TicketId("la-piazza", UUID(int=1), 1)

    answer = await http.request(method, path(unknown, "start" if method == "POST" else ""))

    assert (answer.status_code, answer.json()["code"]) == (404, "unknown-ticket")


@pytest.mark.parametrize(
    ("at", "field"),
    [
        (f"/La Piazza/orders/{UUID(int=1)}/rounds/1", "restaurant"),
        (f"/a.b/orders/{UUID(int=1)}/rounds/1", "restaurant"),
        (f"/*/orders/{UUID(int=1)}/rounds/1", "restaurant"),
        ("/la-piazza/orders/17/rounds/1", "order_id"),
        ("/la-piazza/orders/>/rounds/1", "order_id"),
        (f"/la-piazza/orders/{UUID(int=1)}/rounds/0", "round"),
        (f"/la-piazza/orders/{UUID(int=1)}/rounds/1001", "round"),
        (f"/la-piazza/orders/{UUID(int=1)}/rounds/first", "round"),
    ],
)
async def test_a_path_that_can_name_no_ticket_is_refused_naming_the_field(
    http: httpx.AsyncClient, at: str, field: str
) -> None:
    for answer in (await http.get(at), await http.post(f"{at}/start")):
        assert answer.status_code == 422
        assert [error["field"] for error in answer.json()["errors"]] == [field]


@pytest.mark.parametrize(
    "headers",
    [
        {"Comanda-Actor": "x" * 81},
        {"Comanda-Actor": "Luigi\x7f"},
        {"Idempotency-Key": "x" * 256},
        {"Idempotency-Key": ""},
    ],
)
async def test_a_header_that_makes_no_sense_is_refused_and_nothing_is_changed(
    http: httpx.AsyncClient, memory: InMemoryTickets, ticket: Ticket, headers: dict[str, str]
) -> None:
    answer = await http.post(path(ticket, "start"), headers=headers)

    (field,) = headers
    assert answer.status_code == 422
    assert [error["field"].lower() for error in answer.json()["errors"]] == [field.lower()]
    assert len(memory.events) == 1


async def test_the_queue_is_answered_in_its_order(
    http: httpx.AsyncClient, memory: InMemoryTickets, ticket: Ticket
) -> None:
    other = a_ticket()
    await memory.append(queued(other), event_id=uuid7(), after=0)

    answer = await http.get("/la-piazza/queue")

    assert [each["order_id"] for each in answer.json()["tickets"]] == [
        str(ticket.order_id),
        str(other.order_id),
    ]
    assert (await http.get("/da-mario/queue")).json() == {"tickets": []}


@pytest.mark.parametrize(
    ("query", "statuses"),
    [
        ("status=queued", ["queued"]),
        ("status=queued&status=ready", ["queued", "ready"]),
        ("status=ready&status=ready", ["ready"]),
        ("", ["queued", "preparing", "ready"]),
    ],
)
async def test_the_queue_is_filtered_by_status(
    http: httpx.AsyncClient, memory: InMemoryTickets, query: str, statuses: list[str]
) -> None:
    for status in ("queued", "preparing", "ready"):
        ticket = a_ticket(status=TicketStatus(status))
        await memory.append(queued(ticket), event_id=uuid7(), after=0)

    answer = await http.get(f"/la-piazza/queue?{query}")

    assert [each["status"] for each in answer.json()["tickets"]] == statuses


@pytest.mark.parametrize("status", ["done", "", "QUEUED", "served", "queued,ready"])
async def test_a_status_that_no_ticket_in_a_queue_has_is_refused(
    http: httpx.AsyncClient, status: str
) -> None:
    answer = await http.get(f"/la-piazza/queue?status=queued&status={status}")

    (error,) = answer.json()["errors"]
    assert answer.status_code == 422
    assert error["field"] == "status"
    assert error["detail"] == "Input should be 'queued', 'preparing' or 'ready'"


@pytest.mark.parametrize(
    ("if_match", "status"),
    [
        ("*", 200),
        ('"1"', 200),
        ('"7", "1"', 200),
        ('W/"7","1"', 200),
        ('"2", "3"', 412),
        ('W/"1"', 412),
        ('W/"1", "2"', 412),
        ("2", 412),
        ("1", 412),
        ('"0"', 412),
        ('"of-another-service"', 412),
        ("", 412),
    ],
)
async def test_a_change_may_be_meant_for_any_version_or_for_several(
    http: httpx.AsyncClient, ticket: Ticket, if_match: str, status: int
) -> None:
    answer = await http.post(path(ticket, "start"), headers={"If-Match": if_match})

    assert answer.status_code == status


async def test_a_request_with_a_key_is_another_one_with_another_condition(
    http: httpx.AsyncClient, ticket: Ticket
) -> None:
    key = {"Idempotency-Key": "tablet-7/1"}
    same = [
        await http.post(path(ticket, "start"), headers={**key, "If-Match": each})
        for each in ('"1", "2"', '"2","1"')
    ]
    other = [
        await http.post(path(ticket, "start"), headers={**key, "If-Match": each})
        for each in ("*", '"1"', 'W/"1"')
    ]

    assert [each.json()["version"] for each in same] == [2, 2]
    assert {each.json()["code"] for each in other} == {"idempotency-key-reused"}


async def test_an_actor_may_have_any_letters(
    http: httpx.AsyncClient, memory: InMemoryTickets, ticket: Ticket
) -> None:
    headers = [(b"Comanda-Actor", "Groß 李".encode())]

    answer = await http.post(path(ticket, "start"), headers=headers)

    assert answer.status_code == 200
    assert memory.events[-1].actor == "Groß 李"


@pytest.mark.parametrize("last", ["", "-1", "abc", "1.5", "9223372036854775808", "1.17.11.0", "²"])
def test_a_last_event_id_of_another_feed_counts_as_none(last: str) -> None:
    validate = TypeAdapter(LastEventId).validate_python

    assert validate(last) is None
    assert validate(None) is None
    assert validate("4711") == 4711


async def test_nothing_is_live_until_the_queue_has_caught_up(http: httpx.AsyncClient) -> None:
    answer = await http.head("/la-piazza/queue/live")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/event-stream")


async def test_a_queue_of_no_restaurant_is_refused(http: httpx.AsyncClient) -> None:
    for queue in ("queue", "queue/live"):
        answer = await http.get(f"/La Piazza/{queue}")

        assert answer.json()["errors"][0]["field"] == "restaurant"


class Unreachable(InMemoryTickets):
    """A store that does not answer."""

    async def load(self, ticket_id: TicketId) -> StoredTicket | None:
        raise StoreUnavailable(f"no answer about {ticket_id}")


async def test_while_the_store_can_not_be_reached_the_client_is_told_to_come_again() -> None:
    async with client_of(Unreachable()) as http:
        answer = await http.post(path(a_ticket(), "start"))

    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "1"
    assert answer.json()["code"] == "store-unavailable"


OF_ANY_ROUTE = {"400", "401", "403", "413", "421", "422", "429", "500", "503"}


def test_every_route_documents_its_answer_and_its_refusals() -> None:
    schema = an_app(InMemoryTickets()).openapi()
    ticket = "/v1/restaurants/{restaurant}/orders/{order_id}/rounds/{round}"
    responses = {where: each["responses"] for where, each in operations(schema)}
    start, look = responses[f"POST {ticket}/start"], responses[f"GET {ticket}"]
    queue = responses["GET /v1/restaurants/{restaurant}/queue"]
    live = responses["GET /v1/restaurants/{restaurant}/queue/live"]
    assert set(start) == OF_ANY_ROUTE | {"200", "404", "409", "412"}
    assert set(look) == OF_ANY_ROUTE | {"200", "404"}
    assert set(queue) == OF_ANY_ROUTE | {"200"}
    assert set(live) == set(queue)
    too_many = live["429"]["content"]["application/problem+json"]["examples"]
    assert set(too_many) == {"too-many-feeds", "too-many-requests"}
    unavailable = live["503"]["content"]["application/problem+json"]["examples"]
    assert set(unavailable) == {"keys-unavailable", "too-many-feeds"}
    assert set(live["200"]["content"]) == {"text/event-stream"}
    for answer in (start["200"], look["200"]):
        answered = answer["content"]["application/json"]["schema"]
        assert answered == {"$ref": "#/components/schemas/Ticket"}
