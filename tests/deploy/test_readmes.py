"""What a service's README says about its environment is what the service reads."""

import re
from pathlib import Path
from typing import Any

import pytest
from pydantic import TypeAdapter
from pydantic_settings import BaseSettings
from service_kit.runtime.settings import PREFIX

from tests.deploy.manifests import ROOT
from tests.deploy.programs import PROGRAMS, SERVICES

ROW = re.compile(r"^\| (`COMANDA_[^|]*) \| ([^|]*) \| ([^|]+) \|$", re.MULTILINE)
REQUIRED = "required"


def documented(readme: Path) -> dict[str, str]:
    """Each variable and its default, as the README's table has them."""
    found: dict[str, str] = {}
    for names, defaults, _ in ROW.findall(readme.read_text()):
        several = [each.strip(" `") for each in names.split(",")]
        values = [each.strip(" `") for each in defaults.split(",")]
        found |= dict(zip(several, values, strict=True))
    return found


def difference(settings: type[BaseSettings], readme: Path) -> set[str]:
    """The variables that only one of them has, or that have two defaults."""
    said = documented(readme)
    read = {f"{PREFIX}{name}".upper(): field for name, field in settings.model_fields.items()}
    different = said.keys() ^ read.keys()
    for name in said.keys() & read.keys():
        field: Any = read[name]
        required = said[name] == REQUIRED
        if required != field.is_required() or not (
            required or TypeAdapter(field.annotation).validate_python(said[name]) == field.default
        ):
            different.add(name)
    return different


@pytest.mark.parametrize("service", SERVICES)
def test_a_readme_lists_every_setting_with_its_default(service: str) -> None:
    readme = ROOT / "services" / service / "README.md"

    assert difference(PROGRAMS[(service,)], readme) == set()


@pytest.mark.parametrize(
    ("row", "changed"),
    [
        ("| `COMANDA_LOG_LEVEL` | `INFO` |", "| `COMANDA_LOG_LEVEL` | `DEBUG` |"),
        ("| `COMANDA_NATS_URL` | required |", "| `COMANDA_NATS_URL` | `nats://` |"),
        ("| `COMANDA_STREAM_REPLICAS` |", "| `COMANDA_REPLICAS` |"),
    ],
)
def test_a_readme_that_is_wrong_is_found(tmp_path: Path, row: str, changed: str) -> None:
    right = (ROOT / "services" / "serving" / "README.md").read_text()
    assert row in right
    wrong = tmp_path / "README.md"
    wrong.write_text(right.replace(row, changed))

    assert difference(PROGRAMS[("serving",)], wrong)
