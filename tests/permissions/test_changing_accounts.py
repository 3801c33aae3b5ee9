"""`comanda till` and `comanda team` change NATS's accounts whole, one at a time, or not at all."""

import fcntl
import os
import shutil
from collections.abc import Mapping
from pathlib import Path

import pytest
from comanda_local import cli
from comanda_local.account_changes import changing
from comanda_local.nats_keys import new_seed
from comanda_local.nats_logins import Login
from comanda_local.nats_reload import NotReloaded
from comanda_local.servers.nats import ACCOUNTS
from comanda_local.teams import NotGranted, remove_team, write_team, written_teams
from comanda_local.tills import TILLS_FILE, remove_till, write_till
from typer.testing import CliRunner, Result

TILL = ("da-mario", "bar")
FILE = "till-da-mario-bar.conf"


class Comanda:
    """The command line on a copy of the configuration, and a NATS that takes it or refuses."""

    def __init__(self, folder: Path, data: Path) -> None:
        self.folder, self.data = folder, data
        self.refuses = False
        self.reloads = 0
        self.deleted: list[str] = []

    def __call__(self, *arguments: str) -> Result:
        return CliRunner().invoke(cli.app, [*arguments, "--data", str(self.data)])

    def reload(self, _data: Path) -> bool:
        self.reloads += 1
        if self.refuses:
            raise NotReloaded("NATS goes on as it was: variable reference not found")
        return True

    async def delete_consumers(self, _url: str, team: str, _files: Mapping[str, str]) -> None:
        self.deleted.append(team)

    def files(self) -> dict[str, bytes]:
        folders = (self.folder, self.data / "nats" / "keys")
        return {f.name: f.read_bytes() for each in folders for f in each.glob("*") if f.is_file()}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return Path(shutil.copytree(ACCOUNTS.parent, tmp_path / "nats"))


