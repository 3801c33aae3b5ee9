"""Processes of ours: started, watched and ended, their output kept in a file."""

import atexit
import contextlib
import json
import pwd
import signal
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import psutil

TAIL_LINES = 12
"""Lines of a log that are shown when its process failed."""
TAIL_LINE_CHARACTERS_MAX = 300
"""Characters of each such line."""
RECORD_FILE = "process"
"""Name of the file in a process's folder that tells which one it is."""
POLL_INTERVAL_S = 0.02
"""Seconds between two checks of something that sends no event."""


class CannotStart(Exception):
    """Something can't run here; the text says what, why, and what to do about it."""


class Child:
    """One process, its log `folder/log` and, while it runs, a record of it in `folder/process`.

    The log begins anew with each Child and goes on over its restarts. The process has a session
    of its own, so that a Ctrl-C in the terminal reaches only us. It ends with us; what stayed
    behind because we were killed is ended by the next start on the same folder.
    """

    def __init__(
        self,
        name: str,
        command: Sequence[str],
        folder: Path,
        *,
        env: Mapping[str, str] | None = None,
        user: str | None = None,
        stop_signal: signal.Signals = signal.SIGTERM,
        advice: str = "",
    ) -> None:
        """`user` is the system user that it runs as; `advice` what to do if it can't start."""
        self.name = name
        self.log = folder / "log"
        self._command = [str(part) for part in command]
        self._folder = folder
        self._record = folder / RECORD_FILE
        self._env = dict(env) if env is not None else None
        self._user = user
        self._stop_signal = stop_signal
        self._advice = advice
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        """Its process id. Raises RuntimeError if it was never started."""
        return self._started().pid

    @property
    def alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    @property
    def exit_code(self) -> int | None:
        """None while it runs; negative if a signal ended it."""
        return self._started().poll()

    def listens_on(self, port: int) -> bool:
        """Whether it, and no other program, listens on this TCP port."""
        with contextlib.suppress(psutil.NoSuchProcess):
            return any(
                connection.status == psutil.CONN_LISTEN and connection.laddr.port == port
                for connection in psutil.Process(self.pid).net_connections("inet")
            )
        return False

    def start(self) -> None:
        """Start it. Raises CannotStart if the program can't be run, RuntimeError if it runs."""
        if self.alive:
            raise RuntimeError(f"{self.name} runs already")
        self._folder.mkdir(parents=True, exist_ok=True)
        end_leftover(self._record)
        with self.log.open("wb" if self._process is None else "ab") as log:
            try:
                self._process = subprocess.Popen(
                    self._command,
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=subprocess.STDOUT,
                    cwd=self._folder,
                    env=self._env,
                    user=self._user,
                    group=_group_of(self._user),
                    extra_groups=[] if self._user else None,
                    start_new_session=True,
                )
            except OSError as error:
                raise self._cannot_start(f"can't be run: {error}") from error
        _write_record(self._record, self._process.pid, self._stop_signal)
        atexit.register(self.stop)

    def run(self) -> int:
        """Start it and wait until it ends by itself. Returns its exit code."""
        self.start()
        return self.wait()

    def wait(self) -> int:
        """Wait until it ends by itself. Returns its exit code."""
        code = self._started().wait()
        self._forget()
        return code

    def wait_until(self, ready: Callable[[], bool], *, within: float) -> None:
        """Wait until `ready()`, `within` seconds at most.

        Raises CannotStart, with the end of its log, if the process ends first or time runs out; it
        is not left running.
        """
        deadline = time.monotonic() + within
        while not ready():
            if not self.alive:
                self._forget()
                raise self._cannot_start(f"ended (exit code {self.exit_code}).\n{self.tail()}")
            if time.monotonic() > deadline:
                self.kill()
                raise self._cannot_start(f"was not ready within {within:.0f} s.\n{self.tail()}")
            time.sleep(POLL_INTERVAL_S)

    def stop(self, *, grace: float = 15.0) -> int | None:
        """Ask it to end, and kill it after `grace` seconds.

        Returns its exit code; None if it did not run.
        """
        if self._process is None:
            return None
        was_alive = self.alive
        if was_alive:
            self._process.send_signal(self._stop_signal)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(grace)
        self.kill()
        return self._process.returncode if was_alive else None

    def kill(self) -> None:
        """Kill it with SIGKILL and wait until it and the processes it had started are gone."""
        if self._process is None:
            return
        offspring = _offspring(self._process.pid)
        self._process.kill()
        self._process.wait()
        _wait_or_kill(offspring, patience=5)
        self._forget()

    def tail(self, lines: int = TAIL_LINES) -> str:
        """The last lines of its log, each indented."""
        text = self.log.read_text(errors="replace") if self.log.exists() else ""
        shown = text.splitlines()[-lines:] or ["(it wrote nothing)"]
        return "\n".join(f"    {line[:TAIL_LINE_CHARACTERS_MAX]}" for line in shown)

    def _cannot_start(self, what: str) -> CannotStart:
        return CannotStart(f"{self.name} {what}" + (f"\n{self._advice}" if self._advice else ""))

    def _started(self) -> "subprocess.Popen[bytes]":
        if self._process is None:
            raise RuntimeError(f"{self.name} was not started")
        return self._process

    def _forget(self) -> None:
        self._record.unlink(missing_ok=True)
        atexit.unregister(self.stop)


def _group_of(user: str | None) -> int | None:
    return None if user is None else pwd.getpwnam(user).pw_gid


def _offspring(pid: int) -> list[psutil.Process]:
    with contextlib.suppress(psutil.NoSuchProcess):
        return psutil.Process(pid).children(recursive=True)
    return []


def _write_record(record: Path, pid: int, stop_signal: signal.Signals) -> None:
    with contextlib.suppress(psutil.NoSuchProcess):  # it ended at once
        started = psutil.Process(pid).create_time()
        record.write_text(json.dumps({"pid": pid, "started": started, "signal": stop_signal}))


def end_leftover(record: Path) -> None:
    """End the recorded process, if it is still there."""
    with contextlib.suppress(OSError, ValueError, KeyError, psutil.NoSuchProcess):
        if process := recorded(record):
            offspring = _offspring(process.pid)
            process.send_signal(json.loads(record.read_text())["signal"])
            _wait_or_kill([process, *offspring], patience=10)


def recorded(record: Path) -> psutil.Process | None:
    """The recorded process, if it is still that one and not another with the same id."""
    with contextlib.suppress(OSError, ValueError, KeyError, psutil.NoSuchProcess):
        noted = json.loads(record.read_text())
        process = psutil.Process(noted["pid"])
        if process.create_time() == noted["started"]:
            return process
    return None


def _wait_or_kill(processes: Sequence[psutil.Process], *, patience: float) -> None:
    """Wait until they are gone, and kill those that are not after `patience` seconds."""
    deadline = time.monotonic() + patience
    while there := [process for process in processes if _is_there(process)]:
        if time.monotonic() > deadline:
            for process in there:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.kill()
        time.sleep(POLL_INTERVAL_S)


def _is_there(process: psutil.Process) -> bool:
    """Whether it still does something: a zombie whose parent does not mind it is gone."""
    try:
        return process.is_running() and process.status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False
