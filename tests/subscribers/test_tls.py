"""The examples are let in by a NATS that speaks TLS alone, as production's does."""

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from comanda_local.folders import temporary_folder
from comanda_local.nats_keys import new_seed, save_seed
from comanda_local.nats_logins import Login
from comanda_local.ports import free_port
from comanda_local.processes import Child
from comanda_local.servers.nats import _program

from tests.node import installed, node
from tests.subscribers.conftest import EXAMPLES
from tests.support.certificates import Authority

pytestmark = pytest.mark.servers

WITHIN_S = 120
CONNECT = """
import asyncio, nats
from faststream.nats import NatsBroker
from login import SERVER, login, security

async def main():
    client = await nats.connect(SERVER, allow_reconnect=False, **login())
    await client.close()
    async with NatsBroker(SERVER, security=security(), allow_reconnect=False) as broker:
        await broker.connect()
    print("let in twice")

asyncio.run(main())
"""


@pytest.fixture(scope="module")
def settings() -> Iterator[dict[str, str]]:
    """What a program is told of a server that has the team's key, and says nothing before TLS."""
    with temporary_folder() as folder:
        authority, port, seed = Authority(folder, "authority"), free_port(), new_seed()
        cert, key = authority.sign("localhost")
        save_seed(seed, folder / "team.nk")
        (folder / "nats.conf").write_text(f"""
            listen: "127.0.0.1:{port}"
            tls {{ cert_file: "{cert}", key_file: "{key}", handshake_first: true }}
            authorization {{ users: [{{ {Login.by_key(seed).lines[0]} }}] }}
        """)
        server = Child("NATS", [str(_program()), "-c", str(folder / "nats.conf")], folder)
        server.start()
        server.wait_until(lambda: server.listens_on(port), within=WITHIN_S)
        yield {
            "NATS_URL": f"nats://localhost:{port}",
            "NATS_NKEY": str(folder / "team.nk"),
            "NATS_CA": str(authority.file),
        }
        server.stop()


def test_what_lets_the_examples_in_python_in_speaks_tls(settings: dict[str, str]) -> None:
    ran = subprocess.run(
        [sys.executable, "-c", CONNECT],
        cwd=EXAMPLES / "python",
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=True,
        timeout=WITHIN_S,
    )

    assert ran.stdout == "let in twice\n"


@pytest.mark.packages
def test_the_example_in_javascript_speaks_tls(settings: dict[str, str], tmp_path: Path) -> None:
    """It ends, for this server has no streams; one that is not let in tries for ever."""
    ran = subprocess.run(
        [node(), str(installed(EXAMPLES / "javascript") / "pickup.mjs")],
        cwd=tmp_path,
        env=os.environ | settings,
        capture_output=True,
        text=True,
        check=False,
        timeout=WITHIN_S,
    )

    assert "JetStreamNotEnabled" in ran.stderr