@pytest.fixture
def comanda(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Comanda:
    made = Comanda(folder, tmp_path / "data")
    monkeypatch.setattr(cli, "ACCOUNTS", folder / ACCOUNTS.name)
    monkeypatch.setattr(cli, "reload_nats", made.reload)
    monkeypatch.setattr(cli, "delete_consumers", made.delete_consumers)
    return made


@pytest.mark.parametrize("command", [("till", *TILL), ("team", "loyalty", "menu.v1.>")])
@pytest.mark.parametrize("option", [(), ("--renew",), ("--password",)])
def test_what_nats_refuses_leaves_files_and_keys_as_they_were(
    comanda: Comanda, command: tuple[str, ...], option: tuple[str, ...]
) -> None:
    if option == ("--renew",):
        assert comanda(*command).exit_code == 0
    before = comanda.files()
    comanda.refuses = True

    refused = comanda(*command, *option)

    assert refused.exit_code == 1
    assert "its key is" not in refused.output
    assert comanda.files() == before


@pytest.mark.parametrize("command", [("till", *TILL), ("team", "loyalty", "menu.v1.>")])
def test_who_is_removed_is_said_to_be_out_once_nats_has_taken_it(
    comanda: Comanda, command: tuple[str, ...]
) -> None:
    is_team = command[0] == "team"
    named = (*command[:2], "--nats", "nats://x") if is_team else command
    remove = (*named, "--remove")
    comanda(*command)
    comanda.refuses = True

    refused = comanda(*remove)

    assert refused.exit_code == 1
    assert "no more" not in refused.output
    assert not comanda.deleted
    assert not list(comanda.folder.glob(f"{command[0]}-{command[1]}*.conf"))

    comanda.refuses, before = False, comanda.reloads
    repeated = comanda(*remove)

    assert (repeated.exit_code, comanda.reloads) == (0, before + 1)
    assert "no more" in repeated.output
    assert comanda.deleted == (["loyalty"] if is_team else [])


@pytest.mark.parametrize("name", ["serving", "query-rebuild", "ordering", "operator"])
def test_removing_no_team_touches_no_services_consumer(comanda: Comanda, name: str) -> None:
    assert comanda("team", name, "--remove", "--nats", "nats://x").exit_code == 1

    assert not comanda.deleted


@pytest.mark.parametrize(
    ("arguments", "why"),
    [
        (("--start-over", "--nats", "nats://x"), "which team"),
        (("loyalty", "menu.v1.>", "--start-over", "--nats", "nats://x"), "nothing else"),
        (("loyalty", "--start-over"), "COMANDA_NATS_URL"),
        (("nobody", "--start-over", "--nats", "nats://x"), "what nobody may read"),
    ],
)
def test_who_starts_over_is_said(comanda: Comanda, arguments: tuple[str, ...], why: str) -> None:
    comanda("team", "loyalty", "menu.v1.>")
    before = comanda.files()

    refused = comanda("team", *arguments)

    assert refused.exit_code == 1
    assert why in refused.output
    assert comanda.files() == before


def test_a_password_that_the_running_server_lacks_is_refused_at_once(
    comanda: Comanda, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(cli, "lacks_variable", lambda _data, _name: True)
    before = comanda.files()

    refused = comanda("till", *TILL, "--password")

    assert refused.exit_code == 1
    assert "COMANDA_NATS_TILL_DA_MARIO_BAR_PASSWORD" in refused.output
    assert (comanda.files(), comanda.reloads) == (before, 0)


def test_one_command_at_a_time_changes_accounts(folder: Path) -> None:
    another = os.open(folder, os.O_RDONLY)
    with changing(folder), pytest.raises(BlockingIOError):
        fcntl.flock(another, fcntl.LOCK_EX | fcntl.LOCK_NB)

    fcntl.flock(another, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(another)


def test_a_file_is_never_seen_empty(folder: Path) -> None:
    with (folder / TILLS_FILE).open() as seen_by_nats:
        write_till(*TILL, folder)

        assert seen_by_nats.read() == (ACCOUNTS.parent / TILLS_FILE).read_text()
    assert not list(folder.glob(".*")), "nothing stays beside it"


@pytest.mark.parametrize("share", [0.0, 0.1, 0.3, 0.5, 0.7, 0.9])
def test_half_a_file_is_written_anew_or_removed(folder: Path, share: float) -> None:
    key = Login.by_key(new_seed())
    till = write_till(*TILL, folder, login=key)
    team = folder / "team-loyalty.conf"
    write_team("loyalty", ["menu.v1.>"], folder, login=key)
    for file in (till, team):
        text = file.read_text()
        file.write_text(text[: int(share * len(text))])

    assert {each.name for each in written_teams(folder)} >= {"notifier", "wallboard"}
    write_till(*TILL, folder, login=Login.found_in(till) or key)
    write_team("loyalty", ["menu.v1.>"], folder, login=Login.found_in(team) or key)
    assert (str(Login.found_in(till)), str(Login.found_in(team))) == (str(key), str(key))

    for file in (till, team):
        file.write_text(file.read_text()[: int(share * len(text))])
    assert remove_till(*TILL, folder)
    assert remove_team("loyalty", folder)
    assert FILE not in (folder / TILLS_FILE).read_text()


def test_a_till_that_another_release_wrote_is_renewed_and_removed(folder: Path) -> None:
    file = write_till("da-mario", "bar-2", folder)
    earlier = file.read_text().replace("# The till", "# This is the till").replace("[", "[ ")

    file.write_text(earlier)
    write_till("da-mario", "bar-2", folder)
    assert file.read_text() != earlier

    file.write_text(earlier)
    with pytest.raises(NotGranted, match="another till"):
        remove_till("da-mario-bar", "2", folder)
    assert remove_till("da-mario", "bar-2", folder)
    assert not file.exists()


def test_a_key_is_saved_before_nats_is_told_of_it(
    comanda: Comanda, monkeypatch: pytest.MonkeyPatch
) -> None:
    had_key: list[bool] = []

    def write(*arguments: str, login: Login) -> None:
        had_key.append((comanda.data / "nats" / "keys" / "till-da-mario-bar.nk").exists())

    monkeypatch.setattr(cli, "write_till", write)
    comanda("till", *TILL)

    assert had_key == [True]
