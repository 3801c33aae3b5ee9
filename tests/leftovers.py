"""A test run that is interrupted leaves no process behind, not even those of a killed worker.

Interrupted in the middle of a test, a worker has seconds to stop its servers before xdist kills
it. What it leaves becomes an orphan. The run's first process adopts the orphans, and ends them.
"""

import atexit
import contextlib
import ctypes
import sys

import psutil
import pytest

PR_SET_CHILD_SUBREAPER = 36
"""From <linux/prctl.h>: whoever loses its parent gets this process instead of the first of all."""
GRACE_S = 10.0
"""Time in which what is left may end in order."""


def pytest_configure(config: pytest.Config) -> None:
    """Adopt, unless this is a worker; the end comes after xdist's own, which was set up later."""
    if not hasattr(config, "workerinput"):
        if sys.platform == "linux":
            ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
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
