"""Questions: how many a second, and how long one waits while orders pour in."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from typing import Any

import nats
from comanda_local.folders import temporary_folder
from comanda_local.stack import DATABASE_URL, NATS_URL, Stack

from tests.benchmarks import rebuild
from tests.benchmarks.backlog import projected, settled
from tests.benchmarks.contestants import comanda, crud
from tests.benchmarks.figures import Figures, named
from tests.benchmarks.history import Past
from tests.benchmarks.loading import load_crud, load_crud_menu, load_ordering, publish
from tests.benchmarks.orders import ELSEWHERE, RESTAURANT, placing
from tests.benchmarks.questions import (
    Questions,
    gists,
    of_comanda,
    of_crud,
    rates,
    require_alike,
)
from tests.benchmarks.wrk import Request, at_a_rate, saturate

OPEN_LOOP = 50.0
"""Questions a second while the latency is measured."""
LATENCY_TAKES = 2
"""Times as long as a rate: of few questions the hundredth slowest is a matter of luck."""
WARM = 2
"""Seconds before, in which what was asked for earlier is done with."""
HERE_TOO = 2.0
"""Orders a second at the restaurant that is asked about, while others flood the rest."""


async def measure(*, orders: int, seconds: int) -> Figures:
    """One round over a past of so many orders: each contestant, also with its reads apart."""
    past = Past.of(orders)
    figures, said = await _crud(past, seconds)
    with temporary_folder() as folder, comanda(folder) as stack:
        projector = await let_project(stack, past)
        query, ordering = stack.services["query"].url, stack.services["ordering"].url
        questions = of_comanda(past)
        require_alike(said, await gists(query, questions))
        together = {
            "projector": projector,
            **await rates(query, questions, seconds=seconds),
            **await _latencies(query, ordering, questions, seconds),
        }
        apart = await _latencies(stack.replica("query", "api").url, ordering, questions, seconds)
        together |= await rebuild.measure(stack, questions, orders=orders)
    return {**figures, **named("comanda", together), **named("comanda_reader", apart)}


async def _crud(past: Past, seconds: int) -> tuple[Figures, dict[str, Any]]:
    """The figures, and what it answered."""
    questions = of_crud(past)
    with temporary_folder() as folder, crud(folder) as (service, url):
        await load_crud_menu(service.postgres.url)
        await load_crud(service.postgres.url, past)
        said = await gists(url, questions)
        alone = {
            **await rates(url, questions, seconds=seconds),
            **await _latencies(url, url, questions, seconds),
        }
        beside = await _latencies(service.start(), url, questions, seconds)
    return {**named("crud", alone), **named("crud_reader", beside)}, said


async def let_project(
    stack: Stack, past: Past, services: Sequence[str] = ("query", "serving", "ordering")
) -> float:
    """Bring a past into every store of Comanda; events a second that query projected meanwhile.

    The services catch up one by one, query first; those that are not named stay stopped.
    """
    for service in stack.services.values():
        service.stop()
    await load_ordering(stack.urls[DATABASE_URL], past)
    async with await nats.connect(stack.urls[NATS_URL]) as client:
        count = await publish(client, past.messages())
        stack.services["query"].start()
        rate = await projected(client.jetstream(), count)
        for name in services:
            if name != "query":
                stack.services[name].start()
            stack.services[name].wait_until_ready()
            await settled(client.jetstream(), name)
    await asyncio.sleep(SUMMED_UP)
    return rate


SUMMED_UP = 3.0
"""Seconds in which the sums of sales have what was projected last."""


async def _latencies(reads: str, writes: str, questions: Questions, seconds: int) -> Figures:
    """Of questions that are asked at a steady rate: with no writes, then with all that can be."""
    figures: dict[str, float] = {}
    seconds *= LATENCY_TAKES
    for about in ("order", "board"):
        requests = [Request("GET", path) for path in questions[about]]
        await at_a_rate(reads, requests, rate=OPEN_LOOP, seconds=WARM)
        quiet = await at_a_rate(reads, requests, rate=OPEN_LOOP, seconds=seconds)
        async with _writing(writes):
            busy = await at_a_rate(reads, requests, rate=OPEN_LOOP, seconds=seconds)
        figures |= named(f"{about}.quiet", quiet.latency)
        figures |= named(f"{about}.busy", busy.latency)
    return figures


@asynccontextmanager
async def _writing(url: str) -> AsyncIterator[None]:
    """Orders are placed as fast as they are taken, and here as fast as guests order."""
    is_over = asyncio.Event()
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(saturate(url, placing(*ELSEWHERE), until=is_over.wait()))
        tasks.create_task(at_a_rate(url, placing(RESTAURANT), rate=HERE_TOO, until=is_over.wait()))
        await asyncio.sleep(1)  # until the load is at its height
        yield
        is_over.set()
