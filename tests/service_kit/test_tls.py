"""TLS as a client: its files are read at each connection, and what is wrong with them is named."""

import ssl
from pathlib import Path

import pytest
from ordering.settings import DatabaseSettings
from pydantic_settings import BaseSettings
from query.settings import OperatorSettings
from service_kit.runtime.settings import ServiceSettings, load
from service_kit.runtime.tls import CertificateUnusable, FreshContext

from tests.support.certificates import Authority

POSTGRESQL, MONGODB = "postgresql+asyncpg://ordering@pg/ordering", "mongodb://query@mongo/comanda"
URLS = {
    "COMANDA_NATS_URL": "nats://query@nats:4222",
    "COMANDA_DATABASE_URL": POSTGRESQL,
    "COMANDA_MONGODB_URL": MONGODB,
}
SETTINGS: dict[str, type[BaseSettings]] = {
    "NATS": ServiceSettings,
    "DATABASE": DatabaseSettings,
    "MONGODB": OperatorSettings,
}


def begin(context: ssl.SSLContext) -> None:
    context.wrap_bio(ssl.MemoryBIO(), ssl.MemoryBIO(), server_hostname="localhost")


def test_a_file_that_is_missing_or_unusable_is_named(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    cert, key = authority.sign("localhost")
    other = tmp_path / "other.pem"
    other.write_text("no certificate")
    good = (str(authority.file), str(cert), str(key))
    begin(FreshContext(*good))

    for position in range(3):
        for file, reason in ((tmp_path / "none.pem", "can't be read"), (other, "can't be used")):
            files = [*good[:position], str(file), *good[position + 1 :]]
            with pytest.raises(CertificateUnusable, match=rf"{file}.* {reason}"):
                begin(FreshContext(*files))


def test_a_key_with_a_password_is_refused_rather_than_asked_for(tmp_path: Path) -> None:
    authority = Authority(tmp_path, "authority")
    cert, key = authority.sign("localhost", password=b"of the key")

    with pytest.raises(CertificateUnusable, match=str(key)):
        begin(FreshContext(str(authority.file), str(cert), str(key)))


@pytest.fixture(params=SETTINGS)
def server(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    for name, url in URLS.items():
        monkeypatch.setenv(name, url)
    return str(request.param)


@pytest.mark.parametrize(("given", "needed"), [("CERT", "CA"), ("KEY", "CERT")])
def test_files_that_would_not_be_used_stop_the_start(
    server: str,
    given: str,
    needed: str,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setenv(f"COMANDA_{server}_{given}", "/run/file.pem")

    with pytest.raises(SystemExit):
        load(SETTINGS[server])

    said = capsys.readouterr().err
    assert said.startswith(f"COMANDA_{server}_{given}: ")
    assert f"of no use without COMANDA_{server}_{needed}" in said


@pytest.mark.parametrize(
    ("server", "url"),
    [
        ("DATABASE", "postgresql+asyncpg://ordering:hunter2@/ordering?host=/run/postgresql"),
        ("DATABASE", "postgresql+asyncpg://ordering:hunter2@/ordering"),
        ("DATABASE", "postgresql+asyncpg://ordering:hunter2@pg/ordering?host=/run/postgresql"),
        ("MONGODB", "mongodb+srv://query:hunter2@mongodb.example/comanda"),
    ],
    indirect=["server"],
)
def test_a_url_that_a_ca_would_not_hold_for_stops_the_start(
    server: str, url: str, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(f"COMANDA_{server}_URL", url)
    monkeypatch.setenv(f"COMANDA_{server}_CA", "/run/ca.pem")

    with pytest.raises(SystemExit):
        load(SETTINGS[server])

    said = capsys.readouterr().err
    assert said.startswith(f"COMANDA_{server}_CA: ")
    assert "hunter2" not in said
