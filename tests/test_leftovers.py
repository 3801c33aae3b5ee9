import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import psutil
import pytest

ROOT = Path(__file__).parents[1]
TIMEOUT_S = 100.0
PLUGINS = ("xdist.plugin", "pytest_asyncio", "tests.conftest")
STUBBORN = """
import time, pytest

@pytest.mark.parametrize("number", range(2))
def test_that_does_not_heed_an_interruption(nats_url, number):
    while True:
        try:
            time.sleep(60)
        except KeyboardInterrupt:
            pass
"""


@pytest.mark.servers
@pytest.mark.timeout(300)
def test_a_parallel_run_that_is_interrupted_leaves_no_server_behind(tmp_path: Path) -> None:
    (tmp_path / "test_stubborn.py").write_text(STUBBORN)
    plugins = [option for plugin in PLUGINS for option in ("-p", plugin)]
    tests = [sys.executable, "-m", "pytest", "-c", "/dev/null", "-n", "2", *plugins, str(tmp_path)]
    run = subprocess.Popen(
        ["env", "--default-signal=INT", *tests],  # which a shell has its background jobs ignore
        cwd=ROOT,
        env={**os.environ, "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    servers = wait_for_servers(run.pid, 2)

    run.send_signal(signal.SIGINT)

    assert run.wait(timeout=TIMEOUT_S) == pytest.ExitCode.INTERRUPTED
    assert [server for server in servers if server.is_running()] == []


def wait_for_servers(pid: int, count: int) -> list[psutil.Process]:
    """The NATS servers below that process, once there are so many."""
    deadline = time.monotonic() + TIMEOUT_S
    while time.monotonic() < deadline:
        offspring = psutil.Process(pid).children(recursive=True)
        servers = [each for each in offspring if each.name() == "nats-server"]
        if len(servers) == count:
            return servers
        time.sleep(0.1)
    raise AssertionError("the servers did not start")
