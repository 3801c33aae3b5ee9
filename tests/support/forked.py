"""What tests start as `python -m <service>`, or `comanda`, is forked from one that has imported it.

It is started by `subprocess.Popen` as ever, so neither tests nor `comanda_local` need to know.
What another program starts (`comanda`, a shell) is a program of its own, and so is what stays up
and starts servers (`comanda up` and `demo`), so that what a program imports by itself, and when, is
seen, too.
"""

import inspect
import json
import os
import socket
import subprocess
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.support import starting
from tests.support.adoption import adopt_orphans
from tests.support.fork_server import IMPORTED, LENGTH_BYTES, PID_BYTES

PROGRAM = Path(__file__).with_name("fork_server.py")
NOT_GIVEN = -1
COMANDA = str(Path(sys.executable).with_name("comanda"))
STARTS_SERVERS = frozenset({"up", "demo"})

if TYPE_CHECKING:
    Popen = subprocess.Popen[Any]
else:
    Popen = subprocess.Popen  # as it is before the tests have it replaced


class ForkServer:
    """One of this process, started when it is first asked."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._asking: socket.socket | None = None

    def fork(self, files: Sequence[int], **request: Any) -> int:
        """Have it fork. Returns the id of the new process, a child of this one."""
        body = json.dumps(request).encode()
        with self._lock:
            asking = self._asking = self._asking or self._start()
            socket.send_fds(asking, [len(body).to_bytes(LENGTH_BYTES, "big")], files)
            asking.sendall(body)
            return int(asking.recv(PID_BYTES, socket.MSG_WAITALL))

    def _start(self) -> socket.socket:
        adopt_orphans()
        ours, its = socket.socketpair()
        with its:
            command = [sys.executable, "-P", str(PROGRAM), str(its.fileno())]
            self._process = Popen(
                command,
                pass_fds=[its.fileno()],
                start_new_session=True,
                stdout=subprocess.DEVNULL,  # what is forked is given its own, and this is no screen
            )
        return ours


SERVERS = {service: ForkServer() for service in IMPORTED}
"""Each forks one program, which has no other's modules and metrics."""


class ForkingPopen(Popen):
    """Forks a service, and starts any other program, if the test may."""

    def _execute_child(self, *given: Any) -> None:
        start = super()._execute_child  # type: ignore[misc]
        asked = inspect.signature(start).bind(*given).arguments
        starting.must_be_allowed(asked["args"])
        arguments = service_and_arguments(asked["args"])
        if not arguments:
            start(*given)
            return
        files = [asked[each] for each in ("p2cread", "c2pwrite", "errwrite")]
        self.pid = SERVERS[arguments[0]].fork(
            [own if file == NOT_GIVEN else file for own, file in enumerate(files)],
            arguments=arguments,
            environment=dict(os.environ if asked["env"] is None else asked["env"]),
            folder=os.fspath(asked["cwd"] or Path.cwd()),
            has_session=asked["start_new_session"],
        )
        self._child_created = True
        pipes = ("p2cread", "p2cwrite", "c2pread", "c2pwrite", "errread", "errwrite")
        self._close_pipe_fds(*(asked[each] for each in pipes))  # type: ignore[attr-defined]


def service_and_arguments(command: Any) -> list[str]:
    """What `python -m` is to run, if that is a service, or `comanda` is to do; else nothing."""
    if sys.platform == "linux" and isinstance(command, (list, tuple)):  # which has adoption
        for beginning in ([sys.executable, "-P", "-m"], [sys.executable, "-m"]):
            service, *arguments = command[len(beginning) :] or [None]
            if [*command[: len(beginning)]] == beginning and service in IMPORTED:
                return [service, *arguments]
        program, *arguments = map(os.fspath, command or [""])
        if program == COMANDA and not STARTS_SERVERS.intersection(arguments[:1]):
            return ["comanda", *arguments]
    return []
