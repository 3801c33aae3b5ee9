"""TCP ports of this machine: finding free ones, and saying which is taken."""

import contextlib
import random
import socket
from collections import deque

from comanda_local.processes import CannotStart

LOOPBACK = "127.0.0.1"

PORT_RANGE = range(20_000, 32_000)
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
    for port in random.SystemRandom().sample(PORT_RANGE, k=200):
        sign = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        with contextlib.suppress(OSError):
            sign.bind((LOOPBACK, port))
            if is_free(port):
                _reserved.append(sign)
                return port
        sign.close()
    raise CannotStart(f"No free port found between {PORT_RANGE.start} and {PORT_RANGE.stop}.")


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
