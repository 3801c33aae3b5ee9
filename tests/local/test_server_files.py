"""The files of TLS and of keys go with the URL of their server, and with no other."""

import stat
from pathlib import Path

import pytest
from comanda_local import services
from comanda_local.stack import DATABASE_URL, NATS_URL, Stack
from comanda_local.system_urls import SystemUrls, find_nats

NATS_FILES = {"COMANDA_NATS_CA": "/run/nats/ca.crt", "COMANDA_NATS_NKEY": "/run/nats/seed"}
DATABASE_FILES = {"COMANDA_DATABASE_CA": "/run/pg/ca.crt"}
OWN_NATS = "nats://operator@nats:4222"


def test_a_service_has_the_files_of_its_own_servers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, file in (NATS_FILES | DATABASE_FILES).items():
        monkeypatch.setenv(name, file)

    stack = Stack(tmp_path, environment={NATS_URL: OWN_NATS, **NATS_FILES, **DATABASE_FILES})
    told = services.environment(stack._urls_for("serving"))

    assert {name for name in told if name.startswith("COMANDA_")} >= {NATS_URL, *NATS_FILES}
    assert not DATABASE_FILES.keys() & told.keys(), "its server is embedded"
    assert stack.files == NATS_FILES


def test_a_service_is_told_what_is_of_no_server(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMANDA_PROBLEMS_URL", "https://example.com/problems")
    monkeypatch.setenv(DATABASE_URL, "postgresql://elsewhere")

    told = services.environment({NATS_URL: OWN_NATS})

    assert told["COMANDA_PROBLEMS_URL"] == "https://example.com/problems"
    assert told[NATS_URL] == OWN_NATS
    assert DATABASE_URL not in told


def test_what_is_shown_of_nats_has_no_password_and_what_is_written_is_its_owners(
    tmp_path: Path,
) -> None:
    (tmp_path / "stack.json").touch(mode=0o644)
    nats = "nats://operator:hunt@er2@one:4222,nats://operator:hunter2@two:4222"
    system = SystemUrls("http://o", "http://s", "http://q", nats=nats, database="")

    assert system.nats_address == "nats://one:4222,nats://two:4222"
    assert stat.S_IMODE(system.save(tmp_path).stat().st_mode) == 0o600


def test_files_are_those_beside_the_url_that_is_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    system = SystemUrls(
        *("http://o", "http://s", "http://q"), nats=OWN_NATS, database="", files=NATS_FILES
    )
    system.save(tmp_path)
    monkeypatch.setenv("COMANDA_NATS_CA", "/run/other/ca.crt")
    monkeypatch.setenv("COMANDA_DATABASE_CA", "/run/pg/ca.crt")

    as_written = SystemUrls.find(tmp_path, {})
    as_given = SystemUrls.find(tmp_path, {"nats": "nats://other:4222", "database": DATABASE_URL})

    assert as_written.files == NATS_FILES
    assert as_given.files == {"COMANDA_NATS_CA": "/run/other/ca.crt"} | DATABASE_FILES
    assert find_nats(tmp_path, None) == (OWN_NATS, NATS_FILES)
