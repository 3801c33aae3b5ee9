"""A process that has imported a service and forks itself into it whenever it is asked to.

A service's imports cost three seconds of a processor, and the tests start hundreds; those of
`comanda` cost two. What is forked is a process like any other: it has its own id, session,
environment, folder and files, runs `__main__` of its program from the first line on, and is killed
as any. Its parent is the process that asked, which adopts it and is told how it ended.

Run with the number of a socket, over which `tests/support/forked.py` speaks to it. It ends once
nobody does.
"""

import gc
import importlib
import json
import os
import runpy
import signal
import socket
import sys
import time
from typing import NamedTuple

IMPORTED = {
    "ordering": ("service_kit.http.server", "ordering.bootstrap", "ordering.settings"),
    "serving": ("service_kit.http.server", "serving.bootstrap", "serving.settings"),
    "query": ("service_kit.http.server", "query.bootstrap", "query.settings"),
    "comanda": ("comanda_local.cli",),
}
"""What is imported when the program is asked for first. It imports the rest by itself."""
STANDARD_FILES = 3
LENGTH_BYTES = 4
PID_BYTES = 16


class Request(NamedTuple):
    """What a new process shall be."""

    arguments: list[str]
    """The program, then what it is told."""
    environment: dict[str, str]
    folder: str
    has_session: bool
    """Whether it leads a session of its own."""
    files: list[int]
    """Its input, output and errors."""


def serve(asking: socket.socket) -> Request | None:
    """Fork as often as is asked, and return None when nobody asks any more.

    It returns the request in the process that was forked for it, which is what was asked for by
    the time its id is told.
    """
    while (request := receive(asking)) is not None:
        import_uncollected(IMPORTED[request.arguments[0]])
        reading, writing = os.pipe()
        between = os.fork()
        if between == 0:
            if os.fork() == 0:
                os.close(reading)
                become(request)
                os.write(writing, str(os.getpid()).encode())
                os.close(writing)
                return request
            os._exit(0)  # who adopts orphans, the nearest above us, is the parent from here on
        os.close(writing)
        os.waitpid(between, 0)
        asking.sendall(os.read(reading, PID_BYTES).ljust(PID_BYTES))
        for file in (reading, *request.files):
            os.close(file)
    return None


def receive(asking: socket.socket) -> Request | None:
    """The next request; None if there is none any more."""
    head, files, _, _ = socket.recv_fds(asking, LENGTH_BYTES, STANDARD_FILES)
    if not head:
        return None
    body = asking.recv(int.from_bytes(head, "big"), socket.MSG_WAITALL)
    return Request(**json.loads(body), files=files)


def import_uncollected(names: tuple[str, ...]) -> None:
    """Import them as the services do, so that what they froze before they began is frozen, too."""
    gc.disable()
    for name in names:
        importlib.import_module(name)
    gc.freeze()
    gc.enable()


def become(request: Request) -> None:
    """Be what was asked for, up to the first line of its program."""
    if request.has_session:
        os.setsid()
    for number, file in enumerate(request.files):
        os.dup2(file, number)
        os.close(file)
    unbuffered = "PYTHONUNBUFFERED" in request.environment
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(write_through=unbuffered)  # type: ignore[union-attr]
    os.chdir(request.folder)
    os.environ.clear()
    os.environ.update(request.environment)
    time.tzset()
    sys.argv = request.arguments
    signal.signal(signal.SIGINT, signal.default_int_handler)


if __name__ == "__main__":
    with socket.socket(fileno=int(sys.argv[1])) as asking:
        request = serve(asking)
    if request is not None:
        if request.arguments[0] == "comanda":
            importlib.import_module("comanda_local.cli").app()
        else:
            runpy.run_module(request.arguments[0], run_name="__main__", alter_sys=True)
