"""The embedded NATS takes its configuration anew while it runs."""

import signal
import time
from pathlib import Path

import psutil

from comanda_local.processes import POLL_INTERVAL_S, RECORD_FILE, recorded

WITHIN_S = 10.0
TIMES = 2
"""An account that is new imports nothing until the server has read it once more (2.15.1)."""
SIGNALS_MAX = 3
"""A server that is busy may take two signals for one."""
RELOADED, REFUSED = "Reloaded server configuration", "Failed to reload server configuration"


class NotReloaded(Exception):
    """The server goes on with the configuration that it had; the text says why."""


def reload_nats(data: Path) -> bool:
    """Have the server of this data folder read its users anew, without a restart.

    Who is not let in any more is thrown out; nobody else notices. False if no server runs there.
    Raises NotReloaded.
    """
    log = data / "nats" / "log"
    begin, reloads = log.stat().st_size if log.exists() else 0, 0
    for _ in range(SIGNALS_MAX):
        process = recorded(data / "nats" / RECORD_FILE)
        if process is None:
            return False
        process.send_signal(signal.SIGHUP)
        reloads = _wait_for(reloads + 1, log, begin)
        if reloads >= TIMES:
            return True
    raise NotReloaded(
        f"NATS has not read its configuration {TIMES} times within "
        f"{SIGNALS_MAX * WITHIN_S:.0f} s: see {log}"
    )


def _wait_for(reloads: int, log: Path, begin: int) -> int:
    """How often it was read since this place in the log: so often, or less after `WITHIN_S`.

    What comes later counts for the next signal's wait. Raises NotReloaded.
    """
    deadline = time.monotonic() + WITHIN_S
    while (found := _reloads(log, begin)) < reloads and time.monotonic() < deadline:
        time.sleep(POLL_INTERVAL_S)
    return found


def _reloads(log: Path, begin: int) -> int:
    lines = log.read_bytes()[begin:].decode(errors="replace").splitlines()
    for line in lines:
        if REFUSED in line:
            why = line.partition(REFUSED)[2].strip(": ")
            raise NotReloaded(f"NATS goes on as it was: {why}")
    return sum(RELOADED in line for line in lines)


def lacks_variable(data: Path, name: str) -> bool:
    """Whether a server of this data folder runs, and can be seen to have no such variable."""
    process = recorded(data / "nats" / RECORD_FILE)
    try:
        return process is not None and name not in process.environ()
    except psutil.Error:
        return False
