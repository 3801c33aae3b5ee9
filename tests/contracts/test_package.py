"""What other teams install: a wheel that needs pydantic alone and explains itself."""

import re
import subprocess
import sys
import zipfile
from importlib.metadata import version
from pathlib import Path

import pytest
from comanda_contracts import commands
from comanda_contracts.envelope import Published
from pydantic import BaseModel

ROOT = Path(__file__).parents[2]
VERSION = version("comanda-contracts")
INFO = f"comanda_contracts-{VERSION}.dist-info"
PYDANTIC = (
    "annotated_types",
    "pydantic",
    "pydantic_core",
    "typing_extensions",
    "typing_inspection",
)
"""pydantic and what it needs itself."""


def models(base: type[BaseModel]) -> list[type[BaseModel]]:
    return [each for model in base.__subclasses__() for each in (model, *models(model))]


@pytest.mark.parametrize(
    "model", [*models(Published), *models(commands.RequestBody)], ids=lambda model: model.__name__
)
def test_every_model_and_every_field_says_what_it_means(model: type[BaseModel]) -> None:
    silent = [name for name, field in model.model_fields.items() if not field.description]

    assert model.__doc__
    assert silent == []


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(build, cwd=ROOT / "contracts", check=True, capture_output=True)
    (built,) = folder.glob("*.whl")
    return built


@pytest.mark.programs
def test_the_wheel_works_with_pydantic_and_nothing_else(wheel: Path, tmp_path: Path) -> None:
    site = Path(sys.modules["pydantic"].__file__ or "").parents[1]
    for package in PYDANTIC:
        there = site / package if (site / package).exists() else site / f"{package}.py"
        (tmp_path / there.name).symlink_to(there)
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(tmp_path)
    program = (
        "import comanda_contracts.examples as e, comanda_contracts.commands, "
        "comanda_contracts.streams, comanda_contracts.subjects as s, uuid\n"
        "m = e.contracts.seal(e.EXAMPLES[0], event_id=uuid.uuid4())\n"
        "print(type(e.contracts.read(m.headers, m.body)).__name__)"
    )

    alone = [sys.executable, "-I", "-S", "-c", f"import sys; sys.path[:0] = [{str(tmp_path)!r}]"]
    ran = subprocess.run(
        [*alone[:-1], f"{alone[-1]}\n{program}"], capture_output=True, text=True, check=False
    )

    assert (ran.stdout, ran.stderr) == ("OrderPlaced\n", "")


@pytest.mark.programs
def test_the_wheel_holds_the_package_with_types_and_changelog_and_no_tooling(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        names = archive.namelist()
        changelog = archive.read("comanda_contracts/CHANGELOG.md").decode()

    assert "comanda_contracts/py.typed" in names
    assert {name.split("/")[0] for name in names} == {"comanda_contracts", INFO}
    assert re.findall(r"^## (.*)", changelog, re.MULTILINE)[0] == VERSION


@pytest.mark.programs
def test_the_wheel_asks_for_pydantic_alone(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        metadata = archive.read(f"{INFO}/METADATA").decode()

    asked = [line for line in metadata.splitlines() if line.startswith("Requires-Dist")]
    assert asked == ["Requires-Dist: pydantic>=2.12"]
