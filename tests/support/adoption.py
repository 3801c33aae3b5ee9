"""Processes whose parent has ended get this one instead, rather than the first of all."""

import ctypes
import sys

PR_SET_CHILD_SUBREAPER = 36
"""From <linux/prctl.h>."""


def adopt_orphans() -> None:
    """Adopt, from here on, whatever is started below this process and left by its parent."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
