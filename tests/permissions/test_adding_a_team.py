"""A team is added by one command, and the server takes what the command writes."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from comanda_contracts.streams import MENU, ORDERS
from comanda_local.folders import temporary_folder
from comanda_local.nats_keys import new_seed, public_half
from comanda_local.servers import Nats
from comanda_local.servers.nats import ACCOUNTS, key_variable, password_variable, users_of
from comanda_local.team_consumers import make_consumers
from comanda_local.teams import TEAMS_FILE, Grant, NotGranted, file_of, write_team, written_teams
from comanda_local.tills import TILLS_FILE, write_till
from nats.js import api

from tests.permissions.nats_user import NatsUser

NATS_SERVER = Path(sys.executable).with_name("nats-server")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A copy of the configuration."""
    return Path(shutil.copytree(ACCOUNTS.parent, tmp_path / "nats"))


@pytest.mark.servers
async def test_a_new_team_is_let_in_and_reads_by_the_consumers_made_for_it(folder: Path) -> None:
    team = write_team(
        "loyalty-eu", ["menu.v1.>", "orders.v1.*.*.placed", "orders.v1.*.*.closed"], folder
    )

    with temporary_folder() as data:
        server = Nats(data, accounts=folder / "accounts.conf")
        server.start()
        async with NatsUser.of(server, "operator", "_INBOX") as operator:
            for stream in (ORDERS, MENU):
                config = api.StreamConfig(stream.name, subjects=[stream.subject])
                await operator.client.jetstream().add_stream(config)
        made = await make_consumers(server.url, [team])
        async with NatsUser.of(server, "loyalty-eu", "_INBOX") as user:
            asked = {
                name: await user.ask(f"$JS.comanda.API.CONSUMER.INFO.{name.replace('/', '.')}")
                for name in (*made, "TICKETS/loyalty-eu")
            }
        server.stop()

    assert made == ["MENU/loyalty-eu", "ORDERS/loyalty-eu"]
    assert [asked[name]["config"]["filter_subjects"] for name in made] == [
        ["menu.v1.>"],
        ["orders.v1.*.*.placed", "orders.v1.*.*.closed"],
    ]
    assert asked["TICKETS/loyalty-eu"] is None


def test_a_team_is_written_anew_without_being_listed_twice(folder: Path) -> None:
    write_team("loyalty", ["menu.v1.>"], folder)
    team = write_team("loyalty", ["tickets.v1.*.*.*.ready"], folder)

    assert "menu" not in file_of("loyalty", folder).read_text()
    assert team in written_teams(folder)
    assert (folder / TEAMS_FILE).read_text().count("team-loyalty.conf") == 1


def test_what_is_committed_is_what_the_command_writes(folder: Path) -> None:
    for team in written_teams():
        write_team(team.name, [grant.subject for grant in team.grants], folder)

        assert file_of(team.name, folder).read_text() == file_of(team.name).read_text()


@pytest.mark.parametrize(
    "subject",
    [
        "orders.v1.*",  # the server would take `orders.v1.>` for one of these
        "orders.v1.la-piazza",
        "orders.v1.*.*.*.*",
        "orders.v1.*.*.*.>",
        "orders.v2.>",
        "commands.v1.>",
        "dead-letters.v1.>",
        "orders.>",
        ">",
        "orders.v1.>.placed",
        'orders.v1."}.*.placed',
        "",
    ],
)
def test_a_grant_is_within_a_published_stream(folder: Path, subject: str) -> None:
    with pytest.raises(NotGranted):
        write_team("loyalty", [subject], folder)

    assert not (folder / "team-loyalty.conf").exists()


@pytest.mark.parametrize(
    ("subject", "stream"),
    [
        ("archive.orders.v1.>", "ORDERS_ARCHIVE"),
        ("archive.orders.v1.la-piazza.*", "ORDERS_ARCHIVE"),
        ("archive.tickets.v1.*.served", "TICKETS_ARCHIVE"),
    ],
)
def test_the_past_is_granted_by_restaurant_and_kind_of_event(subject: str, stream: str) -> None:
    assert Grant.of(subject).stream.name == stream


@pytest.mark.parametrize(
    "subject", ["archive.>", "archive.orders.>", "archive.orders.v2.>", "archive.menu.v1.>"]
)
def test_a_grant_of_the_past_is_within_one_archive(subject: str) -> None:
    with pytest.raises(NotGranted):
        Grant.of(subject)


