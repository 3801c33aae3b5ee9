"""Placing orders: the write side alone, the whole pipeline, and how far behind the reads are."""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import median

import nats
from comanda_local.folders import temporary_folder
from comanda_local.stack import DATABASE_URL, MONGODB_URL, NATS_URL, Stack

from tests.benchmarks.backlog import settled
from tests.benchmarks.contestants import comanda, crud
from tests.benchmarks.figures import Figures, Percentiles, named
from tests.benchmarks.lag import Lags, followed, keep_commit_times
from tests.benchmarks.loading import load_crud_menu
from tests.benchmarks.memory import held
from tests.benchmarks.orders import ELSEWHERE, RESTAURANT, placing
from tests.benchmarks.wrk import at_a_rate, saturate

STEADY = 200.0
"""Orders a second at which the lag is measured when there is room to spare."""
SUSTAINED = 0.9
"""Of what the pipeline managed at saturation: here the lag must not grow."""
LEAST = 10.0
"""Orders a second at least, so that there is a lag on a machine which does almost nothing."""
DRAINED_WITHIN = 300.0

PLACING = placing(RESTAURANT, *ELSEWHERE)


async def measure(*, seconds: int) -> Figures:
    """One round: first CRUD, then Comanda, each on fresh servers."""
    with temporary_folder() as folder:
        figures = named("crud", await _crud(folder, seconds))
    with temporary_folder() as folder, comanda(folder) as stack:
        measured = {
            **held(stack.processes, "rest"),
            **await _pipeline(stack, seconds),
            **held(stack.processes, "loaded"),
            **await _ordering_alone(stack, seconds),
        }
    return {**figures, **named("comanda", measured)}


async def _crud(folder: Path, seconds: int) -> Figures:
    with crud(folder) as (service, url):
        await load_crud_menu(service.postgres.url)
        return {
            **held(service.processes, "rest"),
            **await placed(url, seconds=seconds),
            **held(service.processes, "loaded"),
        }


async def placed(url: str, *, seconds: int) -> Figures:
    """Orders a second, over HTTP."""
    await saturate(url, PLACING, seconds=1)
    load = await saturate(url, PLACING, seconds=seconds)
    return {"placed": load.rate, "placed.p99_ms": load.p99_ms}


async def _ordering_alone(stack: Stack, seconds: int) -> Figures:
    """One ordering process with its relay; the other services are stopped."""
    for name in ("serving", "query"):
        stack.services[name].stop()
    return await placed(stack.services["ordering"].url, seconds=seconds)


async def _pipeline(stack: Stack, seconds: int) -> Figures:
    """Everything runs, and the lag is watched."""
    await keep_commit_times(stack)
    async with followed(stack.urls[MONGODB_URL]) as lags:
        await _lags_at(stack, lags, STEADY, seconds=1)
        steady = await _lags_at(stack, lags, STEADY, seconds=seconds)
        pipeline, saturated = await _lags_at_saturation(stack, lags, seconds)
        rate = max(SUSTAINED * pipeline, LEAST)
        sustained = await _lags_at(stack, lags, rate, seconds=seconds)
    return {
        "pipeline": pipeline,
        **named("lag.steady", _percentiles(steady)),
        **named("lag.saturated", _percentiles(saturated)),
        **named("lag.sustained", _percentiles(sustained)),
        "lag.sustained.growth_ms": _growth(sustained),
    }


async def _lags_at(stack: Stack, lags: Lags, rate: float, *, seconds: int) -> Sequence[float]:
    """Of the orders that are placed at this rate."""
    before = len(lags)
    url = stack.services["ordering"].url
    load = await at_a_rate(url, PLACING, rate=rate, seconds=seconds)
    await lags.until(before + load.answered, within=DRAINED_WITHIN)
    return await lags.since(before, stack.urls[DATABASE_URL])


async def _lags_at_saturation(
    stack: Stack, lags: Lags, seconds: int
) -> tuple[float, Sequence[float]]:
    """Orders a second until all are placed, queued in the kitchen and visible; and their lags."""
    clock = asyncio.get_running_loop().time
    async with await nats.connect(stack.urls[NATS_URL]) as client:
        before, begin = len(lags), clock()
        load = await saturate(stack.services["ordering"].url, PLACING, seconds=seconds)
        await lags.until(before + load.answered, within=DRAINED_WITHIN)
        for service in ("serving", "query"):
            await settled(client.jetstream(), service)
        rate = load.answered / (clock() - begin)
    return rate, await lags.since(before, stack.urls[DATABASE_URL])


def _percentiles(seconds: Sequence[float]) -> Figures:
    return asdict(Percentiles.of(seconds))


def _growth(seconds: Sequence[float]) -> float:
    """From the first third to the last: milliseconds by which the median lag has grown."""
    third = len(seconds) // 3
    return 1000 * (median(seconds[-third:]) - median(seconds[:third]))
