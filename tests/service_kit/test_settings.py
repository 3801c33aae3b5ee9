"""Settings come from the environment; what is wrong with them is said before anything starts."""

import pytest
from service_kit.runtime.settings import ServiceSettings, load


def test_settings_are_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMANDA_NATS_URL", "nats://one:4222, nats://two:4222")
    monkeypatch.setenv("COMANDA_HTTP_PORT", "8080")

    settings = load(ServiceSettings)

    assert settings.nats_servers == ["nats://one:4222", "nats://two:4222"]
    assert settings.http_port == 8080


def test_a_missing_or_wrong_setting_stops_the_start_with_its_name(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("COMANDA_NATS_URL", raising=False)
    monkeypatch.setenv("COMANDA_HTTP_PORT", "none")

    with pytest.raises(SystemExit) as stop:
        load(ServiceSettings)

    lines = capsys.readouterr().err.splitlines()
    assert stop.value.code == 2
    assert [line.split(":")[0] for line in lines] == ["COMANDA_NATS_URL", "COMANDA_HTTP_PORT"]


def test_a_url_of_another_kind_of_server_is_refused_without_showing_it(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("COMANDA_NATS_URL", "nats://one:4222,redis://user:hunter2@two")

    with pytest.raises(SystemExit):
        load(ServiceSettings)

    said = capsys.readouterr().err
    assert "COMANDA_NATS_URL" in said
    assert "nats://" in said
    assert "hunter2" not in said


def test_a_password_in_a_url_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMANDA_NATS_URL", "nats://user:hunter2@host:4222")

    assert "hunter2" not in repr(load(ServiceSettings))
