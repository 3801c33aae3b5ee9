"""What is safe to repeat is repeated when a connection fails, and nothing else is."""

from collections.abc import AsyncIterator, Callable
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import httpx
import pytest
from comanda_contracts import Channel, Ticket, TicketStatus
from comanda_local import api
from comanda_local.api import Addresses, Api, RefusedRequest

AT = Addresses("http://ordering", "http://serving", "http://query")
TICKET = Ticket(
    restaurant="la-piazza",
    version=1,
    order_id=UUID(int=1),
    round=1,
    number="A-001",
    channel=Channel.TAKEAWAY,
    lines=(),
    status=TicketStatus.QUEUED,
    ordered_at=datetime(2026, 11, 23, tzinfo=UTC),
)
Answer = httpx.Response | Exception
Service = Callable[..., Api]


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(api, "RETRY_PAUSE_S", 0)


class Wire:
    """Gives the answers one after the other, and the last one from then on."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx.Request] = []

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        answer = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer


@pytest.fixture
async def over() -> AsyncIterator[Service]:
    clients = []

    def over(wire: Wire) -> Api:
        clients.append(httpx.AsyncClient(transport=httpx.MockTransport(wire)))
        return Api(clients[-1], AT)

    yield over
    for client in clients:
        await client.aclose()


def refused(status: int, **problem: Any) -> httpx.Response:
    return httpx.Response(status, json=problem)


async def test_reading_is_repeated_after_a_lost_connection(over: Service) -> None:
    wire = Wire(httpx.ReadError("gone"), httpx.ConnectError("gone"), httpx.Response(200, json={}))

    assert await over(wire).order_view("la-piazza", 1) == {}
    assert len(wire.requests) == 3


async def test_reading_is_given_up_after_a_few_tries(over: Service) -> None:
    wire = Wire(httpx.ConnectError("gone"))

    with pytest.raises(httpx.ConnectError):
        await over(wire).queue("la-piazza")

    assert len(wire.requests) == api.ATTEMPTS_MAX


async def test_an_order_is_never_sent_twice(over: Service) -> None:
    wire = Wire(httpx.ReadError("gone"))

    with pytest.raises(httpx.ReadError):
        await over(wire).place("la-piazza", {})

    assert len(wire.requests) == 1


async def test_a_move_that_was_done_by_a_try_whose_answer_got_lost_is_done(over: Service) -> None:
    wire = Wire(httpx.ReadError("gone"), refused(409, ticket={"status": "preparing"}))

    await over(wire).move(TICKET, "start")

    assert len(wire.requests) == 2


@pytest.mark.parametrize("shown", ["queued", "preparing", "voided"])
async def test_a_move_that_was_not_done_is_a_refusal(over: Service, shown: str) -> None:
    wire = Wire(refused(409, detail="not now", ticket={"status": shown}))

    with pytest.raises(RefusedRequest, match="409 not now"):
        await over(wire).move(TICKET, "ready")


async def test_an_order_that_query_does_not_know_is_none(over: Service) -> None:
    assert await over(Wire(refused(404, detail="unknown"))).order_view("la-piazza", 1) is None


async def test_a_refusal_without_a_problem_is_put_into_words_too(over: Service) -> None:
    with pytest.raises(RefusedRequest, match="PUT /v1/restaurants/la-piazza: 502 Bad Gateway"):
        await over(Wire(httpx.Response(502))).set_restaurant("la-piazza")
