"""A real browser for tests, and servers for it in this process."""

import asyncio
import contextlib
import shutil
import socket
from collections.abc import AsyncIterator

import pytest
import uvicorn
from service_kit.http.protocol import BoundedHttpProtocol
from starlette.types import ASGIApp

THIS_MACHINE_ALONE = "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"


@contextlib.asynccontextmanager
async def listening(app: ASGIApp, listener: socket.socket) -> AsyncIterator[None]:
    config = uvicorn.Config(app, http=BoundedHttpProtocol, log_level="critical", lifespan="off")
    server = uvicorn.Server(config)
    server.capture_signals = contextlib.nullcontext  # type: ignore[assignment, method-assign]
    serving = asyncio.create_task(server.serve([listener]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


async def shown_at(address: str) -> tuple[str, str]:
    """The page in Chromium once its scripts ran, without the internet; and the console's lines.

    Without Chromium the test is skipped.
    """
    chromium = shutil.which("chromium") or shutil.which("google-chrome")
    if chromium is None:
        pytest.skip("needs Chromium, which is not on this machine")
    browser = await asyncio.create_subprocess_exec(
        *(chromium, "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
        *("--enable-logging=stderr", THIS_MACHINE_ALONE, "--virtual-time-budget=20000", address),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    page, log = await browser.communicate()
    said = [line for line in log.decode().splitlines() if ":CONSOLE" in line]
    return page.decode(), "\n".join(said)
