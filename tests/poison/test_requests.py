"""Bad requests beside good traffic: each is answered, and nothing good is refused or waits."""

import asyncio
import time
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

import httpx
import pytest
from comanda_local.stack import Stack

from tests.e2e.restaurant import Restaurant
from tests.poison.corpus import RESTAURANT
from tests.poison.requests import HEAD_END, LATER, BadRequest, bad_requests
from tests.poison.test_messages import WAIT_MAX_S, is_ready, is_served_and_shown
from tests.support.tokens import authorization

pytestmark = [pytest.mark.xdist_group("poison"), pytest.mark.timeout(300)]

AT_ONCE = 8
NEXT_ONE = b"GET /health/live HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""What is asked on a connection that was left open: it has to be in order."""
REQUESTS_MIN = 60


@dataclass(frozen=True)
class Answer:
    """The status, the headers in lower case, and the body."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def is_feed(self) -> bool:
        return self.headers.get("content-type", "").startswith("text/event-stream")

    @property
    def is_due(self) -> bool:
        """Whether it is an answer of the service's own: done, or refused as problem details."""
        is_problem = self.headers.get("content-type") == "application/problem+json"
        return self.status < 400 or (self.status < 500 and is_problem)


class GoodTraffic:
    """Two restaurants that take orders one after the other, for as long as there is poison."""

    def __init__(self, restaurants: list[Restaurant]) -> None:
        self.orders: list[list[dict[str, Any]]] = [[] for _ in restaurants]
        self.waits_s: list[float] = []
        self._restaurants = restaurants
        self._is_over = False

    async def run(self) -> None:
        await asyncio.gather(*map(self._take_orders, range(len(self._restaurants))))

    def end(self) -> None:
        self._is_over = True

    async def _take_orders(self, number: int) -> None:
        while not self._is_over:
            begun = time.monotonic()
            self.orders[number].append(await asyncio.to_thread(self._restaurants[number].takeaway))
            self.waits_s.append(time.monotonic() - begun)
            await asyncio.sleep(0.1)


async def test_bad_requests_are_answered_and_good_traffic_does_not_feel_it(stack: Stack) -> None:
    await asyncio.to_thread(Restaurant, stack, RESTAURANT)
    restaurants = [await asyncio.to_thread(Restaurant, stack) for _ in range(2)]
    good = GoodTraffic(restaurants)
    allowed = authorization(issuer=stack.issuer)

    taking_orders = asyncio.create_task(good.run())
    wrong: dict[str, Any] = {}
    for name, service in stack.services.items():
        corpus = list(bad_requests(await _document(service.url)))
        assert len(corpus) > REQUESTS_MIN
        wrong |= {
            f"{name}: {each}": why
            for each, why in (await _sent(service.url, corpus, allowed)).items()
        }
    good.end()
    await taking_orders

    assert wrong == {}
    assert max(good.waits_s) < WAIT_MAX_S
    for restaurant, orders in zip(restaurants, good.orders, strict=True):
        assert len(orders) > 0
        await asyncio.to_thread(is_served_and_shown, restaurant, orders[-5:])
    for service in stack.services.values():
        assert await is_ready(service.url)


async def _document(url: str) -> dict[str, Any]:
    async with httpx.AsyncClient(trust_env=False) as http:
        document: dict[str, Any] = (await http.get(f"{url}/openapi.json")).json()
    return document


async def _sent(url: str, corpus: list[BadRequest], token: str) -> dict[str, Any]:
    """What is wrong with the answers, by the requests' names."""
    turns = asyncio.Semaphore(AT_ONCE)

    async def send(request: BadRequest) -> tuple[str, Any]:
        async with turns:
            try:
                async with asyncio.timeout(WAIT_MAX_S):
                    return request.name, await _fault(url, request, token)
            except (OSError, asyncio.IncompleteReadError) as error:
                return request.name, repr(error)

    outcomes = await asyncio.gather(*map(send, corpus))
    return {name: fault for name, fault in outcomes if fault}


async def _fault(url: str, request: BadRequest, token: str) -> Any:
    """What is wrong with the answer, or with the connection after it; None if nothing is."""
    to = urlsplit(url)
    reader, writer = await asyncio.open_connection(to.hostname, to.port)
    try:
        data, _, rest = request.allowed(token).partition(LATER)
        writer.write(data)
        answer = await _read(reader, has_body=request.has_body)
        if rest:
            writer.write(rest)
        if answer.status == httpx.codes.CONTINUE:
            answer = await _read(reader, has_body=True)
        if not answer.is_due:
            return answer
        if answer.is_feed and request.has_body:
            return None
        if answer.headers.get("connection") == "close":
            return await reader.read() or None
        writer.write(NEXT_ONE)
        next_one = await _read(reader, has_body=True)
        return None if next_one.status == httpx.codes.OK else ("next one", next_one)
    finally:
        writer.close()


async def _read(reader: asyncio.StreamReader, *, has_body: bool) -> Answer:
    first_line, *lines = (await reader.readuntil(HEAD_END)).decode("latin-1").split("\r\n")
    headers = {
        name.lower(): value for name, _, value in (line.partition(": ") for line in lines if line)
    }
    length = int(headers.get("content-length", 0)) if has_body else 0
    return Answer(int(first_line.split()[1]), headers, await reader.readexactly(length))
