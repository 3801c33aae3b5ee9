"""The dev container's file is one, and begins where the images begin."""

import json
import re
import subprocess

import jsonschema
import pytest

from tests.deploy.manifests import ROOT

CONFIGURATION = json.loads((ROOT / ".devcontainer" / "devcontainer.json").read_text())
TEXT = {"type": "string", "minLength": 1}
SCHEMA = {
    "type": "object",
    "properties": {
        "name": TEXT,
        "image": TEXT,
        "onCreateCommand": TEXT,
        "postCreateCommand": TEXT,
        "forwardPorts": {
            "type": "array",
            "items": {"type": "integer", "minimum": 1, "maximum": 65535},
        },
    },
    "required": ["image"],
    "additionalProperties": False,
}
"""Those fields of https://containers.dev/implementors/json_reference/ that are used here."""


def test_its_fields_are_those_of_the_specification() -> None:
    jsonschema.validate(CONFIGURATION, SCHEMA)


@pytest.mark.parametrize("wrong", [{"forwardPorts": ["8001"]}, {"postCreate": "make"}])
def test_a_wrong_field_is_found(wrong: dict[str, object]) -> None:
    with pytest.raises(jsonschema.ValidationError):
        jsonschema.validate(CONFIGURATION | wrong, SCHEMA)


def test_it_begins_with_the_base_of_the_images() -> None:
    (base,) = re.findall(r"^ARG PYTHON=(\S+)@", (ROOT / "Dockerfile").read_text(), re.MULTILINE)

    assert base == CONFIGURATION["image"]


@pytest.mark.programs
def test_what_it_makes_there_is_to_be_made() -> None:
    make, target = CONFIGURATION["postCreateCommand"].split()

    asked = subprocess.run([make, "--dry-run", target], cwd=ROOT, capture_output=True, check=False)

    assert asked.returncode == 0, asked.stderr
