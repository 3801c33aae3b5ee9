"""Node.js programs of this repository, for tests: their packages installed, once, as locked."""

import fcntl
import os
import shutil
import subprocess
from pathlib import Path

import pytest

OLDEST = 20


def node() -> str:
    """The `node` program. Without one a test is skipped, and fails where changes are decided on."""
    found = shutil.which("node")
    if found and shutil.which("npm") and _version(found) >= OLDEST:
        return found
    why = f"needs Node.js {OLDEST} or newer with npm, which is not on this machine"
    if os.environ.get("CI"):
        pytest.fail(why)
    pytest.skip(why)


def installed(folder: Path) -> Path:
    """The folder, once its packages are those of its `package-lock.json`."""
    node()
    lock, done = folder / "package-lock.json", folder / "node_modules" / ".installed"
    with (folder / ".installing").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # another test process may want the same
        if not done.exists() or done.read_text() != lock.read_text():
            command = ["npm", "ci", "--no-audit", "--no-fund", "--ignore-scripts"]
            subprocess.run(command, cwd=folder, check=True, capture_output=True)
            done.write_text(lock.read_text())
    return folder


def _version(program: str) -> int:
    said = subprocess.run([program, "--version"], capture_output=True, text=True, check=True)
    return int(said.stdout.removeprefix("v").split(".")[0])
