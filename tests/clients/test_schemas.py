"""json-schema-to-typescript makes types of the events' schemas, which fit what is published."""

import subprocess
from pathlib import Path

import pytest
from comanda_contracts import Event
from comanda_contracts.examples import EXAMPLES

from tests.clients.generated import BUILD, HERE
from tests.node import installed, node

pytestmark = [pytest.mark.packages, pytest.mark.timeout(600)]

SCHEMAS = Path(__file__).parents[2] / "contracts" / "schemas"


@pytest.fixture(scope="module")
def folder() -> Path:
    """A module of types for each schema, beside the packages of Node.js."""
    program = installed(HERE) / "node_modules/json-schema-to-typescript/dist/src/cli.js"
    made = BUILD / "schemas"
    options = ("--input", SCHEMAS, "--output", made, "--additionalProperties", "false")
    ran = subprocess.run([node(), program, *options], capture_output=True, text=True, check=False)
    assert ran.returncode == 0, ran.stderr
    return made


def test_no_event_has_a_field_that_may_be_anything(folder: Path) -> None:
    for event in EXAMPLES:
        types = (folder / f"{event.TYPE}.d.ts").read_text()

        assert f"export interface {type(event).__name__} {{" in types
        assert "unknown" not in types
        assert "any;" not in types


def test_every_event_is_of_its_type_and_one_with_another_field_is_not(folder: Path) -> None:
    """A literal is of a strict type only if it has all its fields and no further one."""
    program = folder / "examples.ts"
    lines = [_typed(number, event, "") for number, event in enumerate(EXAMPLES)]
    planted = [_typed(len(lines), EXAMPLES[0], '"teleported": true, ')]
    compiler = HERE / "node_modules/typescript/bin/tsc"
    options = ["--strict", "--noEmit", "--moduleResolution", "bundler", "--module", "esnext"]

    program.write_text("\n".join(lines + planted))
    ran = subprocess.run(
        [node(), compiler, *options, program], capture_output=True, text=True, check=False
    )

    complaints = [line for line in ran.stdout.splitlines() if "error" in line]
    assert len(complaints) == 1, ran.stdout
    assert f"examples.ts({len(lines) + 1}," in complaints[0]
    assert "teleported" in complaints[0]


def _typed(number: int, event: Event, planted: str) -> str:
    body = event.model_dump_json().replace("{", "{" + planted, 1)
    return f'export const e{number}: import("./{event.TYPE}").{type(event).__name__} = {body};'
