"""Clients of the committed OpenAPI documents, as their developers would generate them.

The generators are no part of Comanda's environment: those in Python have one of their own, by
`requirements.lock`, and those in Node.js come by `package-lock.json`. What they make is kept until
a document, a lock or this file changes.
"""

import fcntl
import hashlib
import shutil
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tests.apis.documents import FOLDER as DOCUMENTS
from tests.node import installed, node

HERE = Path(__file__).parent
BUILD = HERE / ".build"
"""Beside the packages of Node.js, for what is generated to find them."""
SERVICES = ("ordering", "serving", "query")


@dataclass(frozen=True, slots=True)
class Clients:
    """What the generators made, and what they said meanwhile."""

    folder: Path
    """`<service>_api` is a package, `<service>_models.py` a module, `<service>.ts` types."""
    python: Path
    """The interpreter that has what the generated code imports."""
    said: str


def clients() -> Clients:
    """The clients of the documents as they are now. Who comes meanwhile waits."""
    folder, environment, log = BUILD / "clients", BUILD / "environment", BUILD / "said"
    node()
    BUILD.mkdir(exist_ok=True)
    with (BUILD / ".turn").open("w") as turn:
        fcntl.flock(turn, fcntl.LOCK_EX)  # another test process may want the same
        python = _environment(environment)
        stamp = BUILD / "stamp"
        if not stamp.exists() or stamp.read_text() != _sources():
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir()
            log.write_text("".join(_made_by(command) for command in _generators(python, folder)))
            stamp.write_text(_sources())
    return Clients(folder, python, log.read_text())


def _sources() -> str:
    """A fingerprint of all that the clients are made of."""
    files = [DOCUMENTS / f"{each}.json" for each in SERVICES]
    files += [HERE / "requirements.lock", HERE / "package-lock.json", Path(__file__)]
    return hashlib.sha256(b"".join(each.read_bytes() for each in files)).hexdigest()


def _environment(folder: Path) -> Path:
    """Its interpreter, once it has what is locked."""
    lock, done, python = HERE / "requirements.lock", folder / ".installed", folder / "bin/python"
    if not done.exists() or done.read_text() != lock.read_text():
        uv = Path(sys.executable).with_name("uv")
        _made_by([uv, "venv", "--quiet", "--clear", "--python", sys.executable, folder])
        _made_by([uv, "pip", "sync", "--quiet", "--require-hashes", "--python", python, lock])
        done.write_text(lock.read_text())
    return python


def _generators(python: Path, folder: Path) -> list[Sequence[str | Path]]:
    """How each is called, for each document."""
    settings = folder / "openapi-python-client.yaml"
    settings.write_text("post_hooks: []\n")  # as it is: no formatting, which nobody reads
    types = installed(HERE) / "node_modules/openapi-typescript/bin/cli.js"
    found: list[Sequence[str | Path]] = []
    for service in SERVICES:
        document = DOCUMENTS / f"{service}.json"
        found += [
            [
                *(node(), types, document, "--output", folder / f"{service}.ts"),
                *("--default-non-nullable", "false"),  # what has a default may be left out
            ],
            [
                *(python.with_name("openapi-python-client"), "generate", "--path", document),
                *("--meta", "none", "--output-path", folder / f"{service}_api"),
                *("--config", settings, "--fail-on-warning"),
            ],
            [
                *(python.with_name("datamodel-codegen"), "--input", document),
                *("--input-file-type", "openapi", "--output", folder / f"{service}_models.py"),
                *("--output-model-type", "pydantic_v2.BaseModel"),
                *("--target-python-version", "3.11", "--deserialize-default-values", "enum"),
                *("--use-annotated", "--formatters", "builtin"),
            ],
        ]
    return found


def _made_by(command: Sequence[str | Path]) -> str:
    """What a generator said. Fails with it if the generator does."""
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    said = done.stdout + done.stderr
    assert done.returncode == 0, said
    return said
