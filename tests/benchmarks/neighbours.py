"""One bad neighbour: how long the orders of good restaurants take beside it, and without it."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from itertools import cycle
from urllib.parse import urlsplit

import httpx
from comanda_local.folders import temporary_folder
from comanda_local.stack import NATS_URL, Stack

from tests.benchmarks.contestants import comanda, open_restaurant
from tests.benchmarks.figures import Figures, named
from tests.benchmarks.orders import ELSEWHERE, RESTAURANT, placing
from tests.benchmarks.wrk import at_a_rate
from tests.poison.corpus import MESSAGES, NEXT_REPLY, NEXT_TOKEN
from tests.poison.corpus import RESTAURANT as POISONED
from tests.poison.requests import LATER, bad_requests
from tests.poison.wire import RawPublisher
from tests.support.tokens import authorization, bearer, token

BAD = "r-flood"
"""The restaurant that sends without end."""
GOOD = (RESTAURANT, *ELSEWHERE)
GOOD_RATE = 50.0
"""Orders a second of the good restaurants together."""
FLOOD_RATE = 300.0
"""Orders a second of the bad one, whether they are answered or not: about half a core's work."""
POISON_RATE = 20.0
"""Bad messages a second, and as many bad requests."""
ANSWERED_WITHIN_S = 1.0
"""After which a bad request's connection is left: some are never whole."""
TAKES = 3
"""Times as long as a rate: of few orders the hundredth slowest is a matter of luck."""


async def measure(*, seconds: int) -> Figures:
    """One round: the same good traffic alone, beside a flood, and beside poison."""
    with temporary_folder() as folder, comanda(folder) as stack:
        url = stack.services["ordering"].url
        with httpx.Client(base_url=url, trust_env=False, headers=bearer()) as ordering:
            for restaurant in (BAD, POISONED):
                open_restaurant(ordering, restaurant)
        await _good_orders(stack, seconds=2)
        alone = await _good_orders(stack, TAKES * seconds)
        async with _flood(stack):
            beside_flood = await _good_orders(stack, TAKES * seconds)
        async with _poison(stack):
            beside_poison = await _good_orders(stack, TAKES * seconds)
    return {
        **named("comanda.neighbour.none", alone),
        **named("comanda.neighbour.flood", beside_flood),
        **named("comanda.neighbour.poison", beside_poison),
    }


async def _good_orders(stack: Stack, seconds: int) -> Figures:
    """How long they take. Raises NotAnswered if one is refused, or not answered."""
    url = stack.services["ordering"].url
    return (await at_a_rate(url, placing(*GOOD), rate=GOOD_RATE, seconds=seconds)).latency


@contextlib.asynccontextmanager
async def _flood(stack: Stack) -> AsyncIterator[None]:
    is_over = asyncio.Event()
    url = stack.services["ordering"].url
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(at_a_rate(url, placing(BAD), rate=FLOOD_RATE, until=is_over.wait()))
        yield
        is_over.set()


@contextlib.asynccontextmanager
async def _poison(stack: Stack) -> AsyncIterator[None]:
    """The corpus from its beginning to its end, again and again, at a rate."""
    async with (
        RawPublisher.connected(stack.servers[NATS_URL].url) as publisher,
        httpx.AsyncClient(trust_env=False) as http,
        asyncio.TaskGroup() as tasks,
    ):
        sending = [tasks.create_task(_send_messages(publisher))]
        for service in stack.services.values():
            document = (await http.get(f"{service.url}/openapi.json")).json()
            corpus = [each.allowed(authorization()) for each in bad_requests(document)]
            rate = POISON_RATE / len(stack.services)
            sending.append(tasks.create_task(_send_requests(service.url, corpus, rate)))
        yield
        for task in sending:
            task.cancel()


async def _send_messages(publisher: RawPublisher) -> None:
    for number, poison in enumerate(cycle(MESSAGES)):
        reply = f"replies.v1.{POISONED}.1.poison-{number}".encode()
        headers = poison.headers.replace(NEXT_REPLY.encode(), reply)
        headers = headers.replace(NEXT_TOKEN.encode(), token().encode())
        await publisher.publish(poison.subject, headers, poison.body)
        await asyncio.sleep(1 / POISON_RATE)


async def _send_requests(url: str, corpus: list[bytes], rate: float) -> None:
    async with asyncio.TaskGroup() as requests:
        for data in cycle(corpus):
            requests.create_task(_send_request(url, data))
            await asyncio.sleep(1 / rate)


async def _send_request(url: str, data: bytes) -> None:
    """Send it and hear what is answered, for a while."""
    to = urlsplit(url)
    reader, writer = await asyncio.open_connection(to.hostname, to.port)
    with contextlib.suppress(TimeoutError, ConnectionError):
        async with asyncio.timeout(ANSWERED_WITHIN_S):
            writer.write(data.replace(LATER, b""))
            while await reader.read(65_536):
                pass
    writer.close()
