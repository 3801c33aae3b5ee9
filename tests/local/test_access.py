"""The key of a system without a provider is made once, for its owner alone, and signs tokens."""

import json
import re
import stat
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import httpx
import pytest
from comanda_local import access
from comanda_local.access import Bearer, Issuer
from comanda_local.cli import app
from comanda_local.processes import CannotStart
from joserfc import jwt
from joserfc.jwk import KeySet
from typer.testing import CliRunner, Result


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def decoded(token: str, issuer: Issuer) -> jwt.Token:
    """Verified with the public set, as a service does it."""
    keys = KeySet.import_key_set(json.loads(issuer.jwks.read_text()))
    return jwt.decode(token, keys, algorithms=["ES256"])


def test_a_token_is_verified_with_the_public_set(tmp_path: Path) -> None:
    issuer = Issuer.in_folder(tmp_path)

    token = issuer.token({"la-piazza": ["till"]}, subject="ada", lifetime_s=60, device="bar")

    found = decoded(token, issuer)
    assert found.header["typ"] == "at+jwt"
    assert found.claims["iss"] == "https://comanda.local"
    assert found.claims["aud"] == "comanda"
    assert found.claims["sub"] == "ada"
    assert found.claims["comanda"] == {"la-piazza": ["till"]}
    assert found.claims["device"] == "bar"
    assert found.claims["exp"] == found.claims["iat"] + 60
    assert {"jti", "client_id"} <= found.claims.keys()


def test_the_key_and_its_public_set_are_their_owners_alone(tmp_path: Path) -> None:
    folder = tmp_path / "data" / "access"

    Issuer.in_folder(folder)

    assert mode_of(folder) == 0o700
    assert {file.name: mode_of(file) for file in folder.iterdir()} == {
        "key.json": 0o600,
        "jwks.json": 0o600,
    }
    assert '"d"' not in (folder / "jwks.json").read_text()


def test_a_folder_that_is_there_is_as_open_as_it_was(tmp_path: Path) -> None:
    """`comanda token --init .` is no reason why nobody else may pass through it any more."""
    tmp_path.chmod(0o755)

    Issuer.in_folder(tmp_path)

    assert mode_of(tmp_path) == 0o755


def test_the_key_stays_whoever_begins_again(tmp_path: Path) -> None:
    before = Issuer.in_folder(tmp_path).token({}, subject="ada", lifetime_s=60)

    (tmp_path / "jwks.json").unlink()

    assert decoded(before, Issuer.in_folder(tmp_path)).claims["sub"] == "ada"


def test_of_many_who_begin_at_once_all_have_one_key(tmp_path: Path) -> None:
    with ThreadPoolExecutor(16) as together:
        issuers = list(together.map(Issuer.in_folder, [tmp_path] * 16))

    tokens = [each.token({}, subject="ada", lifetime_s=60) for each in issuers]
    assert [decoded(token, issuers[0]).claims["sub"] for token in tokens] == ["ada"] * 16
    assert {file.name for file in tmp_path.iterdir()} == {"key.json", "jwks.json"}


@pytest.mark.parametrize("text", ["", "{", "[]", "{}", '{"kty": "EC"}'])
def test_what_is_no_key_is_said_and_left(tmp_path: Path, text: str) -> None:
    (tmp_path / "key.json").write_text(text)

    with pytest.raises(CannotStart, match=r"key\.json is no"):
        Issuer.in_folder(tmp_path)

    assert (tmp_path / "key.json").read_text() == text


def test_a_program_of_ours_signs_its_next_token_in_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    issuer = Issuer.in_folder(tmp_path)
    sent: list[str] = []

    def note(request: httpx.Request) -> httpx.Response:
        sent.append(request.headers["Authorization"])
        return httpx.Response(200)

    bearer = Bearer(issuer, {"*": ["operator"]}, subject="demo")
    with httpx.Client(transport=httpx.MockTransport(note), auth=bearer) as client:
        client.get("http://service/")
        client.get("http://service/")
        monkeypatch.setattr(access, "RENEWAL_MARGIN_S", access.LIFETIME_S)
        client.get("http://service/")

    assert sent[0] == sent[1] != sent[2]
    assert all(decoded(each.removeprefix("Bearer "), issuer) for each in sent)


def comanda(*arguments: object) -> Result:
    return CliRunner().invoke(app, [str(each) for each in arguments])


def test_a_token_is_printed_for_somebody_in_a_restaurant(tmp_path: Path) -> None:
    issuer = Issuer.in_folder(tmp_path / "access")

    told = comanda(
        "token", "la-piazza", "till", "--subject", "ada", "--hours", 2, "--data", tmp_path
    )

    claims = decoded(told.stdout.strip(), issuer).claims
    assert (claims["sub"], claims["comanda"]) == ("ada", {"la-piazza": ["till"]})
    assert claims["exp"] - claims["iat"] == 7200


def test_a_token_is_printed_as_curl_reads_it(tmp_path: Path) -> None:
    issuer = Issuer.in_folder(tmp_path)

    told = comanda("token", "*", "operator", "--access", tmp_path, "--curl")

    [token] = re.findall(r'^header = "Authorization: Bearer (\S+)"$', told.stdout, re.MULTILINE)
    assert decoded(token, issuer).claims["comanda"] == {"*": ["operator"]}


def test_a_devices_token_names_the_device_and_is_good_for_30_days(tmp_path: Path) -> None:
    issuer = Issuer.in_folder(tmp_path)

    told = comanda("pair", "la-piazza", "kitchen", "--name", "pass", "--access", tmp_path)

    claims = decoded(told.stdout.strip(), issuer).claims
    assert (claims["sub"], claims["device"]) == ("pass@la-piazza", "pass")
    assert claims["comanda"] == {"la-piazza": ["kitchen"]}
    assert claims["exp"] - claims["iat"] == 30 * 24 * 3600
    assert "pass@la-piazza" in told.stderr


def test_devices_without_a_name_are_told_apart(tmp_path: Path) -> None:
    issuer = Issuer.in_folder(tmp_path)

    several = [comanda("pair", "la-piazza", "till", "--access", tmp_path) for _ in range(2)]

    assert len({decoded(each.stdout.strip(), issuer).claims["sub"] for each in several}) == 2


@pytest.mark.parametrize(
    "arguments",
    [
        ("token",),
        ("token", "la-piazza"),
        ("token", "la-piazza", "chef"),
        ("token", "La Piazza", "till"),
        ("pair", "la-piazza", "till", "--name", "a b"),
        ("pair", "la/piazza", "till"),
    ],
)
def test_a_token_that_nobody_can_have_is_not_signed(tmp_path: Path, arguments: list[str]) -> None:
    Issuer.in_folder(tmp_path)

    told = comanda(*arguments, "--access", tmp_path)

    assert (told.exit_code != 0, told.stdout) == (True, "")


def test_without_a_key_it_is_said_how_to_make_one(tmp_path: Path) -> None:
    told = comanda("token", "la-piazza", "till", "--data", tmp_path)

    assert told.exit_code == 1
    assert "comanda token --init" in told.stderr
    assert list(tmp_path.iterdir()) == []
