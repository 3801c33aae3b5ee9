"""Processes of ours are started once, watched, and end with us."""

import json
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest
from comanda_local.folders import locked, temporary_folder
from comanda_local.ports import LOOPBACK, free_port, is_free
from comanda_local.processes import CannotStart, Child

pytestmark = pytest.mark.programs

WAITS = "import signal; print('here', flush=True); signal.pause()"
DEAF = f"import signal; signal.signal(signal.SIGTERM, signal.SIG_IGN); {WAITS}"


@pytest.fixture
def folder() -> Iterator[Path]:
    with temporary_folder() as folder:
        yield folder


def python(folder: Path, code: str) -> Child:
    return Child("example", [sys.executable, "-c", code], folder)


def started(folder: Path, code: str) -> Child:
    child = python(folder, code)
    child.start()
    child.wait_until(lambda: "here" in child.tail(), within=20)
    return child


def test_a_program_that_is_not_there_is_said(folder: Path) -> None:
    with pytest.raises(CannotStart, match=r"example can't be run: .*no-such-program"):
        Child("example", ["no-such-program"], folder).start()


def test_a_process_that_ends_at_once_is_said_with_the_end_of_its_log(folder: Path) -> None:
    child = python(folder, "raise SystemExit('out of tomatoes')")
    child.start()

    with pytest.raises(CannotStart, match=r"exit code 1(.|\n)*out of tomatoes"):
        child.wait_until(lambda: False, within=20)


def test_a_process_that_is_never_ready_is_said_and_not_left_running(folder: Path) -> None:
    child = started(folder, WAITS)

    with pytest.raises(CannotStart, match="was not ready within"):
        child.wait_until(lambda: False, within=0.1)

    assert not child.alive


def test_a_process_that_does_not_hear_is_killed_after_its_grace(folder: Path) -> None:
    child = started(folder, DEAF)

    assert child.stop(grace=0.1) == -signal.SIGKILL


def test_a_process_has_a_session_of_its_own_so_that_ctrl_c_does_not_reach_it(folder: Path) -> None:
    child = started(folder, WAITS)

    assert os.getsid(child.pid) != os.getsid(0)
    child.stop()


def test_a_restart_goes_on_with_the_same_log(folder: Path) -> None:
    child = started(folder, WAITS)
    child.kill()

    child.start()
    child.wait_until(lambda: child.tail().count("here") == 2, within=20)

    child.stop()


def test_a_process_ends_with_a_parent_that_forgot_it(folder: Path) -> None:
    forgetful = (
        "import sys; from pathlib import Path; from comanda_local.processes import Child\n"
        f"child = Child('example', [sys.executable, '-c', {WAITS!r}], Path({str(folder)!r}))\n"
        "child.start(); print(child.pid)"
    )

    pid = int(subprocess.check_output([sys.executable, "-c", forgetful]))

    assert not psutil.pid_exists(pid)


def test_another_process_with_a_recorded_id_is_left_alone(folder: Path) -> None:
    innocent = started(folder / "innocent", WAITS)
    (folder / "process").write_text(f'{{"pid": {innocent.pid}, "started": 1.0, "signal": 9}}')

    child = started(folder, WAITS)

    assert innocent.alive
    child.stop()
    innocent.stop()


def test_a_free_port_is_not_one_that_a_client_could_be_given() -> None:
    assert all(20_000 <= free_port() < 32_000 for _ in range(20))


def test_no_port_is_given_twice_not_even_to_another_process() -> None:
    ask = "from comanda_local.ports import free_port\nprint([free_port() for _ in range(100)])"
    mine = {free_port() for _ in range(100)}

    theirs = set(json.loads(subprocess.check_output([sys.executable, "-c", ask])))

    assert len(mine) == len(theirs) == 100
    assert not mine & theirs


def test_a_process_is_not_mistaken_for_another_that_listens_on_its_port(folder: Path) -> None:
    child = started(folder, WAITS)

    with socket.create_server((LOOPBACK, 0)) as other:
        assert not child.listens_on(other.getsockname()[1])

    child.stop()


def test_a_port_that_is_listened_on_is_not_free() -> None:
    with socket.create_server((LOOPBACK, free_port())) as server:
        assert not is_free(server.getsockname()[1])


def test_a_folder_is_held_by_one_at_a_time(folder: Path) -> None:
    taken = f"already up on .*process {os.getpid()}"
    with locked(folder), pytest.raises(CannotStart, match=taken), locked(folder):
        pass

    with locked(folder):
        pass
