"""The operators' commands, as processes of their own."""

import asyncio
import os
import sys
from dataclasses import dataclass

from comanda_local.ports import LOOPBACK, free_port


@dataclass(frozen=True)
class Ended:
    """What a command printed, and how it ended."""

    code: int
    output: str
    notes: str


def environment(nats_url: str, mongodb_url: str) -> dict[str, str]:
    """What a process of query is told."""
    return {
        **os.environ,
        "COMANDA_NATS_URL": nats_url,
        "COMANDA_MONGODB_URL": mongodb_url,
        "COMANDA_HTTP_HOST": LOOPBACK,
        "COMANDA_HTTP_PORT": str(free_port()),
    }


async def started(
    servers: tuple[str, str], *arguments: str, quietly: bool = False
) -> asyncio.subprocess.Process:
    """A process of query, whose output is to be read unless it is to be quiet."""
    to = asyncio.subprocess.DEVNULL if quietly else asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "query", *arguments),
        env=environment(*servers),
        stdout=to,
        stderr=to,
    )


async def run(servers: tuple[str, str], *arguments: str) -> Ended:
    """Run a command to its end."""
    process = await started(servers, *arguments)
    output, notes = await process.communicate()
    return Ended(process.returncode or 0, output.decode(), notes.decode())
