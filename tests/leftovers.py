"""A test run that is interrupted leaves no process behind, not even those of a killed worker.

Interrupted in the middle of a test, a worker has seconds to stop its servers before xdist kills
it. What it leaves becomes an orphan. The run's first process adopts the orphans, and ends them.
"""

import atexit
import contextlib

import psutil
import pytest

from tests.support.adoption import adopt_orphans

GRACE_S = 10.0
"""Time in which what is left may end in order."""


def pytest_configure(config: pytest.Config) -> None:
    """Adopt, unless this is a worker; the end comes after xdist's own, which was set up later."""
    if not hasattr(config, "workerinput"):
        adopt_orphans()
        atexit.register(end_offspring)


def end_offspring() -> None:
    """End every process below this one, and kill those that do not heed it."""
    left = psutil.Process().children(recursive=True)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.terminate()
    _, left = psutil.wait_procs(left, timeout=GRACE_S)
    for process in left:
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
