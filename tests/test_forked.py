"""A service that a test starts is forked, and is a process as any other."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import psutil
import pytest
from comanda_local.processes import Child

COMMAND = [sys.executable, "-P", "-m", "serving"]

pytestmark = pytest.mark.servers


NOWHERE = {
    "COMANDA_NATS_URL": "nats://127.0.0.1:1",
    "COMANDA_MONGODB_URL": "mongodb://127.0.0.1:1/query",
    "COMANDA_HTTP_PORT": "0",
}


@pytest.fixture
def waiting(tmp_path: Path) -> Child:
    """A service that waits for a server which there is not."""
    return Child("serving", COMMAND, tmp_path, env={**os.environ, **NOWHERE})


def test_it_prints_and_ends_as_a_program_that_was_started(tmp_path: Path) -> None:
    command = [*COMMAND, "no-such-command"]
    by_another_program = ["sh", "-c", '"$@"; exit $?', "sh", *command]

    forked, started = (
        subprocess.run(each, cwd=tmp_path, capture_output=True, text=True, check=False)
        for each in (command, by_another_program)
    )

    assert "usage" in forked.stderr
    assert (forked.returncode, forked.stdout) == (started.returncode, started.stdout)
    assert forked.stderr == started.stderr


def test_it_has_its_own_session_and_folder_and_is_a_child_of_who_started_it(
    tmp_path: Path, waiting: Child
) -> None:
    waiting.start()

    process = psutil.Process(waiting.pid)
    assert os.getsid(waiting.pid) == waiting.pid != os.getsid(0)
    assert process.ppid() == os.getpid()
    assert Path(process.cwd()) == tmp_path
    waiting.kill()


def test_it_is_killed_as_by_a_crash(waiting: Child) -> None:
    waiting.start()

    waiting.kill()

    assert waiting.exit_code == -signal.SIGKILL
    assert not psutil.pid_exists(waiting.pid)


def test_it_has_no_modules_of_another_service_that_was_forked_before(
    tmp_path: Path, waiting: Child
) -> None:
    """MongoDB's, which are files of the process, are query's alone."""
    query = Child(
        "query",
        [sys.executable, "-P", "-m", "query"],
        tmp_path / "q",
        env={**os.environ, **NOWHERE},
    )
    has_mongodb = []
    for service in (query, waiting):  # in turns: neither waits for ever for what is nowhere
        service.start()
        has_mongodb.append(maps_mongodb(service))
        service.kill()

    assert has_mongodb == [True, False]


def maps_mongodb(service: Child) -> bool:
    return any("/bson/" in each.path for each in psutil.Process(service.pid).memory_maps())
