"""The pages' JavaScript: its types, and its pure states."""

import subprocess
from pathlib import Path

import pytest

from tests.node import installed, node

TESTS = Path(__file__).parent
PAGES = TESTS.parents[1] / "services" / "pages"


def run(*command: str, folder: Path) -> None:
    """Raises AssertionError with what it said, unless it ends well."""
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.packages
@pytest.mark.timeout(300)  # the first one installs the packages
def test_the_types_are_those_of_the_services_documents() -> None:
    npm = ["npm", "run", "--silent"]
    installed(PAGES)

    run(*npm, "types", folder=PAGES)
    run(*npm, "check", folder=PAGES)


@pytest.mark.programs
def test_the_states_are_right_whatever_comes_twice_or_late() -> None:
    run(node(), "--test", *map(str, sorted(TESTS.glob("*.test.js"))), folder=TESTS)
