"""Rebuilding query's views on a running system, and what readers notice of it."""

import asyncio
from pathlib import Path

from comanda_local.services import command, environment
from comanda_local.stack import MONGODB_URL, NATS_URL, Stack

from tests.benchmarks.figures import Figures, named
from tests.benchmarks.questions import Questions
from tests.benchmarks.wrk import Request, at_a_rate

OPEN_LOOP = 50.0
"""Questions a second of each kind meanwhile."""


async def measure(stack: Stack, questions: Questions, *, orders: int) -> Figures:
    """Rebuild all views, of so many orders: filled, compared, changed over to."""
    clock = asyncio.get_running_loop().time
    begin = clock()
    rebuilding = asyncio.create_task(_rebuild(stack))
    url = stack.services["query"].url
    order, board = await asyncio.gather(
        *(
            at_a_rate(
                url,
                [Request("GET", path) for path in questions[about]],
                rate=OPEN_LOOP,
                until=rebuilding,
            )
            for about in ("order", "board")
        )
    )
    seconds = await rebuilding - begin
    return {
        "rebuild.orders": orders / seconds,
        "rebuild.seconds": seconds,
        **named("rebuild.order", order.latency),
        **named("rebuild.board", board.latency),
    }


async def _rebuild(stack: Stack) -> float:
    """What `comanda query rebuild` does. Returns the loop's time when it was done."""
    urls = {name: stack.urls[name] for name in (NATS_URL, MONGODB_URL)}
    process = await asyncio.create_subprocess_exec(
        *command("query", "rebuild"),
        env=environment(urls),
        cwd=Path(stack.folder),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    output, _ = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"the rebuild ended with {process.returncode}: {output.decode()[-500:]}")
    return asyncio.get_running_loop().time()
