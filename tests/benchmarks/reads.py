"""Questions: how many a second, and how long one waits while orders pour in."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from pathlib import Path

import nats
from comanda_local.places import temporary_folder
from comanda_local.stack import NATS_URL, Stack
from nats.js import JetStreamContext
from nats.js.errors import NotFoundError

from tests.benchmarks.contestants import ADDRESS, comanda, crud
from tests.benchmarks.figures import Figures, named
from tests.benchmarks.history import ACTIVE, Past, some_ids
from tests.benchmarks.loading import load_crud, load_crud_menu, publish
from tests.benchmarks.open_loop import ask
from tests.benchmarks.orders import TABLES
from tests.benchmarks.writes import PLACING
from tests.benchmarks.wrk import Request, load

OPEN_LOOP = 50.0
"""Questions a second while the latency is measured."""
DONE_WITHIN = 1800.0
LOOK_EVERY = 0.05
"""Seconds between two looks at a consumer."""
VERY_MANY = 2**63

Questions = Mapping[str, Sequence[str]]
"""Paths to ask for, by what they ask."""


async def measure(*, orders: int, seconds: int) -> Figures:
    """One round over a past of so many orders: CRUD, CRUD with a reader of its own, Comanda."""
    past = Past.of(orders, until=datetime.now(UTC))
    with temporary_folder() as folder:
        figures = {**await _crud(folder, past, seconds)}
    with temporary_folder() as folder, comanda(folder) as stack:
        figures |= await _project(stack, past)
        questions, query = (
            _questions(past, active=f"?active=true&limit={ACTIVE}"),
            stack.services["query"],
        )
        figures |= await _rates("comanda", query.url, questions, seconds)
        figures |= await _latencies(
            "comanda", query.url, stack.services["ordering"].url, questions, seconds
        )
    return figures


async def _crud(folder: Path, past: Past, seconds: int) -> Figures:
    with crud(folder) as (service, url):
        await load_crud_menu(service.postgres.url)
        await load_crud(service.postgres.url, past)
        questions = _questions(past, active="/active")
        figures = {**await _rates("crud", url, questions, seconds)}
        figures |= await _latencies("crud", url, url, questions, seconds)
        reader = service.start()
        figures |= await _latencies("crud_reader", reader, url, questions, seconds)
    return figures


def _questions(past: Past, *, active: str) -> Questions:
    return {
        "order": [f"{ADDRESS}/orders/{order_id}" for order_id in some_ids(past)],
        "table": [f"{ADDRESS}/orders?table={number}&limit=20" for number in range(1, TABLES + 1)],
        "active": [f"{ADDRESS}/orders{active}"],
        "board": [f"{ADDRESS}/board"],
        "top": [f"{ADDRESS}/sales/top?day={past.today}"],
    }


async def _rates(name: str, url: str, questions: Questions, seconds: int) -> Figures:
    figures = {}
    for about, paths in questions.items():
        requests = [Request("GET", path) for path in paths]
        await load(url, requests, seconds=1)
        asked = await load(url, requests, seconds=seconds)
        if asked.refused or asked.failed:
            raise RuntimeError(f"not every question to {name} was answered: {about}: {asked}")
        figures[f"{name}.{about}"] = asked.rate
        figures[f"{name}.{about}.p99_ms"] = asked.p99_ms
    return figures


async def _latencies(
    name: str, reads: str, writes: str, questions: Questions, seconds: int
) -> Figures:
    """Of each question, asked at a steady rate: with no writes, then with all that can be."""
    figures: dict[str, float] = {}
    for about in ("order", "board"):
        paths = questions[about]
        quiet = await ask(reads, paths, rate=OPEN_LOOP, seconds=seconds)
        figures |= named(f"{name}.{about}.quiet", quiet)
        async with _writing(writes, seconds + 2):
            busy = await ask(reads, paths, rate=OPEN_LOOP, seconds=seconds)
        figures |= named(f"{name}.{about}.busy", busy)
    return figures


@asynccontextmanager
async def _writing(url: str, seconds: int) -> AsyncIterator[None]:
    """Orders are placed as fast as they are taken."""
    writing = asyncio.create_task(load(url, PLACING, seconds=seconds))
    await asyncio.sleep(1)  # until the load is at its height
    yield
    await writing


async def _project(stack: Stack, past: Past) -> Figures:
    """Let query project a backlog; events a second from its first batch to its last."""
    query = stack.services["query"]
    query.stop()
    stack.services["serving"].stop()
    async with await nats.connect(stack.urls[NATS_URL]) as client:
        count = await publish(client, past.messages())
        query.start()
        rate = await _projected(client.jetstream(), count)
        query.wait_until_ready()
        stack.services["serving"].start()
        await _settled(client.jetstream())
    return {"comanda.projector": rate}


async def _projected(js: JetStreamContext, count: int) -> float:
    """Events a second between a tenth of the backlog done and all of it."""
    clock = asyncio.get_running_loop().time
    async with asyncio.timeout(DONE_WITHIN):
        while (left := await _left(js, "query", "ORDERS", "TICKETS")) > 0.9 * count:
            await asyncio.sleep(LOOK_EVERY)
        begin = clock()
        while await _left(js, "query", "ORDERS", "TICKETS"):
            await asyncio.sleep(LOOK_EVERY)
    return left / (clock() - begin)


async def _settled(js: JetStreamContext) -> None:
    """Wait until serving has looked at the whole past: it has a ticket for each round."""
    async with asyncio.timeout(DONE_WITHIN):
        while await _left(js, "serving", "ORDERS"):
            await asyncio.sleep(LOOK_EVERY)


async def _left(js: JetStreamContext, durable: str, *streams: str) -> int:
    """Messages that the consumers have not settled; as if they were very many before they exist."""
    try:
        infos = [await js.consumer_info(stream, durable) for stream in streams]
    except NotFoundError:
        return VERY_MANY
    return sum((info.num_pending or 0) + (info.num_ack_pending or 0) for info in infos)
