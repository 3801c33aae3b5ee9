"""A system that has just been started takes an order, by the document's commands."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from comanda_local.stack import Stack

from tests.deploy.test_guide import block_with

pytestmark = pytest.mark.xdist_group("stack")


def test_a_fresh_system_takes_an_order_by_the_document(stack: Stack, tmp_path: Path) -> None:
    (tmp_path / ".access").symlink_to(stack.issuer.jwks.parent)
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    commands = block_with("ORDER=").replace("la-piazza", "just-opened")
    for service, port in (("ordering", 8001), ("query", 8003)):
        commands = commands.replace(
            f"localhost:{port}", f"localhost:{stack.services[service].port}"
        )

    done = subprocess.run(
        ["bash", "-euo", "pipefail", "-c", commands],
        cwd=tmp_path,
        env={**os.environ, "PATH": programs},
        capture_output=True,
        text=True,
        check=False,
    )

    assert done.returncode == 0, done.stderr
    view = json.loads(done.stdout.splitlines()[-1])
    assert (view["customer"], view["total"]) == ("Ada", 1700)
