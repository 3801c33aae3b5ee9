"""Load from wrk, over a number of connections: as fast as the server answers, or at a rate."""

import asyncio
import json
import os
import shutil
import tempfile
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

CONNECTIONS = 32
SCRIPT = Path(__file__).with_name("wrk.lua")


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a load."""

    method: str
    path: str
    body: str = ""


@dataclass(frozen=True, slots=True)
class Load:
    """What a server did under load."""

    requests: int
    seconds: float
    refused: int
    """Answered with a status of 400 or more."""
    failed: int
    """Not answered."""
    p50_ms: float
    p95_ms: float
    p99_ms: float

    @property
    def rate(self) -> float:
        """Requests a second that were answered as they should be."""
        return (self.requests - self.refused) / self.seconds


class NoWrk(Exception):
    """The load generator is not installed."""


def require_wrk() -> None:
    """Raise NoWrk, with what to do, unless it is there."""
    if shutil.which("wrk") is None:
        raise NoWrk("wrk, the load generator, was not found: install it (apt-get install wrk).")


async def load(
    url: str, requests: Iterable[Request], *, seconds: int, rate: float | None = None
) -> Load:
    """Send the requests, again and again, for so many seconds; `rate` a second, or all it takes."""
    pause_ms = round(1000 * CONNECTIONS / rate) if rate else 0
    with tempfile.NamedTemporaryFile("w", suffix=".requests") as file:
        file.writelines(f"{each.method}\t{each.path}\t{each.body}\n" for each in requests)
        file.flush()
        process = await asyncio.create_subprocess_exec(
            *("wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "--timeout", "10s"),
            *("-s", str(SCRIPT), url),
            env={**os.environ, "WRK_REQUESTS": file.name, "WRK_PAUSE_MS": str(pause_ms)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        output, errors = await process.communicate()
    if process.returncode != 0:
        raise RuntimeError(f"wrk ended with {process.returncode}: {errors.decode()[-500:]}")
    return Load(**json.loads(output.decode().strip().splitlines()[-1]))
