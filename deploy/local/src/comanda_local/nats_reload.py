"""The embedded NATS takes its configuration anew while it runs."""

import signal
import time
from pathlib import Path

import psutil

from comanda_local.processes import POLL_INTERVAL_S, RECORD_FILE, recorded

WITHIN_S = 10.0
TIMES = 2
"""An account that is new imports nothing until the server has read it once more (2.15.1)."""
RELOADED, REFUSED = "Reloaded server configuration", "Failed to reload server configuration"


class NotReloaded(Exception):
    """The server goes on with the configuration that it had; the text says why."""


def reload_nats(data: Path) -> bool:
    """Have the server of this data folder read its users anew, without a restart.

    Who is not let in any more is thrown out; nobody else notices. False if no server runs there.
    Raises NotReloaded.
    """
    for _ in range(TIMES):
        process = recorded(data / "nats" / RECORD_FILE)
        if process is None:
            return False
        _reload(process, data / "nats" / "log")
    return True


def _reload(process: psutil.Process, log: Path) -> None:
    before = log.stat().st_size
    process.send_signal(signal.SIGHUP)
    deadline = time.monotonic() + WITHIN_S
    while time.monotonic() < deadline:
        for line in log.read_bytes()[before:].decode(errors="replace").splitlines():
            if REFUSED in line:
                why = line.partition(REFUSED)[2].strip(": ")
                raise NotReloaded(f"NATS goes on as it was: {why}")
            if RELOADED in line:
                return
        time.sleep(POLL_INTERVAL_S)
    raise NotReloaded(f"NATS has not read its configuration within {WITHIN_S:.0f} s: see {log}")


def lacks_variable(data: Path, name: str) -> bool:
    """Whether a server of this data folder runs, and can be seen to have no such variable."""
    process = recorded(data / "nats" / RECORD_FILE)
    try:
        return process is not None and name not in process.environ()
    except psutil.Error:
        return False