@pytest.mark.parametrize(
    "filters",
    [
        ("orders.v1.>", "orders.v1.*.*.placed"),
        ("orders.v1.la-piazza.>", "orders.v1.*.*.placed"),
        ("orders.v1.la-piazza.*.placed", "orders.v1.*.*.placed"),
        ("menu.v1.>", "menu.v1.>"),
    ],
)
def test_grants_that_overlap_are_refused(folder: Path, filters: tuple[str, str]) -> None:
    with pytest.raises(NotGranted, match="overlap"):
        write_team("loyalty", filters, folder)


@pytest.mark.parametrize(
    "name",
    [
        *("operator", "system", "till", "tills", "till-la-piazza-1"),
        *("ordering", "serving", "query", "query-rebuild", "query-audit", "query-operator"),
    ],
)
def test_a_name_is_not_that_of_another_user_or_its_consumer(folder: Path, name: str) -> None:
    with pytest.raises(NotGranted, match="name of a user"):
        write_team(name, ["menu.v1.>"], folder)


@pytest.mark.parametrize("name", ["Loyalty", "", "a.b", "a b", "../x", "-a"])
def test_a_name_is_one_that_a_consumer_may_have(folder: Path, name: str) -> None:
    with pytest.raises(NotGranted):
        write_team(name, ["menu.v1.>"], folder)


def test_a_till_is_written_once(folder: Path) -> None:
    files = {write_till("da-mario", "bar", folder) for _ in range(2)}

    assert [each.name for each in files] == ["till-da-mario-bar.conf"]
    assert (folder / TILLS_FILE).read_text().count("till-da-mario-bar.conf") == 1


def test_a_till_does_not_take_anothers_user(folder: Path) -> None:
    write_till("da-mario", "bar-2", folder)

    with pytest.raises(NotGranted, match="another till"):
        write_till("da-mario-bar", "2", folder)


def test_the_till_that_is_committed_is_what_the_command_writes(folder: Path) -> None:
    again = write_till("la-piazza", "1", folder)

    assert again.read_text() == (ACCOUNTS.parent / again.name).read_text()


@pytest.mark.parametrize(
    ("restaurant", "device"),
    [("La-Piazza", "1"), ("*", "1"), ("a.b", "1"), ("a", ">"), ("a", ""), ("a", "b.c"), ("a", "-")],
)
def test_a_till_has_the_names_of_a_restaurant_and_a_device(
    folder: Path, restaurant: str, device: str
) -> None:
    with pytest.raises(NotGranted):
        write_till(restaurant, device, folder)


@pytest.mark.programs
def test_the_server_does_not_start_without_a_key_or_a_password(folder: Path) -> None:
    write_team("loyalty", ["menu.v1.>"], folder)
    passwords = {password_variable(user): "p1" for user in ("operator", "system")}
    keys = {key_variable(user): public_half(new_seed()) for user in users_of(ACCOUNTS, "NKEY")}
    own = passwords | keys
    config = str(folder / "nats.conf")

    check = [str(NATS_SERVER), "-t", "-c", config]
    lacking = subprocess.run(check, env=own, capture_output=True, text=True, check=False)
    whole = own | {password_variable("loyalty"): "p1"}
    complete = subprocess.run(check, env=whole, capture_output=True, text=True, check=False)
    keyless = whole | {key_variable("serving"): ""}
    without = subprocess.run(check, env=keyless, capture_output=True, text=True, check=False)

    assert lacking.returncode != 0
    assert without.returncode != 0
    assert "COMANDA_NATS_LOYALTY_PASSWORD" in lacking.stderr
    assert complete.returncode == 0, complete.stderr


def test_keys_and_passwords_of_a_local_server_are_kept_for_their_owner_alone(
    tmp_path: Path,
) -> None:
    first, again = (Nats(tmp_path / "nats", 4222, accounts=ACCOUNTS) for _ in range(2))
    seed = first.seed_file_of("ordering")
    assert seed
    before = seed.read_text()

    assert again.url == first.url
    assert first.seed_file_of("operator") is None
    assert seed.read_text() == before
    for secret in (tmp_path / "nats" / "passwords.json", seed, seed.parent):
        assert secret.stat().st_mode & 0o077 == 0
    assert not [name for name in os.environ if name.startswith("COMANDA_NATS_O")]


def test_nobody_but_the_operator_and_the_system_has_a_password() -> None:
    text = "".join(each.read_text() for each in ACCOUNTS.parent.glob("*.conf"))

    assert users_of(ACCOUNTS, "PASSWORD") == ["operator", "system"]
    assert re.findall(r"^ *password: (.*)$", text, re.MULTILINE) == [
        f"${password_variable(user)}" for user in ("system", "operator")
    ]
    assert not re.search(r"\bSU[A-Z2-7]{56}\b", text), "a seed is nobody's but its user's"
