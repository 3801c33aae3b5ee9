"""Load from wrk: as fast as the server answers, or at a steady rate whether it answers or not."""

import asyncio
import json
import os
import shutil
import signal
import tempfile
from collections.abc import Awaitable, Iterable
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from uuid import uuid4

from tests.benchmarks.figures import Figures
from tests.support.tokens import authorization

CONNECTIONS = 32
AT_A_RATE = 128
"""Connections of a load at a rate: so many answers may be owed before a request must wait."""
SCRIPT = Path(__file__).with_name("wrk.lua")
AN_HOUR = 3600
QUICK_RATE = 25.0
is_quick = ContextVar("is_quick", default=False)
"""Whether it is only to be seen that it runs, beside other work.

Loads are short then, no faster than `QUICK_RATE`, and a refused request does not end the run.
"""


@dataclass(frozen=True, slots=True)
class Request:
    """One request of a load. A POST has an `Idempotency-Key`, another one each time it is sent."""

    method: str
    path: str
    body: str = ""
    token: str = ""
    """An access token of its own, rather than the one of all."""

    @property
    def line(self) -> str:
        return f"{self.method}\t{self.path}\t{self.body}\t{self.token}\n"


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
    late_ms: float
    """At a rate: how long a request that was due had to wait for a connection, at worst."""

    @property
    def rate(self) -> float:
        """Requests a second that were answered as they should be."""
        return self.answered / self.seconds

    @property
    def answered(self) -> int:
        """Requests that were answered as they should be."""
        return self.requests - self.refused

    @property
    def latency(self) -> Figures:
        return {"p50_ms": self.p50_ms, "p95_ms": self.p95_ms, "p99_ms": self.p99_ms}


class NoWrk(Exception):
    """The load generator is not installed."""


class NotAnswered(Exception):
    """Requests were refused or not answered, so that the rest would not compare."""


def fastest(rate: int) -> int:
    """Requests a second that there must be for a load which a server answers at this rate."""
    return int(2 * QUICK_RATE) if is_quick.get() else rate


def require_wrk() -> None:
    """Raise NoWrk, with what to do, unless it is there."""
    if shutil.which("wrk") is None:
        raise NoWrk("wrk, the load generator, was not found: install it (apt-get install wrk).")


async def saturate(
    url: str,
    requests: Iterable[Request],
    *,
    seconds: int = AN_HOUR,
    has_token: bool = True,
    until: Awaitable[object] | None = None,
) -> Load:
    """Send the requests, again and again, as fast as they are answered. Raises NotAnswered."""
    return await _load(
        url,
        requests,
        rate=0,
        connections=CONNECTIONS,
        seconds=seconds,
        has_token=has_token,
        until=until,
    )


async def at_a_rate(
    url: str,
    requests: Iterable[Request],
    *,
    rate: float,
    seconds: int = AN_HOUR,
    until: Awaitable[object] | None = None,
) -> Load:
    """Send the requests, again and again, evenly so many a second, for so long or until something.

    Answers are not waited for, so that a stall is charged to all who would have asked meanwhile.
    Raises NotAnswered.
    """
    return await _load(
        url, requests, rate=rate, connections=AT_A_RATE, seconds=seconds, until=until
    )


async def _load(
    url: str,
    requests: Iterable[Request],
    *,
    rate: float,
    connections: int,
    seconds: int,
    has_token: bool = True,
    until: Awaitable[object] | None = None,
) -> Load:
    if is_quick.get():
        rate = min(rate or QUICK_RATE, QUICK_RATE)
        seconds = seconds if until else 1
    with tempfile.NamedTemporaryFile("w", suffix=".requests") as file:
        file.writelines(each.line for each in requests)
        file.flush()
        process = await asyncio.create_subprocess_exec(
            *("wrk", "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "30s"),
            *("-s", str(SCRIPT), url),
            env={
                **os.environ,
                "WRK_REQUESTS": file.name,
                "WRK_RATE": str(rate),
                "WRK_RUN": uuid4().hex,
                "WRK_AUTHORIZATION": authorization() if has_token else "",
            },
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        try:
            if until is not None:
                await until
                process.send_signal(signal.SIGINT)  # it ends, and tells what came of it
            output, errors = await process.communicate()
        finally:
            if process.returncode is None:
                process.kill()
    if process.returncode != 0:
        raise RuntimeError(f"wrk ended with {process.returncode}: {errors.decode()[-500:]}")
    load = Load(**json.loads(output.decode().strip().splitlines()[-1]))
    if (load.refused or load.failed) and (not is_quick.get() or not load.answered):
        raise NotAnswered(f"{url}: {load}")
    return load
