"""Each package says what it needs, and the lock has all of it: an image holds nothing else."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterator
from importlib.metadata import distribution, packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

ROOT = Path(__file__).parents[2]
SERVICES = ("ordering", "serving", "query")
PACKAGES = ("contracts", "shared", *(f"services/{name}" for name in SERVICES), "deploy/local")

IN_THE_IMAGE = {
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "platform_system": "Linux",
    "python_full_version": "3.13.0",
    "python_version": "3.13",
    "sys_platform": "linux",
}


@pytest.mark.parametrize("package", PACKAGES)
def test_a_package_declares_whatever_it_imports(package: str) -> None:
    declared = {canonicalize_name(each.name) for each in requirements_of(ROOT / package)}
    providers = providers_of_modules()

    undeclared = {
        module for module in imported_by(ROOT / package) if not providers[module] & declared
    }

    assert not undeclared


@pytest.mark.parametrize("service", SERVICES)
def test_the_lock_has_whatever_an_image_needs(service: str) -> None:
    locked = re.findall(r"^([a-z0-9.-]+)==", (ROOT / "requirements.lock").read_text(), re.MULTILINE)

    needed = set(needed_by(canonicalize_name(f"comanda-{service}"), frozenset()))

    assert len(needed) > 20
    assert {name for name in needed if not name.startswith("comanda-")} <= set(locked)


def project_of(package: Path) -> dict[str, Any]:
    return tomllib.loads((package / "pyproject.toml").read_text())


def requirements_of(package: Path) -> list[Requirement]:
    return [Requirement(each) for each in project_of(package)["project"]["dependencies"]]


def providers_of_modules() -> dict[str, set[str]]:
    """The distributions that bring each module, ours, which are installed editable, among them."""
    installed = {
        module: {str(canonicalize_name(name)) for name in names}
        for module, names in packages_distributions().items()
    }
    ours = {
        source.name: {f"comanda-{source.name.removeprefix('comanda_').replace('_', '-')}"}
        for package in PACKAGES
        for source in (ROOT / package / "src").iterdir()
    }
    return installed | ours


def imported_by(package: Path) -> set[str]:
    """Top-level names of the third-party modules that the code in the package's wheel imports."""
    wheel = project_of(package)["tool"]["hatch"]["build"]["targets"]["wheel"]
    sources = [package / each for each in wheel["packages"]]
    names = {
        name.partition(".")[0]
        for source in sources
        for file in source.rglob("*.py")
        for node in ast.walk(ast.parse(file.read_text()))
        for name in names_in(node)
    }
    return names - {source.name for source in sources} - set(sys.stdlib_module_names)


def names_in(node: ast.AST) -> list[str]:
    match node:
        case ast.Import():
            return [alias.name for alias in node.names]
        case ast.ImportFrom(level=0, module=str(module)):
            return [module]
        case _:
            return []


def needed_by(name: str, extras: frozenset[str]) -> Iterator[str]:
    """The distribution and, without end, what it requires on the image's Python."""
    seen: set[tuple[str, frozenset[str]]] = set()
    waiting = [(name, extras)]
    while waiting:
        name, extras = waiting.pop()
        if (name, extras) in seen:
            continue
        seen.add((name, extras))
        yield name
        for text in distribution(name).requires or ():
            required = Requirement(text)
            wanted = [{**IN_THE_IMAGE, "extra": extra} for extra in (*extras, "")]
            if required.marker is None or any(map(required.marker.evaluate, wanted)):
                waiting.append((canonicalize_name(required.name), frozenset(required.extras)))
