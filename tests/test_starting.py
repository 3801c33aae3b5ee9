"""A test that starts something has a mark, which keeps it out of `make test-fast`."""

import asyncio
import subprocess
from collections.abc import Callable

import pytest

from tests.deploy.exporters import metrics_of
from tests.deploy.manifests import KUBERNETES, render

STARTS: dict[str, Callable[[], object]] = {
    "a program": lambda: subprocess.run(["true"], check=True),
    "a program beside others": lambda: asyncio.run(asyncio.create_subprocess_exec("true")),
    "what manifests are made with, which may have been started": lambda: render(KUBERNETES),
    "what says its metrics, which may have been started": lambda: metrics_of("ordering"),
}


@pytest.mark.parametrize("start", STARTS.values(), ids=STARTS)
def test_a_test_without_a_mark_may_start_nothing(start: Callable[[], object]) -> None:
    with pytest.raises(pytest.fail.Exception, match="mark the test with `programs`"):
        start()


@pytest.mark.programs
def test_one_with_the_mark_may() -> None:
    assert subprocess.run(["true"], check=False).returncode == 0
