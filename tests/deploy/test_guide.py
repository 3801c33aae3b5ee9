"""What the READMEs of deploy/ say, followed line by line."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from tests.deploy.manifests import ROOT

pytestmark = pytest.mark.programs

BLOCKS = re.findall(r"```sh\n(.*?)```", (ROOT / "deploy" / "README.md").read_text(), re.DOTALL)


def block_with(text: str) -> str:
    """The block of commands in which the text stands."""
    (found,) = (each for each in BLOCKS if text in each)
    return str(found)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Where the example of the passwords is, and nothing is filled in."""
    (tmp_path / ".env.example").write_text((ROOT / ".env.example").read_text())
    return tmp_path


def make_passwords(folder: Path) -> str:
    """Follow the block up to its first command of Docker's."""
    commands = block_with(".env.example").partition("docker compose")[0]
    programs = f"{Path(sys.executable).parent}:{os.environ['PATH']}"
    environment = {**os.environ, "PATH": programs}
    subprocess.run(["bash", "-euc", commands], cwd=folder, env=environment, check=True)
    return (folder / ".env").read_text()


def test_passwords_are_made_once_for_their_owner_alone(folder: Path) -> None:
    first, again = make_passwords(folder), make_passwords(folder)

    shape = r"p[0-9a-f]{32}|SU[A-Z2-7]{56}|U[A-Z2-7]{55}"
    variables = re.findall(rf"^([A-Z0-9_]+)=(?:{shape})$", first, re.MULTILINE)
    assert variables == re.findall(
        r"^([A-Z0-9_]+)=$", (folder / ".env.example").read_text(), re.MULTILINE
    )
    assert again == first
    assert (folder / ".env").stat().st_mode & 0o077 == 0


@pytest.mark.parametrize("made", [".access", ".access/guests"])
def test_a_key_is_made_once_whose_public_half_a_container_may_read(folder: Path, made: str) -> None:
    make_passwords(folder)
    key, jwks = folder / made / "key.json", folder / made / "jwks.json"
    first = key.read_text()

    make_passwords(folder)

    assert key.read_text() == first
    assert (key.stat().st_mode & 0o777, jwks.stat().st_mode & 0o777) == (0o600, 0o644)
