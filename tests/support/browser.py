"""A real browser for tests, and servers for it in this process."""

import asyncio
import contextlib
import os
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


def chromium() -> str:
    """Chromium. Without one a test is skipped, and fails where changes are decided on."""
    if found := shutil.which(os.environ.get("COMANDA_CHROMIUM", "chromium")):
        return found
    if os.environ.get("CI"):
        pytest.fail("needs Chromium, which is not on this machine")
    pytest.skip("needs Chromium, which is not on this machine")


async def shown_at(address: str) -> tuple[str, str]:
    """The page in Chromium once its scripts ran, without the internet; and the console's lines."""
    browser = await asyncio.create_subprocess_exec(
        *(chromium(), "--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"),
        *("--enable-logging=stderr", THIS_MACHINE_ALONE, "--virtual-time-budget=20000", address),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
    )
    page, log = await browser.communicate()
    said = [line for line in log.decode().splitlines() if ":CONSOLE" in line]
    return page.decode(), "\n".join(said)
