"""Somebody who was let in is kept out by every service once his tokens are withdrawn."""

import asyncio
from collections.abc import AsyncIterator

import httpx
import pytest
from comanda_local.stack import Stack

from tests.e2e.restaurant import Restaurant
from tests.support.eventually import eventually
from tests.support.tokens import bearer

pytestmark = pytest.mark.xdist_group("stack")

ASKED = {"ordering": "/menu", "serving": "/queue", "query": "/orders"}
"""What somebody of the restaurant may ask of each service."""
FEEDS = {"serving": "/queue/live", "query": "/orders/live"}
SUBJECT = "auth0|5f7c"


class Somebody:
    """A cook and waiter, by a token; `statuses` is what each service answers."""

    def __init__(self, restaurant: Restaurant, stack: Stack, http: httpx.AsyncClient) -> None:
        grants = {restaurant.slug: ["till", "kitchen"]}
        self._headers = bearer(grants, subject=SUBJECT, issuer=stack.issuer)
        self._restaurant, self._http = restaurant, http

    async def statuses(self) -> set[int]:
        answers = [
            await self._http.get(self._restaurant.url(service, path), headers=self._headers)
            for service, path in ASKED.items()
        ]
        return {each.status_code for each in answers}

    async def lines(self, service: str, has_begun: asyncio.Event) -> AsyncIterator[str]:
        url = self._restaurant.url(service, FEEDS[service])
        async with self._http.stream("GET", url, headers=self._headers) as feed:
            async for line in feed.aiter_lines():
                has_begun.set()
                yield line


async def test_a_withdrawal_is_heard_by_every_service_and_ends_the_feeds(stack: Stack) -> None:
    restaurant = await asyncio.to_thread(Restaurant, stack)
    async with httpx.AsyncClient(timeout=60, trust_env=False) as http:
        somebody = Somebody(restaurant, stack, http)
        await eventually(somebody.statuses, lambda statuses: statuses == {200})
        begun = {service: asyncio.Event() for service in FEEDS}

        async def read(service: str) -> list[str]:
            return [line async for line in somebody.lines(service, begun[service])]

        readers = [asyncio.create_task(read(service)) for service in FEEDS]
        for has_begun in begun.values():
            await has_begun.wait()
        answer = await http.post(
            restaurant.url("ordering", f"/access/{SUBJECT.replace('|', '%7C')}/withdraw"),
            headers=bearer(issuer=stack.issuer),
        )

        await eventually(somebody.statuses, lambda statuses: statuses == {401})
        feeds = await asyncio.gather(*readers)

        async def with_a_later_token() -> set[int]:
            return await Somebody(restaurant, stack, http).statuses()

        await eventually(with_a_later_token, lambda statuses: statuses == {200})
        statuses = await somebody.statuses()

    assert answer.status_code == 200
    assert [[line for line in feed if line][-2:] for feed in feeds] == [
        ["event: end", 'data: {"reason":"withdrawn"}']
    ] * len(FEEDS)
    assert statuses == {401}
