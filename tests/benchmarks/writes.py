"""Placing orders: the write side alone, the whole pipeline, and how far behind the reads are."""

import asyncio
from dataclasses import asdict
from pathlib import Path

import psutil
from comanda_local.places import temporary_folder
from comanda_local.processes import Child
from comanda_local.stack import MONGODB_URL, Stack

from tests.benchmarks.contestants import ADDRESS, comanda, crud
from tests.benchmarks.figures import Figures, Percentiles, named
from tests.benchmarks.lag import followed
from tests.benchmarks.loading import load_crud_menu
from tests.benchmarks.orders import bodies
from tests.benchmarks.wrk import Load, Request, load

STEADY = 200.0
"""Orders a second at which the lag is measured when there is room to spare."""
DRAINED_WITHIN = 300.0
MIB = 2**20

PLACING = [Request("POST", f"{ADDRESS}/orders", body) for body in bodies(3000)]


async def measure(*, seconds: int) -> Figures:
    """One round: first CRUD, then Comanda, each on fresh servers."""
    with temporary_folder() as folder:
        figures = {**await _crud(folder, seconds)}
    with temporary_folder() as folder, comanda(folder) as stack:
        figures |= await _pipeline(stack, seconds)
        figures |= _memory(stack)
        figures |= await _ordering_alone(stack, seconds)
    return figures


async def _crud(folder: Path, seconds: int) -> Figures:
    with crud(folder) as (service, url):
        await load_crud_menu(service.postgres.url)
        await load(url, PLACING, seconds=1)
        placed = _all_well(await load(url, PLACING, seconds=seconds))
        return {
            "crud.placed": placed.rate,
            "crud.placed.p99_ms": placed.p99_ms,
            "crud.memory_mib": _resident(service.processes[0]),
        }


async def _pipeline(stack: Stack, seconds: int) -> Figures:
    """Everything runs: an order counts once it is queued in the kitchen and visible."""
    url = stack.services["ordering"].url
    clock = asyncio.get_running_loop().time
    async with followed(stack.urls[MONGODB_URL]) as lags:
        steady = _all_well(await load(url, PLACING, seconds=seconds, rate=STEADY))
        await lags.until(steady.requests, within=DRAINED_WITHIN)
        at_steady = Percentiles.of(lags.seconds)
        before, begin = len(lags.seconds), clock()
        placed = _all_well(await load(url, PLACING, seconds=seconds))
        visible = await lags.until(before + placed.requests, within=DRAINED_WITHIN)
        at_saturation = Percentiles.of(lags.seconds[before:])
    return {
        "comanda.pipeline": placed.requests / (visible - begin),
        "comanda.pipeline.drained_after_ms": 1000 * (visible - begin - placed.seconds),
        "comanda.lag.steady_rate": steady.rate,
        **named("comanda.lag.steady", asdict(at_steady)),
        **named("comanda.lag.saturated", asdict(at_saturation)),
    }


async def _ordering_alone(stack: Stack, seconds: int) -> Figures:
    """One ordering process with its relay; the other services are stopped."""
    for name in ("serving", "query"):
        stack.services[name].stop()
    url = stack.services["ordering"].url
    await load(url, PLACING, seconds=1)
    placed = _all_well(await load(url, PLACING, seconds=seconds))
    return {"comanda.placed": placed.rate, "comanda.placed.p99_ms": placed.p99_ms}


def _memory(stack: Stack) -> Figures:
    return {
        f"{name}.memory_mib": _resident(service.process) for name, service in stack.services.items()
    }


def _resident(process: Child) -> float:
    return float(psutil.Process(process.pid).memory_info().rss / MIB)


def _all_well(load: Load) -> Load:
    """The load; RuntimeError if a request was refused or not answered: it would not compare."""
    if load.refused or load.failed:
        raise RuntimeError(f"not every order was placed: {load}")
    return load
