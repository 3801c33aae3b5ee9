"""Questions at a steady rate, whether the answers come or not.

Latency counts from when a question was due, so that a server that stalls is charged for everybody
who would have asked meanwhile. At these rates a Python client is no bottleneck.
"""

import asyncio
from collections.abc import Sequence
from dataclasses import asdict

import httpx

from tests.benchmarks.figures import Figures, Percentiles


async def ask(url: str, paths: Sequence[str], *, rate: float, seconds: float) -> Figures:
    """Ask for the paths in turn, `rate` times a second; one that is refused counts as `refused`."""
    clock = asyncio.get_running_loop().time
    latencies: list[float] = []
    refused = 0

    async def one(path: str, due: float) -> None:
        nonlocal refused
        answer = await client.get(path)
        refused += answer.is_error
        latencies.append(clock() - due)

    limits = httpx.Limits(max_connections=None, max_keepalive_connections=None)
    async with (
        httpx.AsyncClient(base_url=url, timeout=60, limits=limits, trust_env=False) as client,
        asyncio.TaskGroup() as tasks,
    ):
        begin = clock()
        for turn in range(int(rate * seconds)):
            due = begin + turn / rate
            await asyncio.sleep(due - clock())
            tasks.create_task(one(paths[turn % len(paths)], due))
    return {**asdict(Percentiles.of(latencies)), "refused": refused}
