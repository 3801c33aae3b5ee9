"""How Comanda and CRUD grow with the orders in their past."""

import asyncio
from collections.abc import Iterator, Mapping, Sequence

from comanda_local.folders import temporary_folder
from comanda_local.stack import MONGODB_URL
from pymongo import AsyncMongoClient

from tests.benchmarks.contestants import comanda, crud
from tests.benchmarks.figures import Figures, Spread, named, spreads
from tests.benchmarks.history import Past
from tests.benchmarks.loading import load_crud, load_crud_menu
from tests.benchmarks.memory import MIB, held
from tests.benchmarks.questions import of_comanda, of_crud, rates
from tests.benchmarks.reads import let_project

SIZES = (10_000, 100_000, 1_000_000)


def measured(sizes: Sequence[int], *, seconds: int) -> Iterator[tuple[int, Mapping[str, Spread]]]:
    """Of each size one round, the smallest first."""
    for size in sizes:
        yield size, spreads([asyncio.run(_at(size, seconds))])


async def _at(orders: int, seconds: int) -> Figures:
    past = Past.of(orders)
    with temporary_folder() as folder, crud(folder) as (service, url):
        await load_crud_menu(service.postgres.url)
        await load_crud(service.postgres.url, past)
        theirs = {**await rates(url, of_crud(past), seconds=seconds)}
        theirs |= held(service.processes, "loaded")
    with temporary_folder() as folder, comanda(folder) as stack:
        ours = {"projector": await let_project(stack, past, ["query"])}
        query = stack.services["query"].url
        ours |= await rates(query, of_comanda(past), seconds=seconds)
        servers = [server.process for server in stack.servers.values()]
        ours |= held([stack.services["query"].process, *servers], "loaded")
        ours["views_mib"] = await _size_of_views(stack.urls[MONGODB_URL])
    return {**named("crud", theirs), **named("comanda", ours)}


async def _size_of_views(url: str) -> float:
    """MiB on disk, with their indexes."""
    async with AsyncMongoClient[dict[str, float]](url) as client:
        stats = await client.get_default_database().command("dbstats")
    return float(stats["totalSize"]) / MIB
