"""The snippets of the subscriber's guide, as they stand there."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from comanda_local.stack import Stack

from tests.e2e.restaurant import Restaurant
from tests.node import installed, node
from tests.subscribers.conftest import EXAMPLES, url_of

pytestmark = [pytest.mark.xdist_group("pickup"), pytest.mark.timeout(300)]

GUIDE = Path(__file__).parents[2] / "contracts" / "README.md"


def snippet(language: str) -> str:
    (found,) = re.findall(rf"```{language}\n(.*?)```", GUIDE.read_text(), re.DOTALL)
    return str(found)


@pytest.mark.parametrize("language", ["python", "javascript"])
def test_a_snippet_of_the_guide_prints_the_orders_that_were_placed(
    stack: Stack, language: str
) -> None:
    Restaurant(stack).takeaway()
    if language == "python":
        command = [sys.executable, "-c", snippet(language)]
    else:
        command = [node(), "--input-type=module", "--eval", snippet(language)]
    team = f"guide-{language}"
    environment = {"NATS_URL": url_of(team, stack), "TEAM": team}

    ran = subprocess.run(
        command,
        cwd=installed(EXAMPLES / "javascript") if language == "javascript" else None,
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=True,
    )

    lines = ran.stdout.splitlines()
    assert lines
    assert all(re.fullmatch(r"A-\d+ [a-z0-9-]+ \d+ EUR", line) for line in lines), lines
