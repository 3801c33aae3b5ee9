"""A running NATS is told to read its users anew until it has done so."""

import json
import os
import stat
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import cast

import psutil
import pytest
from comanda_local import nats_reload
from comanda_local.cluster_secrets import write_secrets
from comanda_local.nats_reload import NotReloaded, reload_nats
from comanda_local.servers import Nats
from comanda_local.servers.nats import ACCOUNTS
from comanda_local.system_urls import SystemUrls

READ, REFUSED = (
    "[INF] Reloaded server configuration\n",
    "[ERR] Failed to reload server configuration: x\n",
)


class Server:
    """A server that writes to its log at each signal what it is given to, in turn."""

    def __init__(self, log: Path, *lines: str) -> None:
        self._log = log
        self._lines = list(lines)

    def send_signal(self, _: int) -> None:
        with self._log.open("a") as log:
            log.write(self._lines.pop(0))


@pytest.fixture
def data(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(nats_reload, "WITHIN_S", 0.01)
    (tmp_path / "nats").mkdir()
    (tmp_path / "nats" / "log").write_text(REFUSED + READ * 3)
    return tmp_path


def a_server(data: Path, monkeypatch: pytest.MonkeyPatch, lines: Sequence[str]) -> Server:
    server = Server(data / "nats" / "log", *lines)
    monkeypatch.setattr(nats_reload, "recorded", lambda _: cast("psutil.Process", server))
    return server


@pytest.mark.parametrize(
    "lines", [[READ, READ], ["", READ + READ], ["", READ, READ], [READ, "", READ]]
)
def test_a_server_that_is_slow_to_read_is_told_again(
    data: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str]
) -> None:
    """An account that is new works from the second time on."""
    server = a_server(data, monkeypatch, lines)

    assert reload_nats(data)
    assert not server._lines


@pytest.mark.parametrize(
    ("lines", "why"),
    [(["", "", READ], "not read"), (["", "", ""], "not read"), ([READ, REFUSED], "as it was: x")],
)
def test_a_server_that_does_not_read_its_users_is_said_not_to(
    data: Path, monkeypatch: pytest.MonkeyPatch, lines: list[str], why: str
) -> None:
    a_server(data, monkeypatch, lines)

    with pytest.raises(NotReloaded, match=why):
        reload_nats(data)


WriteSecret = Callable[[Path], Path]


def write_passwords(folder: Path) -> Path:
    Nats(folder, 4222, accounts=ACCOUNTS)
    return folder / "passwords.json"


def write_urls(folder: Path) -> Path:
    return SystemUrls("http://o", "http://s", "http://q", nats="nats://x", database="").save(folder)


def write_cluster_secrets(folder: Path) -> Path:
    write_secrets({}, folder / "secrets.json")
    return folder / "secrets.json"


@pytest.mark.parametrize("write", [write_passwords, write_urls, write_cluster_secrets])
def test_what_is_secret_is_written_whole_and_its_owners_from_the_first_byte(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, write: WriteSecret
) -> None:
    """A process that dies at the end of its writing leaves nothing half written behind."""

    def dies(_: int) -> None:
        assert {stat.S_IMODE(each.stat().st_mode) for each in tmp_path.iterdir()} == {0o600}
        raise InterruptedError

    with monkeypatch.context() as patched:
        patched.setattr(os, "fsync", dies)
        with pytest.raises(InterruptedError):
            write(tmp_path)
    left = list(tmp_path.iterdir())
    file = write(tmp_path)

    assert left == []
    assert json.loads(file.read_text())
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
