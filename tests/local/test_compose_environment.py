"""`comanda env` makes what Compose is given: what is missing, and nothing else."""

from pathlib import Path

import pytest
from comanda_local import cli
from comanda_local.compose_environment import complete_environment
from comanda_local.nats_keys import public_half
from comanda_local.processes import CannotStart
from typer.testing import CliRunner

SEED, PUBLIC_HALF = "COMANDA_NATS_QUERY_SEED", "COMANDA_NATS_QUERY_NKEY"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    example = f"# Passwords.\nCOMANDA_A_PASSWORD=\n{SEED}=\n{PUBLIC_HALF}=\n"
    (tmp_path / ".env.example").write_text(example)
    return tmp_path / ".env"


def values(file: Path) -> dict[str, str]:
    return dict(line.split("=", 1) for line in file.read_text().splitlines() if "=" in line)


def test_each_name_gets_a_value_once_for_its_owner_alone(file: Path) -> None:
    complete_environment(file)
    first = file.read_text()
    again = complete_environment(file)

    made = values(file)
    assert made.keys() == {"COMANDA_A_PASSWORD", SEED, PUBLIC_HALF}
    assert made["COMANDA_A_PASSWORD"][0] == "p"
    assert made[PUBLIC_HALF] == public_half(made[SEED].encode())
    assert (again, file.read_text()) == ([], first)
    assert file.stat().st_mode & 0o077 == 0


def test_what_an_operator_wrote_stays_and_what_a_release_added_is_made(file: Path) -> None:
    own = "# ours\nCOMANDA_ISSUER=https://login.example\nCOMANDA_A_PASSWORD=p1\n"
    file.write_text(own)

    made = complete_environment(file)

    assert file.read_text().startswith(own)
    assert made == [SEED, PUBLIC_HALF]


@pytest.mark.parametrize("line", ["", f"{SEED}="])
def test_a_new_seed_has_a_new_public_half(file: Path, line: str) -> None:
    complete_environment(file)
    before = values(file)
    left = [each for each in file.read_text().splitlines() if not each.startswith(SEED)]
    file.write_text("\n".join([*left, line]) + "\n")

    complete_environment(file)

    after = values(file)
    assert after[SEED] != before[SEED]
    assert after[PUBLIC_HALF] == public_half(after[SEED].encode())
    assert after["COMANDA_A_PASSWORD"] == before["COMANDA_A_PASSWORD"]


def test_a_seed_that_is_none_is_named_and_not_shown(file: Path) -> None:
    file.write_text(f"{SEED}=hunter2\n")

    with pytest.raises(CannotStart, match=SEED) as refused:
        complete_environment(file)

    assert "hunter2" not in str(refused.value)
    assert file.read_text() == f"{SEED}=hunter2\n"


def test_the_command_shows_no_secret(file: Path) -> None:
    said = CliRunner().invoke(cli.app, ["env", str(file)])

    assert said.exit_code == 0
    assert not [value for value in values(file).values() if value in said.output]
    assert "nothing was missing" in CliRunner().invoke(cli.app, ["env", str(file)]).output


def test_without_the_example_nothing_is_made(tmp_path: Path) -> None:
    assert CliRunner().invoke(cli.app, ["env", str(tmp_path / ".env")]).exit_code != 0
    assert not list(tmp_path.iterdir())
