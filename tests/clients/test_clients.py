"""Generators make whole clients of the committed documents, which are typed and do their work."""

import json
import os
import re
import shutil
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from importlib import util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from comanda_local.stack import Stack
from pydantic import TypeAdapter

from tests.apis.test_examples import bodies, examples_of
from tests.clients.generated import HERE, SERVICES, Clients, clients
from tests.node import node
from tests.support.openapi import document_of, operations
from tests.support.tokens import token

pytestmark = [
    pytest.mark.packages,
    pytest.mark.xdist_group("stack"),
    pytest.mark.timeout(600),  # the first one installs the generators
]
SEEN = {
    "refused": [422, "cannot-order"],
    "kitchen": ["preparing", "ready", "served"],
    "listed": {"A-001": "closed", "A-002": "cancelled"},
    "sold": 1700,
}

every_service = pytest.mark.parametrize("service", SERVICES)


@pytest.fixture(scope="module")
def made() -> Clients:
    return clients()


def answers(service: str) -> Iterator[tuple[str, set[str]]]:
    """Every operation by its id, with the statuses that it may be answered with."""
    for _, operation in operations(document_of(service)):
        yield operation["operationId"], set(operation["responses"])


def test_no_generator_warns_of_anything(made: Clients) -> None:
    said = re.sub(r"(✨|🚀|Generating) .*\n", "", made.said)

    assert said.strip() == ""


@every_service
def test_the_client_of_openapi_python_client_knows_every_answer(
    made: Clients, service: str
) -> None:
    known = {
        path.stem: set(re.findall(r"response\.status_code == (\d+)", path.read_text()))
        for path in (made.folder / f"{service}_api" / "api").glob("*/[a-z]*.py")
    }

    assert known == {
        re.sub("[A-Z]", lambda capital: f"_{capital[0].lower()}", name): statuses
        for name, statuses in answers(service)
    }


@every_service
def test_the_types_of_openapi_typescript_know_every_answer(made: Clients, service: str) -> None:
    types = (made.folder / f"{service}.ts").read_text()
    _, _, found = types.partition("export interface operations {\n")
    known = {
        each.partition(":")[0]: set(re.findall(r"^            (\d{3}): ", each, re.MULTILINE))
        for each in re.split(r"^    (?=\w+: \{)", found, flags=re.MULTILINE)[1:]
    }

    assert known == dict(answers(service))


@every_service
def test_the_models_of_datamodel_code_generator_take_every_example(
    made: Clients, service: str
) -> None:
    models = module(made.folder / f"{service}_models.py")
    referred = [
        (each["schema"]["$ref"].rsplit("/", 1)[1], example)
        for _, each in bodies(document_of(service))
        for example in examples_of(each)
        if "$ref" in each["schema"] and isinstance(example, dict)
    ]

    assert {"Problem"} < {name for name, _ in referred}
    for name, example in referred:
        TypeAdapter[Any](getattr(models, name)).validate_python(example, strict=False)


@every_service
def test_nothing_in_the_models_may_be_anything(made: Clients, service: str) -> None:
    assert "Any" not in (made.folder / f"{service}_models.py").read_text()


def module(path: Path) -> ModuleType:
    spec = util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    loaded = util.module_from_spec(spec)
    sys.modules[path.stem] = loaded  # where its own annotations are looked up
    spec.loader.exec_module(loaded)
    return loaded


def test_the_clients_in_python_are_strictly_typed(made: Clients, tmp_path: Path) -> None:
    program = shutil.copy(HERE / "order_life.py", made.folder)
    packages = [f"{each}_api" for each in SERVICES]
    models = [f"{each}_models.py" for each in SERVICES]
    (tmp_path / "mypy.ini").write_text("[mypy]\nstrict = true\n")

    options: list[str | Path] = ["--config-file", tmp_path / "mypy.ini", "--cache-dir", tmp_path]
    options += ["--python-executable", made.python]
    checked = ran(
        [sys.executable, "-m", "mypy", *options, *packages, *models, Path(program).name],
        made.folder,
    )

    assert checked.returncode == 0, checked.stdout


def test_an_orders_life_in_python(made: Clients, stack: Stack) -> None:
    environment = told(stack) | {"PYTHONPATH": str(made.folder)}

    done = ran([made.python, HERE / "order_life.py"], made.folder, environment)

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == SEEN


def test_an_orders_life_in_strict_typescript(made: Clients, stack: Stack) -> None:
    for name in ("order_life.ts", "tsconfig.json"):
        shutil.copy(HERE / name, made.folder)
    compiler = HERE / "node_modules/typescript/bin/tsc"

    compiled = ran([node(), compiler, "--project", made.folder], made.folder)
    assert (compiled.returncode, compiled.stdout) == (0, "")
    done = ran([node(), made.folder / "program/order_life.js"], made.folder, told(stack))

    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout) == SEEN


def told(stack: Stack) -> dict[str, str]:
    """The environment of a program that plays an order's life, in a restaurant of its own."""
    urls = {each.upper(): stack.services[each].url for each in SERVICES}
    secret = {"TOKEN": token(issuer=stack.issuer), "RESTAURANT": f"r-{uuid.uuid4().hex[:12]}"}
    return os.environ | urls | secret


def ran(
    command: Sequence[str | Path], folder: Path, environment: dict[str, str] | None = None
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(
        command, cwd=folder, env=environment, capture_output=True, text=True, check=False
    )
