"""Where things run: free ports and temporary folders."""

import contextlib
import fcntl
import os
import random
import shutil
import socket
import tempfile
from collections import deque
from collections.abc import Iterator
from pathlib import Path
from typing import IO

from comanda_local.processes import CannotStart

LOOPBACK = "127.0.0.1"

PORTS = range(20_000, 32_000)
"""Below the range from which systems take the ports of outgoing connections.

A port from that range could be taken while its server is down, by the very client that tries to
connect to it again.
"""


_reserved: deque[socket.socket] = deque(maxlen=256)


def free_port() -> int:
    """A port of the loopback interface that nothing listens on, and nobody else is given here.

    Its UDP twin, which nothing needs, is held as a sign to other processes that ask, until this
    process ends or has asked for very many more.
    """
    for port in random.SystemRandom().sample(PORTS, k=200):
        sign = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):
            sign.bind((LOOPBACK, port))
            if is_free(port):
                _reserved.append(sign)
                return port
        sign.close()
    raise CannotStart(f"No free port found between {PORTS.start} and {PORTS.stop}.")


def is_free(port: int) -> bool:
    """Whether a server could listen on this port of the loopback interface."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((LOOPBACK, port))
        except OSError:
            return False
    return True


def require_free(port: int, name: str, instead: str) -> None:
    """Raise CannotStart if the port is taken; `instead` says what to do then."""
    if not is_free(port):
        raise CannotStart(f"Port {port}, wanted for {name}, is taken by another program. {instead}")


@contextlib.contextmanager
def temporary_folder() -> Iterator[Path]:
    """A folder that is removed at the end.

    Others may pass through it: as root, PostgreSQL runs as a user of its own.
    """
    folder = Path(tempfile.mkdtemp(prefix="comanda-"))
    folder.chmod(0o755)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


@contextlib.contextmanager
def held(folder: Path) -> Iterator[None]:
    """Hold the folder: the lock ends with this process, however it ends."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / "lock").open("a+") as lock:
        _lock(lock, folder)
        yield


def _lock(lock: IO[str], folder: Path) -> None:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        lock.seek(0)
        raise CannotStart(
            f"Comanda is already up on {folder} (process {lock.read().strip()}). "
            "Stop that one first, or give another folder."
        ) from None
    lock.truncate(0)
    lock.write(str(os.getpid()))
    lock.flush()
